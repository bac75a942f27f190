package nlu

import (
	"math"
	"slices"
	"strconv"
)

type numberKind uint8

const (
	numberNone  numberKind = iota
	numberDigit            // a word for a number below the first scale
	numberScale            // hundred, 万
	numberOne              // a, an
	numberFill             // and
	numberMinus
	numberPoint
)

type numberWord struct {
	kind  numberKind
	value float64
	bare  bool // a scale that needs no number before it
}

func (l *language) addNumberWords() {
	n := &l.file.Number
	kinds := []struct {
		kind  numberKind
		words []string
	}{{numberOne, n.One}, {numberFill, n.Fillers}, {numberMinus, n.Minus}, {numberPoint, n.Point}}
	for _, k := range kinds {
		for _, w := range k.words {
			l.words.add(w, numberWord{kind: k.kind, value: 1})
		}
	}
	for w, v := range n.Words {
		l.words.add(w, numberWord{kind: numberDigit, value: v})
	}
	for w, v := range n.Scales {
		l.words.add(w, numberWord{kind: numberScale, value: v, bare: slices.Contains(n.Bare, w)})
	}
}

func (l *language) begins() mask { return digitsBegin().or(l.words.begins()) }

// numbers implements numberReader. Digits count as words: "3 million", 10万.
func (l *language) numbers(found []span, runes []rune, pos int) []span {
	sign := 1.0
	if end, w := l.words.longest(runes, pos); end > 0 && w.kind == numberMinus {
		sign, pos = -1, l.skip(runes, end)
	}
	from := len(found)
	found = l.cardinals(found, runes, pos)
	if l.file.Number.DigitStrings {
		found = l.digitStrings(found, runes, pos)
	}
	for _, s := range found[from:] {
		found = l.decimals(found, runes, s)
		if end, more := l.suffixes.longest(runes, l.skip(runes, s.end)); end > 0 && s.value == math.Trunc(s.value) {
			found = append(found, span{end, s.value + more})
		}
	}
	for i := range found[from:] {
		found[from+i].value *= sign
	}
	return found
}

// cardinal is a number on the way from its first word to its last.
type cardinal struct {
	total     float64 // of the sections that are complete
	section   float64 // of this one
	current   float64 // said, and not yet scaled
	pending   bool    // current holds something
	written   bool    // ... in digits
	scale     float64 // the last one; 0: none yet
	big       float64 // the last one that ended a section; 0: none yet
	open      bool    // the number cannot end here: "a", "and"
	ellipsis  bool    // current stands right behind scale
	afterFill bool
}

// cardinals appends every number that the words from pos on make.
func (l *language) cardinals(found []span, runes []rune, pos int) []span {
	var c cardinal
	for first := true; ; first = false {
		at := pos
		if !first {
			at = l.skip(runes, pos)
		}
		end, w := l.numberWord(runes, at, first)
		if end == 0 || !l.take(&c, w, first, end > 0 && at < len(runes) && isDigitOrSign(runes[at])) {
			return found
		}
		pos = end
		if !c.open {
			found = append(found, span{end, l.sum(&c)})
		}
	}
}

func isDigitOrSign(r rune) bool { return '0' <= r && r <= '9' || r == '-' }

// numberWord reads a word, or digits in place of one.
func (l *language) numberWord(runes []rune, pos int, first bool) (int, numberWord) {
	if pos < len(runes) && isDigitOrSign(runes[pos]) && (first || runes[pos] != '-') {
		end, value, ok := readDigits(runes, pos, true)
		if !ok {
			return 0, numberWord{}
		}
		return end, numberWord{kind: numberDigit, value: value}
	}
	return l.words.longest(runes, pos)
}

