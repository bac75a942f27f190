package nlu

import (
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
)

// span is a number, or what stands for one, that was read from a text.
type span struct {
	end   int
	value float64
}

// finder appends the values that begin at a position of a folded text. It is the
// seam for built-in lists: a finder is all that one needs.
type finder func(found []span, runes []rune, pos int) []span

// numberReader reads numbers that are written in words.
type numberReader interface {
	// numbers appends every number that begins at pos, "twenty" and "twenty five".
	numbers(found []span, runes []rune, pos int) []span
	// begins is what a number can begin with.
	begins() mask
}

// listBuiltin is the kind of a list that a finder reads.
const listBuiltin ListKind = -1

// list is the compiled form of a List.
type list struct {
	kind    ListKind
	code    *code // of the values
	values  []listValue
	shared  traits // of all values
	keys    *keys  // of the values
	rng     *Range
	words   numberReader // of a range; nil: digits alone
	find    finder       // of a built-in list
	phrases *phrases     // instead: what its values are made of
	builtin string       // its name
	first   mask         // what the numbers of a range or a built-in list begin with
}

// listValue is small, since homes have many: one that is a plain text has a key
// in place of a program.
type listValue struct {
	piece *subProgram
	key   int32
	out   any // nil: the words that matched
	facts facts
}

// edge is one way through a list: the value, and where the text goes on.
type edge struct {
	end    int32
	value  int32 // index of a listValue, -1: number
	number float64
}

func (l *list) isNumber() bool { return l.kind == ListRange || l.kind == listBuiltin }

func (l *list) isWildcard() bool { return l.kind == ListWildcard }

func (l *list) traits() traits {
	switch {
	case l.isNumber(), l.kind == ListHome:
		return traits{anyFirst: true}
	case l.kind == ListWildcard:
		return traits{anyFirst: true, wildStart: true, wildEnd: true}
	case len(l.values) == 0:
		return traits{anyFirst: true}
	}
	return l.shared
}

// hits appends the values that may begin at pos, and a few that may not.
func (l *list) hits(found []hit, v *view, pos int) []hit {
	found = l.keys.hits(found, v, pos)
	r := v.runes[pos]
	for _, i := range l.keys.loose {
		if p := l.values[i].piece; p.anyFirst || p.first.has(r) || isHyphen(r) || isBlank(r) {
			found = append(found, hit{value: i})
		}
	}
	return found
}

// isPhrase tells of a list whose values are more than numbers.
func (l *list) isPhrase() bool { return l.phrases != nil }

// spans appends the numbers of a range that begin at pos, digits if there are
// any, else words; or the values of a built-in list.
func (l *list) spans(found []span, runes []rune, pos int) []span {
	if l.find != nil {
		return l.find(found, runes, pos)
	}
	from := len(found)
	if end, number, ok := readDigits(runes, pos, l.rng.Fractions != FractionsNone); ok {
		found = append(found, span{end, number})
	} else if l.words != nil {
		found = l.words.numbers(found, runes, pos)
	}
	out := found[:from]
	for _, s := range found[from:] {
		if l.rng.holds(s.value) {
			out = append(out, span{s.end, l.rng.value(s.value)})
		}
	}
	return out
}

// anySpans appends the same of all ranges that have the words of this one.
func (l *list) anySpans(found []span, runes []rune, pos int) []span {
	if l.find != nil {
		return l.find(found, runes, pos)
	}
	for _, fractions := range []bool{false, true} {
		if end, number, ok := readDigits(runes, pos, fractions); ok {
			found = append(found, span{end, number})
		}
	}
	if l.words != nil {
		found = l.words.numbers(found, runes, pos)
	}
	return found
}

// digitsBegin is what a number in digits can begin with.
func digitsBegin() (m mask) {
	for _, r := range "0123456789-" {
		m.add(r)
	}
	return m
}

// maxDigits is how long a number in digits may be.
const maxDigits = 15

// readDigits reads the longest number in digits at pos, with a sign, and with
// what follows a point or comma where fractions are wanted.
func readDigits(runes []rune, pos int, fractions bool) (end int, value float64, ok bool) {
	start := pos
	if pos < len(runes) && runes[pos] == '-' {
		pos++
	}
	whole := digitsEnd(runes, pos)
	if whole == pos || whole-pos > maxDigits {
		return 0, 0, false
	}
	end = whole
	if fractions && end < len(runes) && (runes[end] == '.' || runes[end] == ',') {
		if after := digitsEnd(runes, end+1); after > end+1 {
			end = after
		}
	}
	value, err := strconv.ParseFloat(strings.Replace(string(runes[start:end]), ",", ".", 1), 64)
	return end, value, err == nil && !math.IsInf(value, 0)
}

func digitsEnd(runes []rune, pos int) int {
	for pos < len(runes) && '0' <= runes[pos] && runes[pos] <= '9' {
		pos++
	}
	return pos
}

func skipBlanks(runes []rune, pos int) int {
	for pos < len(runes) && isBlank(runes[pos]) {
		pos++
	}
	return pos
}

// Lists are the values that one home gives to the lists of a grammar: the names
// of its entities, its areas and floors. They never change and are safe for
// concurrent use.
type Lists struct {
	lists map[string]*list
	wilds bool // some list is a wildcard
	heard atomic.Pointer[sounds]
}

// NewLists prepares the lists of a home. Templates that people did not write as
// templates, such as names, belong in Literal.
func NewLists(lists map[string]List) (*Lists, error) {
	c := &code{limit: maxGrammarNodes}
	s := newScope(c, nil, nil, lists, nil)
	out := &Lists{lists: make(map[string]*list, len(lists))}
	for name := range lists {
		l, err := s.list(name)
		if err != nil {
			return nil, err
		}
		out.lists[name] = l
		out.wilds = out.wilds || l.isWildcard()
	}
	c.done()
	return out, nil
}

func (l *Lists) get(name string) *list {
	if l == nil {
		return nil
	}
	return l.lists[name]
}

func (l *Lists) wild() bool { return l != nil && l.wilds }

// plainValue brings numbers to the one kind that slots hold.
func plainValue(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float32:
		return float64(v)
	}
	return v
}

func isWordEnd(runes []rune, pos int) bool {
	return pos >= len(runes) || !unicode.IsLetter(runes[pos]) && !unicode.IsMark(runes[pos])
}
