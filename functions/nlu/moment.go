package nlu

import "slices"

// field is what one word or number of a phrase tells. The templates of a language
// name fields as slots, see phraseFile.
type field uint8

const (
	fieldHour    field = iota // as a clock face shows it, 1 to 12: in which half of the day is open
	fieldHour24               // of the day, 24: its end
	fieldMinute               // also those past the hour
	fieldTo                   // minutes before the hour
	fieldSecond               //
	fieldFrom                 // the first of the twelve hours that the hour is one of
	fieldFrom2                // the same, said again: 7 pm this evening
	fieldUsual                // the hour that a part of the day stands for
	fieldSeconds              // from now
	fieldDays                 // from today, as are the next three
	fieldWeeks                //
	fieldMonths               //
	fieldYears                //
	fieldSign                 // -1: what is counted from now is counted back
	fieldWeekday              // 1 to 7, Monday first
	fieldWeek                 // of the weekday, 0: this one; not told: its next one
	fieldWeekend              // the first of the weekdays to the end of the week, any of which is meant
	fieldYear                 //
	fieldCentury              // added to the year: twenty, twenty six
	fieldMonth                //
	fieldDate                 // day of the month
	fieldCount                // how many there are

	// These belong to quantities, which have no other.
	fieldValue
	fieldAdd    // to the value, away from zero
	fieldTenths // likewise
	fieldFactor // of the value
	fieldParts  // an index in the parts of the day
)

// fieldNames are the slots of the templates of phrases.
func fieldNames() map[string]field {
	return map[string]field{
		"hour": fieldHour, "hour24": fieldHour24, "minute": fieldMinute, "past": fieldMinute, "to": fieldTo, "second": fieldSecond,
		"part": fieldParts, "seconds": fieldSeconds, "days": fieldDays, "weeks": fieldWeeks, "months": fieldMonths, "years": fieldYears,
		"sign": fieldSign, "weekday": fieldWeekday, "week": fieldWeek, "weekend": fieldWeekend, "year": fieldYear, "century": fieldCentury, "month": fieldMonth,
		"date": fieldDate, "value": fieldValue, "add": fieldAdd, "tenths": fieldTenths, "factor": fieldFactor,
	}
}

// moment is what a phrase tells of a day and a time, or the number that it stands
// for. It does not depend on when it is said, so that it may be kept.
type moment struct {
	number float64
	has    uint32
	at     [fieldCount]int32
}

func (m *moment) tells(f field) bool { return m.has&(1<<f) != 0 }

func (m *moment) tellsAny(fields ...field) bool {
	return slices.ContainsFunc(fields, m.tells)
}

// put notes what a word tells; false: that was told before.
func (m *moment) put(f field, value float64) bool {
	switch f {
	case fieldValue:
		m.number = value
	case fieldAdd, fieldTenths:
		if f == fieldTenths {
			value /= 10
		}
		if m.number < 0 {
			value = -value
		}
		m.number += value
	case fieldFactor:
		m.number *= value
	case fieldParts, fieldCount:
	default:
		if m.tells(f) {
			return false
		}
		m.has |= 1 << f
		m.at[f] = int32(value)
	}
	return true
}

// putPart notes a part of the day.
func (m *moment) putPart(p *partFile) bool {
	from := fieldFrom
	if m.tells(fieldFrom) {
		from = fieldFrom2
	}
	ok := m.put(from, float64(p.From))
	if p.Hour != nil && !m.tells(fieldUsual) {
		ok = ok && m.put(fieldUsual, float64(*p.Hour))
	}
	if p.Day != nil {
		ok = ok && m.put(fieldDays, float64(*p.Day))
	}
	return ok
}

const (
	hourMinutes = 60
	halfDay     = 12
	dayHours    = 24
	daySeconds  = 86400
)

// clock returns the time of the day in seconds, which may lie before or behind the
// day that is told: tonight at one. With open, it is so in either half of the day.
func (m *moment) clock() (seconds int, open, ok bool) {
	hour, open, ok := m.hour()
	if !ok {
		return 0, false, false
	}
	if hour == 0 && !open && m.tells(fieldTo) {
		hour = dayHours // ten to midnight is an end, not a beginning
	}
	seconds = (hour*hourMinutes+int(m.at[fieldMinute])-int(m.at[fieldTo]))*60 + int(m.at[fieldSecond])
	if hour == dayHours && m.at[fieldHour24] == dayHours && seconds > daySeconds {
		return 0, false, false
	}
	return seconds, open, true
}

// hour returns the hour that is said, in the part of the day that is said.
func (m *moment) hour() (hour int, open, ok bool) {
	switch {
	case m.tells(fieldHour):
		hour, open = int(m.at[fieldHour])%halfDay, true
	case m.tells(fieldHour24):
		hour = int(m.at[fieldHour24])
	case m.tells(fieldUsual):
		return int(m.at[fieldUsual]), false, true
	default:
		return 0, false, false
	}
	if !m.tells(fieldFrom) {
		return hour, open, true
	}
	if !m.tells(fieldFrom2) {
		settled, ok := settle(hour, open, int(m.at[fieldFrom]))
		return settled, false, ok
	}
	first, ok1 := settle(hour, open, int(m.at[fieldFrom]))
	second, ok2 := settle(hour, open, int(m.at[fieldFrom2]))
	return max(first, second), false, ok1 && ok2 && (first-second)%dayHours == 0
}

// settle finds the hour among the twelve from one on.
func settle(hour int, open bool, from int) (int, bool) {
	cycle := dayHours
	if open {
		cycle = halfDay
	}
	for hour < from {
		hour += cycle
	}
	return hour, hour < from+halfDay
}

// isTime tells whether a time is told, and one that there is.
func (m *moment) isTime() bool {
	if m.tells(fieldSeconds) {
		return true
	}
	_, _, ok := m.clock()
	return ok && m.isDate()
}

// isDate tells that the day of the month is one that there is in some year.
func (m *moment) isDate() bool {
	switch {
	case !m.tells(fieldMonth) || !m.tells(fieldDate):
		return true
	case m.tells(fieldYear):
		return m.at[fieldDate] <= int32(daysIn(m.year(), int(m.at[fieldMonth]))) //nolint:gosec // a day
	}
	const leapYear = 2000
	return m.at[fieldDate] <= int32(daysIn(leapYear, int(m.at[fieldMonth]))) //nolint:gosec // a day
}

// isShare tells whether a number is a part of a whole, in percent.
func (m *moment) isShare() bool { return 0 <= m.number && m.number <= 100 }

const centuryYears = 100

func (m *moment) year() int { return int(m.at[fieldCentury])*centuryYears + int(m.at[fieldYear]) }
