package nlu

import "time"

// The forms of a date and of a time in a slot, as ISO 8601 has them.
const (
	dateForm = "2006-01-02"
	timeForm = "2006-01-02T15:04:05"
)

// Where nothing tells the half of the day, and a day is told that is not today, an
// hour is one at which people are awake: from six to before six.
const wakingHour = 6

// maxAhead bounds how many days of the same kind are tried, such as Fridays that
// are the 13th, or the 29th of February.
const maxAhead = 48

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// value returns what a slot holds for a moment that is said now; false: nothing,
// because there is no such day, or it is not known when now is.
func (m *moment) value(kind phraseKind, now time.Time) (any, bool) {
	switch kind {
	case phraseTime:
		t, ok := m.time(now)
		return t.Format(timeForm), ok && isYear(t.Year())
	case phraseDate:
		t, ok := m.date(now)
		return t.Format(dateForm), ok && isYear(t.Year())
	default:
		return m.number, true
	}
}

func isYear(year int) bool { return 0 < year && year < 10000 }

// needsNow tells whether a moment is another one when it is said later.
func (m *moment) needsNow() bool {
	return !m.tells(fieldYear) || m.tells(fieldHour) && !m.tells(fieldFrom)
}

// date returns the day that is told: the first of its kind from today on. But the
// name of today stands for the same day of next week.
func (m *moment) date(now time.Time) (time.Time, bool) {
	if now.IsZero() && m.needsNow() {
		return time.Time{}, false
	}
	today := civil(now)
	for n := range maxAhead {
		day, fixed, ok := m.day(today, n)
		switch {
		case fixed:
			return day, ok
		case !ok, day.Before(today), m.isWeekdayAlone() && day.Equal(today):
		default:
			return day, true
		}
	}
	return time.Time{}, false
}

// isWeekdayAlone tells of the name of a day, without which one it is.
func (m *moment) isWeekdayAlone() bool {
	return m.tells(fieldWeekday) && !m.tellsAny(fieldWeek, fieldWeeks, fieldDate)
}

// time returns the time that is told. Without a day, and with one that comes again,
// it is the first one ahead.
func (m *moment) time(now time.Time) (time.Time, bool) {
	if now.IsZero() && m.needsNow() {
		return time.Time{}, false
	}
	if m.tells(fieldSeconds) {
		seconds := int(m.at[fieldSeconds]) * m.sign()
		return now.Truncate(time.Second).AddDate(0, 0, seconds/daySeconds).Add(time.Duration(seconds%daySeconds) * time.Second), true
	}
	clock, open, _ := m.clock()
	today := civil(now)
	for n := range maxAhead {
		day, fixed, ok := m.day(today, n)
		t, ahead := m.onDay(day, clock, open, now)
		switch {
		case fixed:
			return t, ok
		case ok && ahead:
			return t, true
		}
	}
	return time.Time{}, false
}

// onDay returns the time on a day, and whether it is ahead.
func (m *moment) onDay(day time.Time, clock int, open bool, now time.Time) (time.Time, bool) {
	const half = daySeconds / 2
	if !m.tellsDay() { // one at night is one of the clock, whatever the day
		clock = (clock%daySeconds + daySeconds) % daySeconds
	}
	if !open {
		t := atClock(day, clock, now.Location())
		return t, t.After(now)
	}
	clock = (clock%half + half) % half
	first, second := atClock(day, clock, now.Location()), atClock(day, clock+half, now.Location())
	if day.Equal(civil(now)) || !m.tellsDay() {
		switch {
		case first.After(now):
			return first, true
		case second.After(now):
			return second, true
		}
	}
	if clock < wakingHour*hourMinutes*60 {
		first = second
	}
	return first, first.After(now)
}

func (m *moment) tellsDay() bool {
	return m.tellsAny(fieldDays, fieldWeeks, fieldMonths, fieldYears, fieldWeekday, fieldWeekend, fieldMonth, fieldDate)
}

// day returns the n-th day that is told, from today on or a little before, or tells
// that there is none. With fixed, it is the only one.
func (m *moment) day(today time.Time, n int) (day time.Time, fixed, ok bool) {
	switch {
	case m.tells(fieldDate):
		day, fixed, ok = m.dayOfMonth(today, n)
		if ok && m.tells(fieldWeekday) && weekday(day) != int(m.at[fieldWeekday]) {
			ok = false
		}
		return day, fixed, ok
	case m.tells(fieldWeekday):
		ahead := int(m.at[fieldWeekday]) - weekday(today)
		if m.tells(fieldWeek) {
			return today.AddDate(0, 0, ahead+7*int(m.at[fieldWeek])), true, true
		}
		return today.AddDate(0, 0, (ahead+7)%7+7*(n+int(m.at[fieldWeeks]))), false, true
	case m.tells(fieldWeekend):
		day = today.AddDate(0, 0, n)
		return day, false, weekday(day) >= int(m.at[fieldWeekend])
	case m.tellsAny(fieldDays, fieldWeeks, fieldMonths, fieldYears):
		sign := m.sign()
		day = addMonths(today, sign*(int(m.at[fieldMonths])+12*int(m.at[fieldYears])))
		return day.AddDate(0, 0, sign*(int(m.at[fieldDays])+7*int(m.at[fieldWeeks]))), true, true
	}
	return today.AddDate(0, 0, n), false, true
}

// dayOfMonth returns the n-th 5th, 5th of March, or the only one of its year or of
// a month that is told.
func (m *moment) dayOfMonth(today time.Time, n int) (day time.Time, fixed, ok bool) {
	year, month, date := today.Year(), int(today.Month()), int(m.at[fieldDate])
	switch {
	case m.tells(fieldYear):
		year, month, fixed = m.year(), int(m.at[fieldMonth]), true
	case m.tells(fieldYears):
		year, month, fixed = year+int(m.at[fieldYears]), int(m.at[fieldMonth]), true
	case m.tells(fieldMonth):
		year, month = year+n, int(m.at[fieldMonth])
	case m.tells(fieldMonths):
		month, fixed = month+int(m.at[fieldMonths]), true
	default:
		month += n
	}
	first := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
	day = time.Date(first.Year(), first.Month(), date, 0, 0, 0, 0, time.UTC)
	return day, fixed, date <= daysIn(first.Year(), int(first.Month()))
}

func (m *moment) sign() int {
	if m.tells(fieldSign) {
		return int(m.at[fieldSign])
	}
	return 1
}

// civil returns the day of a time, as days are counted: without a zone, so that
// all are of one length.
func civil(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// atClock returns when clocks show a time on a day. One that is left out when they
// are put forward is that much later.
func atClock(day time.Time, seconds int, zone *time.Location) time.Time {
	wanted := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, seconds, 0, time.UTC)
	t := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, seconds, 0, zone)
	_, offset := t.Zone()
	// Where clocks never show it, time.Date chooses a time before or after.
	if leftOut := wanted.Unix() - (t.Unix() + int64(offset)); leftOut > 0 {
		t = t.Add(time.Duration(leftOut) * time.Second)
	}
	return t
}

// addMonths keeps to the month: a month from the 31st of January is the end of
// February.
func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, min(t.Day(), daysIn(first.Year(), int(first.Month())))-1)
}

// weekday counts from Monday, 1, to Sunday, 7.
func weekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }
