package nlu

import "slices"

// builtinNames are the lists that every skill may use.
func builtinNames() []string {
	return []string{"number", "percentage", "temperature", "duration", "time", "date", "day"}
}

// builtin returns a built-in list, nil where there is none, or none in this language.
// Its values are
//
//   - number: a number in digits or words
//   - percentage: a number from 0 to 100, with or without a word or sign for percent: 50
//   - temperature: degrees as they are said, with or without a word for them: 21.5
//   - duration: seconds
//   - time: a day and a time in the home's zone, "2026-11-25T15:00:00", see [Context.Now]
//   - date: a day, "2026-11-25", likewise
//   - day: whole days from today: tomorrow is 1
func (l *language) builtin(name string) *list {
	find := &list{kind: listBuiltin, builtin: name}
	switch name {
	case "number":
		find.find, find.first = l.number, l.begins().or(l.parts.begins())
	case "duration":
		find.find, find.first = l.durations, l.begins().or(l.fractions.begins())
	case "day":
		find.find, find.first = l.day, l.days.begins()
	default:
		p := l.phrases[name]
		if p == nil {
			return nil
		}
		find.phrases, find.first = p, p.begin
	}
	return find
}

func (l *language) number(found []span, runes []rune, pos int) []span {
	found = l.numbers(found, runes, pos)
	if end, part := l.parts.longest(runes, pos); end > 0 {
		found = addSpan(found, span{end, part})
	}
	return found
}

func (l *language) day(found []span, runes []rune, pos int) []span {
	l.days.all(runes, pos, func(end int, day float64) { found = append(found, span{end, day}) })
	return found
}

// roomForSpans is for more numbers than begin at most places.
const roomForSpans = 16

// durations reads "an hour and a half", "1 hour 30 minutes", 一个半小时: numbers
// with units, from the largest unit to the smallest.
func (l *language) durations(found []span, runes []rune, pos int) []span {
	return l.duration(found, runes, pos, span{}, 0)
}

// duration adds what begins at pos to the sum so far; limit is the last unit, 0:
// none yet.
func (l *language) duration(found []span, runes []rune, pos int, sum span, limit float64) []span {
	var room [roomForSpans]span
	for _, n := range l.quantities(room[:0], runes, pos) {
		end, unit := l.units.longest(runes, l.skip(runes, n.end))
		if end == 0 || n.value < 0 || limit != 0 && unit >= limit {
			continue
		}
		whole := span{end, sum.value + n.value*unit}
		found = addSpan(found, whole)
		if end, more := l.behind.longest(runes, l.skip(runes, end)); end > 0 {
			found = addSpan(found, span{end, whole.value + more*unit})
		}
		next := l.skip(runes, end)
		found = l.duration(found, runes, next, whole, unit)
		if joined, _ := l.joiners.longest(runes, next); joined > 0 {
			found = l.duration(found, runes, l.skip(runes, joined), whole, unit)
		}
	}
	return found
}

// quantities reads how many of a unit: a number, "a", "half an".
func (l *language) quantities(found []span, runes []rune, pos int) []span {
	found = l.numbers(found, runes, pos)
	for _, n := range found {
		if end, more := l.inner.longest(runes, l.skip(runes, n.end)); end > 0 {
			found = append(found, span{end, n.value + more})
		}
	}
	if end, part := l.fractions.longest(runes, pos); end > 0 {
		found = append(found, span{end, part})
	}
	if end, w := l.words.longest(runes, pos); end > 0 && w.kind == numberOne {
		found = append(found, span{end, 1})
	}
	return found
}

// addSpan appends a span, once.
func addSpan(found []span, s span) []span {
	if slices.Contains(found, s) {
		return found
	}
	return append(found, s)
}