// take adds a word to the number, or says that it does not belong to it.
func (l *language) take(c *cardinal, w numberWord, first, written bool) bool {
	switch w.kind {
	case numberDigit:
		return l.takeDigit(c, w.value, first, written)
	case numberScale:
		if w.value >= l.file.Number.Section {
			return c.takeBig(w)
		}
		return c.takeScale(w)
	case numberOne:
		if !first {
			return false
		}
		c.current, c.pending, c.open = 1, true, true
		return true
	case numberFill:
		return c.fill()
	case numberNone, numberMinus, numberPoint:
	}
	return false
}

func (c *cardinal) fill() bool {
	if c.scale == 0 || c.pending || c.afterFill {
		return false
	}
	c.afterFill, c.open = true, true
	return true
}

func (l *language) takeDigit(c *cardinal, value float64, first, written bool) bool {
	switch {
	case c.pending:
		if !l.file.Spaced || written || !c.isTens() || value < 1 || value > 9 {
			return false
		}
		c.current += value
		return true
	case value == 0 && !first:
		return l.file.Number.ZeroFills && c.fill()
	case c.scale != 0 && (value >= c.scale || written):
		return false
	}
	c.ellipsis = c.scale >= 100 && !c.afterFill && value < 10
	c.current, c.pending, c.written, c.open, c.afterFill = value, true, written, false, false
	return true
}

// isTens tells whether a digit may follow: twenty five.
func (c *cardinal) isTens() bool {
	return !c.written && !c.open && c.current >= 20 && c.current < 100 && math.Mod(c.current, 10) == 0
}

func (c *cardinal) takeScale(w numberWord) bool {
	if !c.pending {
		if !w.bare || c.section != 0 {
			return false
		}
		c.current = 1
	}
	if c.scale != 0 && w.value >= c.scale {
		return false
	}
	c.section += c.current * w.value
	c.current, c.pending, c.open, c.scale, c.afterFill = 0, false, false, w.value, false
	return true
}

func (c *cardinal) takeBig(w numberWord) bool {
	sum := c.section + c.current
	if sum == 0 && w.bare && c.total == 0 && !c.pending {
		sum = 1
	}
	if sum == 0 || c.afterFill || c.big != 0 && w.value >= c.big {
		return false
	}
	c.total += sum * w.value
	c.section, c.current, c.pending, c.open = 0, 0, false, false
	c.scale, c.big = w.value, w.value
	return true
}

func (l *language) sum(c *cardinal) float64 {
	if l.file.Number.Elliptic && c.pending && c.ellipsis {
		return c.total + c.section + c.current*c.scale/10
	}
	return c.total + c.section + c.current
}

// digitStrings reads two or more single digits in a row as they would be written.
func (l *language) digitStrings(found []span, runes []rune, pos int) []span {
	value := 0.0
	for n := 1; n <= maxDigits; n++ {
		end, digit, ok := l.singleDigit(runes, pos)
		if !ok {
			break
		}
		value, pos = value*10+digit, end
		if n > 1 {
			found = append(found, span{end, value})
		}
	}
	return found
}

func (l *language) singleDigit(runes []rune, pos int) (end int, digit float64, ok bool) {
	end, w := l.words.longest(runes, l.skip(runes, pos))
	return end, w.value, end > 0 && w.kind == numberDigit && w.value < 10 && w.value == math.Trunc(w.value)
}

// decimals reads "point two five" behind a whole number.
func (l *language) decimals(found []span, runes []rune, whole span) []span {
	pos, w := l.words.longest(runes, l.skip(runes, whole.end))
	if pos == 0 || w.kind != numberPoint || whole.value != math.Trunc(whole.value) {
		return found
	}
	var room [64]byte
	text := strconv.AppendFloat(room[:0], whole.value, 'f', -1, 64)
	text = append(text, '.')
	for range maxDigits {
		end, digit, ok := l.singleDigit(runes, pos)
		if !ok {
			break
		}
		text = strconv.AppendInt(text, int64(digit), 10)
		pos = end
		if value, err := strconv.ParseFloat(string(text), 64); err == nil {
			found = append(found, span{end, value})
		}
	}
	return found
}
