package nlu

import "slices"

// maxPhraseSteps bounds the work on the phrases that begin at one place.
const maxPhraseSteps = 4000

// maxWholeDigits is how long a whole number in digits may be in a phrase.
const maxWholeDigits = 4

// phraseReader finds phrases at a place of a text. Its memory is used again.
type phraseReader struct {
	p     *phrases
	runes []rune
	now   moment // what is read so far
	found []phrase
	spans []span // of the lists at work, one behind the other
	steps int
	known wholeNumbers
}

// phrase is one that was found, and where it ends.
type phrase struct {
	end    int
	moment moment
}

// wholeNumbers are those in words at a place, which many templates ask for.
type wholeNumbers struct {
	at    int // -1: none are known
	spans []span
}

// read finds the phrases that begin at a place, one for each place where they may
// end. What it returns holds until the next time.
func (r *phraseReader) read(p *phrases, runes []rune, pos int) []phrase {
	r.p, r.runes = p, runes
	r.now, r.found, r.spans, r.steps, r.known.at = moment{}, r.found[:0], r.spans[:0], 0, -1
	r.walk(p.entry, pos, true)
	r.runes = nil
	return r.found
}

// walk follows the templates from node n. At the start of a word blanks of both
// sides mean nothing.
func (r *phraseReader) walk(n int32, pos int, start bool) {
	for {
		if r.steps++; r.steps > maxPhraseSteps {
			return
		}
		nd := &r.p.nodes[n]
		ok := true
		switch nd.op {
		case opAccept:
			r.accept(pos)
			return
		case opText:
			pos, ok = r.text(r.p.text(nd), pos)
			start = false
		case opBlank:
			pos, start, ok = r.blank(pos, start)
		case opSplit:
			r.split(nd, pos, start)
			return
		case opList:
			r.list(nd, pos)
			return
		case opRule: // all are put in place
			return
		}
		if !ok {
			return
		}
		n = nd.next
	}
}

// split goes on with each way that the next character, perhaps behind a blank, does
// not rule out.
func (r *phraseReader) split(nd *node, pos int, start bool) {
	next := r.p.l.skip(r.runes, pos)
	for i := nd.from; i < nd.to; i++ {
		way := &r.p.ways[i]
		if way.any || next < len(r.runes) && way.has(r.runes[next]) || next > pos && way.has(r.runes[pos]) {
			r.walk(r.p.code.ways[i], pos, start)
		}
	}
}

func (r *phraseReader) text(words []rune, pos int) (int, bool) {
	if !r.p.l.file.Spaced {
		pos = skipBlanks(r.runes, pos)
	}
	for _, c := range words {
		if pos >= len(r.runes) || r.runes[pos] != c {
			return 0, false
		}
		pos++
	}
	return pos, true
}

// blank takes the blank between words, which may be missing behind digits: 7pm.
func (r *phraseReader) blank(pos int, start bool) (int, bool, bool) {
	from := pos
	pos = r.p.l.skip(r.runes, pos)
	ok := pos > from || start || pos == len(r.runes) || !r.p.l.file.Spaced || isDigit(r.runes[pos-1])
	return pos, true, ok
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// list goes on behind every value of a list.
func (r *phraseReader) list(nd *node, pos int) {
	l, f := r.p.list(nd).list, r.p.fields[nd.from]
	if !r.p.l.file.Spaced {
		pos = skipBlanks(r.runes, pos)
	}
	if pos == len(r.runes) || !l.first.has(r.runes[pos]) {
		return
	}
	from := len(r.spans)
	if l.kind == ListRange {
		r.whole(l.rng, pos)
	} else {
		r.spans = l.find(r.spans, r.runes, pos)
	}
	for i, to := from, len(r.spans); i < to; i++ {
		s, before := r.spans[i], r.now
		ok := false
		if f == fieldParts {
			ok = r.now.putPart(&r.p.parts[int(s.value)])
		} else {
			ok = fits(s.value) && r.now.put(f, s.value)
		}
		if ok {
			r.walk(nd.next, s.end, false)
		}
		r.now = before
	}
	r.spans = r.spans[:from]
}

// fits tells of numbers that a moment can hold.
func fits(value float64) bool { return -maxFieldValue < value && value < maxFieldValue }

// maxFieldValue is more than the seconds of 30 years.
const maxFieldValue = 1e9

// whole adds the whole numbers of a range that begin at a place.
func (r *phraseReader) whole(rng *Range, pos int) {
	if isDigit(r.runes[pos]) {
		end, value := digitsEnd(r.runes, pos), 0.0
		if rng.digits > 0 {
			end = min(end, pos+rng.digits)
		}
		switch n := end - pos; {
		case n > maxWholeDigits, rng.digits > 0 && n != rng.digits, rng.digits == 0 && n > 1 && r.runes[pos] == '0':
			return
		}
		for _, c := range r.runes[pos:end] {
			value = value*10 + float64(c-'0')
		}
		r.addWhole(rng, span{end, value})
		return
	}
	if rng.digits > 0 {
		return
	}
	if r.known.at != pos {
		r.known.at = pos
		r.known.spans = r.p.l.wholeNumbers(r.known.spans[:0], r.runes, pos)
	}
	for _, s := range r.known.spans {
		r.addWhole(rng, s)
	}
}

func (r *phraseReader) addWhole(rng *Range, s span) {
	if rng.From <= s.value && s.value <= rng.To {
		r.spans = append(r.spans, s)
	}
}

// wholeNumbers reads a number in words, or four digits as years are said.
func (l *language) wholeNumbers(found []span, runes []rune, pos int) []span {
	found = l.cardinals(found, runes, pos)
	if !l.file.Number.DigitStrings {
		return found
	}
	from := len(found)
	found = l.digitStrings(found, runes, pos)
	year := from + maxWholeDigits - 2 // they have two digits and more
	if len(found) <= year {
		return found[:from]
	}
	found[from] = found[year]
	return found[:from+1]
}

// accept is told of a phrase that ends at pos.
func (r *phraseReader) accept(pos int) {
	if pos == 0 || r.p.l.file.Spaced && !isWordEnd(r.runes, pos) ||
		pos < len(r.runes) && isDigit(r.runes[pos]) && isDigit(r.runes[pos-1]) {
		return
	}
	switch {
	case r.p.kind == phraseTime && !r.now.isTime(), r.p.kind == phraseDate && !r.now.isDate():
		return
	case r.p.kind == phrasePercentage && !r.now.isShare():
		return
	case slices.ContainsFunc(r.found, func(p phrase) bool { return p.end == pos }):
		return
	}
	if r.now.number == 0 {
		r.now.number = 0 // and not below it
	}
	r.found = append(r.found, phrase{pos, r.now})
}
