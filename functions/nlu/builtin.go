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

func (l *language) day(runes []rune, pos int) []span {
	var found []span
	l.days.all(runes, pos, func(end int, day float64) { found = append(found, span{end, day}) })
	return found
}

func (l *language) percentages(runes []rune, pos int) []span {
	if end, _ := l.before.longest(runes, pos); end > 0 {
		pos = l.skip(runes, end)
		return l.numbers(runes, pos)
	}
	var found []span
	for _, n := range l.numbers(runes, pos) {
		if end, _ := l.after.longest(runes, l.skip(runes, n.end)); end > 0 {
			found = append(found, span{end, n.value})
		}
		found = append(found, n)
	}
	return found
}

// durations reads "an hour and a half", "1 hour 30 minutes", 一个半小时: numbers
// with units, from the largest unit to the smallest.
func (l *language) durations(runes []rune, pos int) []span {
	var found []span
	l.duration(runes, pos, span{}, 0, &found)
	return found
}

// duration adds what begins at pos to the sum so far; limit is the last unit, 0:
// none yet.
func (l *language) duration(runes []rune, pos int, sum span, limit float64, found *[]span) {
	for _, n := range l.quantities(runes, pos) {
		end, unit := l.units.longest(runes, l.skip(runes, n.end))
		if end == 0 || n.value < 0 || limit != 0 && unit >= limit {
			continue
		}
		whole := span{end, sum.value + n.value*unit}
		addSpan(found, whole)
		if end, more := l.behind.longest(runes, l.skip(runes, end)); end > 0 {
			addSpan(found, span{end, whole.value + more*unit})
		}
		next := l.skip(runes, end)
		l.duration(runes, next, whole, unit, found)
		if joined, _ := l.joiners.longest(runes, next); joined > 0 {
			l.duration(runes, l.skip(runes, joined), whole, unit, found)
		}
	}
}

// quantities reads how many of a unit: a number, "a", "half an".
func (l *language) quantities(runes []rune, pos int) []span {
	found := l.numbers(runes, pos)
	for _, n := range slices.Clone(found) {
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

func addSpan(found *[]span, s span) {
	if !slices.Contains(*found, s) {
		*found = append(*found, s)
	}
}
