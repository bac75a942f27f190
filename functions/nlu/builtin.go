package nlu

import "slices"

// builtinNames are the lists that every skill may use.
func builtinNames() []string { return []string{"number", "percentage", "duration", "day"} }

// builtin returns the finder of a built-in list, nil where there is none.
//
//   - number: a number in digits or words
//   - percentage: a number, with or without a word or sign for percent: 50
//   - duration: seconds
//   - day: whole days from today: tomorrow is 1
func (l *language) builtin(name string) finder {
	switch name {
	case "number":
		return l.numbers
	case "percentage":
		return l.percentages
	case "duration":
		return l.durations
	case "day":
		return l.day
	}
	return nil
}

// begin is what the values of built-in lists begin with.
func (l *language) begin() mask {
	return l.begins().or(l.fractions.begins()).or(l.before.begins()).or(l.days.begins())
}

func (l *language) day(found []span, runes []rune, pos int) []span {
	l.days.all(runes, pos, func(end int, day float64) { found = append(found, span{end, day}) })
	return found
}

func (l *language) percentages(found []span, runes []rune, pos int) []span {
	if end, _ := l.before.longest(runes, pos); end > 0 {
		pos = l.skip(runes, end)
		return l.numbers(found, runes, pos)
	}
	var room [roomForSpans]span
	for _, n := range l.numbers(room[:0], runes, pos) {
		if end, _ := l.after.longest(runes, l.skip(runes, n.end)); end > 0 {
			found = append(found, span{end, n.value})
		}
		found = append(found, n)
	}
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
