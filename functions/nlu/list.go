package nlu

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// span is a number, or what stands for one, that was read from a text.
type span struct {
	end   int
	value float64
}

// finder reads the values that begin at a position of a folded text. It is the
// seam for built-in lists: a finder is all that one needs.
type finder func(runes []rune, pos int) []span

// numberReader reads numbers that are written in words.
type numberReader interface {
	// numbers returns every number that begins at pos, "twenty" and "twenty five".
	numbers(runes []rune, pos int) []span
}

// listBuiltin is the kind of a list that a finder reads.
const listBuiltin ListKind = -1

// list is the compiled form of a List.
type list struct {
	kind    ListKind
	code    *code // of the values
	values  []listValue
	byFirst map[uint8][]int32 // values by what they can begin with, hashed
	rng     *Range
	words   numberReader // of a range; nil: digits alone
	find    finder       // of a built-in list
}

type listValue struct {
	subProgram
	out     any // nil: the words that matched
	context map[string]any
}

// edge is one way through a list: the value, and where the text goes on.
type edge struct {
	end    int32
	value  int32 // index of a listValue, -1: number
	number float64
}

func hashRune(r rune) uint8 { return uint8(uint32(r) * 2654435761 >> 24) } //nolint:gosec // a hash

func (l *list) add(v listValue) {
	if l.byFirst == nil {
		l.byFirst = make(map[uint8][]int32)
	}
	index := int32(len(l.values)) //nolint:gosec // limited by the size of the grammar
	for h := range 256 {
		if v.anyFirst || v.first[h>>6]&(1<<(h&63)) != 0 {
			l.byFirst[uint8(h)] = append(l.byFirst[uint8(h)], index)
		}
	}
	l.values = append(l.values, v)
}

func (l *list) isWildcard() bool { return l.kind == ListWildcard }

func (l *list) traits() traits {
	switch {
	case l.find != nil, l.kind == ListRange, l.kind == ListHome:
		return traits{anyFirst: true}
	case l.kind == ListWildcard:
		return traits{anyFirst: true, wildStart: true, wildEnd: true}
	case len(l.values) == 0:
		return traits{anyFirst: true}
	}
	t := l.values[0].traits
	for _, v := range l.values[1:] {
		t = t.either(v.traits)
	}
	return t
}

// rangeEdges reads the numbers of a range: digits if there are any, else words.
func (l *list) rangeEdges(runes []rune, pos int) []edge {
	if end, number, ok := readDigits(runes, pos, l.rng.Fractions != FractionsNone); ok {
		if !l.rng.holds(number) {
			return nil
		}
		return []edge{{end: int32(end), value: -1, number: l.rng.value(number)}} //nolint:gosec // a position
	}
	if l.words == nil {
		return nil
	}
	var edges []edge
	for _, s := range l.words.numbers(runes, pos) {
		if l.rng.holds(s.value) {
			edges = append(edges, edge{end: int32(s.end), value: -1, number: l.rng.value(s.value)}) //nolint:gosec // a position
		}
	}
	return edges
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
	}
	return out, nil
}

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
