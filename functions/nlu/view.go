package nlu

import (
	"slices"
	"strings"
	"unicode"
)

// dialect is how the sentences of a source read a text. Sources that agree share
// one, and with it all that was found out about a text.
type dialect struct {
	ignoreBlanks bool
	skip         [][]rune // skip words, longest first
}

func newDialect(s *Source, l *language) *dialect {
	d := &dialect{ignoreBlanks: s.IgnoreWhitespace}
	skip := s.SkipWords
	if l != nil {
		d.ignoreBlanks = d.ignoreBlanks || l.file.IgnoreBlanks
		if skip == nil {
			skip = l.file.SkipWords
		}
	}
	for _, w := range skip {
		chars := foldText(w)
		if d.ignoreBlanks {
			chars = dropBlanks(chars)
		}
		if len(chars) > 0 {
			d.skip = append(d.skip, runesOf(chars))
		}
	}
	slices.SortStableFunc(d.skip, func(a, b []rune) int { return len(b) - len(a) })
	return d
}

func (d *dialect) equal(o *dialect) bool {
	return d.ignoreBlanks == o.ignoreBlanks && slices.EqualFunc(d.skip, o.skip, slices.Equal)
}

// view is a text as templates see it: folded, with or without its skip words.
type view struct {
	source       string
	chars        []char
	runes        []rune
	ignoreBlanks bool
	have         mask // of all runes
	rules        map[ruleKey][]end
	lists        map[listKey][]edge
}

type ruleKey struct {
	rule  *subProgram
	pos   int32
	start bool
}

type listKey struct {
	list  *list
	pos   int32
	start bool
}

// views are the readings of one text in one dialect, made when first wanted.
type views struct {
	d       *dialect
	source  string
	whole   *view
	skipped map[[2]bool]*view // by what to keep: skip words at the start, at the end
}

func newViews(d *dialect, source string, chars []char) *views {
	if d.ignoreBlanks {
		chars = dropBlanks(chars)
	}
	return &views{d: d, source: source, whole: newView(d, source, chars), skipped: make(map[[2]bool]*view)}
}

func newView(d *dialect, source string, chars []char) *view {
	v := &view{
		source: source, chars: chars, runes: runesOf(chars), ignoreBlanks: d.ignoreBlanks,
		rules: make(map[ruleKey][]end), lists: make(map[listKey][]edge),
	}
	for _, r := range v.runes {
		v.have.add(r)
	}
	return v
}

// without returns the text without its skip words, nil where it has none.
func (vs *views) without(keepStart, keepEnd bool) *view {
	key := [2]bool{keepStart, keepEnd}
	if v, known := vs.skipped[key]; known {
		return v
	}
	var v *view
	if kept := vs.d.removeSkipWords(vs.whole.chars, keepStart, keepEnd); len(kept) < len(vs.whole.chars) {
		v = newView(vs.d, vs.source, kept)
	}
	vs.skipped[key] = v
	return v
}

type interval struct{ from, to int }

func (d *dialect) removeSkipWords(chars []char, keepStart, keepEnd bool) []char {
	found := d.findSkipWords(runesOf(chars))
	between := 1 // the blank between two words
	if d.ignoreBlanks {
		between = 0
	}
	if keepStart {
		for at := 0; len(found) > 0 && found[0].from <= at; found = found[1:] {
			at = found[0].to + between
		}
	}
	if keepEnd {
		for at := len(chars); len(found) > 0 && found[len(found)-1].to >= at; found = found[:len(found)-1] {
			at = found[len(found)-1].from - between
		}
	}
	if len(found) == 0 {
		return chars
	}
	var kept []char
	at := 0
	for _, f := range found {
		kept = append(kept, chars[at:f.from]...)
		at = f.to
	}
	return squeeze(append(kept, chars[at:]...))
}

// findSkipWords goes through the text from its start, the longest word first:
// whole words, or anywhere where blanks mean nothing.
func (d *dialect) findSkipWords(runes []rune) []interval {
	var found []interval
	for at := 0; at < len(runes); at++ {
		if !d.ignoreBlanks && at > 0 && isWordRune(runes[at-1]) {
			continue
		}
		for _, w := range d.skip {
			to := at + len(w)
			if to > len(runes) || !slices.Equal(runes[at:to], w) {
				continue
			}
			if d.ignoreBlanks || to == len(runes) || !isWordRune(runes[to]) {
				found = append(found, interval{at, to})
				at = to - 1
				break
			}
		}
	}
	return found
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_'
}

// words returns the original words of a span.
func (v *view) words(from, to int) string {
	for from < to && isBlank(v.runes[from]) {
		from++
	}
	if from >= to {
		return ""
	}
	return strings.TrimSpace(v.source[v.chars[from].start:v.chars[to-1].end])
}

// content returns what a wildcard took of the original, including the marks and
// the skip words inside and right before it: there they are content, "tell her
// would you please come".
func (v *view) content(from, to int) string {
	start, end := 0, len(v.source)
	if from > 0 {
		start = int(v.chars[from-1].end)
	}
	if to < len(v.chars) {
		end = int(v.chars[to].start)
	}
	if s := trimWords(v.source[start:max(start, end)]); s != "" {
		return s
	}
	return v.words(from, to)
}

// solid counts the characters of a span that are not blanks.
func (v *view) solid(from, to int) int {
	n := 0
	for _, r := range v.runes[from:to] {
		if !isBlank(r) {
			n++
		}
	}
	return n
}

func dropBlanks(chars []char) []char {
	out := make([]char, 0, len(chars))
	for _, c := range chars {
		if !isBlank(c.r) {
			out = append(out, c)
		}
	}
	return out
}

func runesOf(chars []char) []rune {
	out := make([]rune, len(chars))
	for i, c := range chars {
		out[i] = c.r
	}
	return out
}
