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
	skipFirst    mask     // what they begin with
	ends         [4]bool  // the ends of its templates, see template.ends
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
			d.skipFirst.add(chars[0].r)
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
	have         mask               // of all runes
	rules        map[ruleKey]extent // of matcher.ends
	lists        map[listKey]extent // of matcher.edges
	phrases      map[listKey]extent // of matcher.told
}

// extent is a part of one of the matcher's slices.
type extent struct{ from, to int32 }

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
	solid   []char // where blanks mean nothing: the text without them
	whole   view
	found   []interval // skip words
	skipped [4]skipped // by the ends that keep theirs
}

// skipped is a text without its skip words.
type skipped struct {
	known, differs bool // differs from the whole text
	chars          []char
	view           view
}

// read makes ready for a text, in memory that served for another.
func (vs *views) read(d *dialect, source string, chars []char) {
	if d.ignoreBlanks {
		vs.solid = appendSolid(vs.solid[:0], chars)
		chars = vs.solid
	}
	vs.d, vs.source = d, source
	vs.whole.read(d, source, chars)
	vs.found = d.findSkipWords(vs.whole.runes, vs.found[:0])
	for i := range vs.skipped {
		vs.skipped[i].known = false
	}
}

func (v *view) read(d *dialect, source string, chars []char) {
	v.source, v.chars, v.ignoreBlanks = source, chars, d.ignoreBlanks
	v.runes, v.have = v.runes[:0], mask{}
	for _, c := range chars {
		v.runes = append(v.runes, c.r)
		v.have.add(c.r)
	}
	if v.rules == nil {
		v.rules, v.lists, v.phrases = make(map[ruleKey]extent), make(map[listKey]extent), make(map[listKey]extent)
	}
}

// forget drops all that is known of the text, and returns how much it was.
func (vs *views) forget() int {
	known := vs.whole.forget()
	for i := range vs.skipped {
		known = max(known, vs.skipped[i].view.forget())
	}
	vs.source = ""
	return known
}

func (v *view) forget() int {
	known := max(len(v.rules), len(v.lists), len(v.phrases))
	clear(v.rules)
	clear(v.lists)
	clear(v.phrases)
	v.source = ""
	return known
}

// ends tells at which ends a template keeps skip words, since a wildcard may
// stand there: 1 the start, 2 the end, 3 both.
func (t *template) ends() int {
	ends := 0
	if t.wildStart {
		ends |= 1
	}
	if t.wildEnd {
		ends |= 2
	}
	return ends
}

// without returns the text without its skip words but those that are kept, nil
// where it has none.
func (vs *views) without(ends int) *view {
	if len(vs.found) == 0 {
		return nil
	}
	s := &vs.skipped[ends]
	if !s.known {
		s.chars = vs.removeSkipWords(s.chars[:0], ends&1 != 0, ends&2 != 0)
		s.known, s.differs = true, len(s.chars) < len(vs.whole.chars)
		if s.differs {
			s.view.read(vs.d, vs.source, s.chars)
		}
	}
	if !s.differs {
		return nil
	}
	return &s.view
}

type interval struct{ from, to int }

// removeSkipWords appends to out what is left of the text.
func (vs *views) removeSkipWords(out []char, keepStart, keepEnd bool) []char {
	chars, found := vs.whole.chars, vs.found
	between := 1 // the blank between two words
	if vs.d.ignoreBlanks {
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
	at := 0
	for _, f := range found {
		out = append(out, chars[at:f.from]...)
		at = f.to
	}
	return squeeze(append(out, chars[at:]...))
}

// findSkipWords goes through the text from its start, the longest word first:
// whole words, or anywhere where blanks mean nothing.
func (d *dialect) findSkipWords(runes []rune, found []interval) []interval {
	for at := 0; at < len(runes); at++ {
		if !d.skipFirst.has(runes[at]) || !d.ignoreBlanks && at > 0 && isWordRune(runes[at-1]) {
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

func dropBlanks(chars []char) []char { return appendSolid(nil, chars) }

// appendSolid appends the characters that are not blanks.
func appendSolid(out, chars []char) []char {
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

// hasAt is false only where the word cannot match at pos, within a word.
func (v *view) hasAt(word []rune, pos int) bool {
	return len(word) == 0 || isMark(word[0]) || pos < len(v.runes) && v.runes[pos] == word[0]
}

// text matches a word, or a part of one, at pos. A mark in it may be missing at
// the edge of a word, where the text has lost its own.
func (v *view) text(word []rune, pos int, start bool) (int, bool) {
	if start {
		pos = skipBlanks(v.runes, pos)
	}
	if to, ok := v.prefix(word, pos); ok || !start {
		return to, ok
	}
	// A hyphen at the start of a word may be a blank.
	from := pos
	for pos < len(v.runes) && (isBlank(v.runes[pos]) || isHyphen(v.runes[pos])) {
		pos++
	}
	if pos == from {
		return 0, false
	}
	return v.prefix(word, pos)
}

func (v *view) prefix(word []rune, pos int) (int, bool) {
	for _, r := range word {
		if pos < len(v.runes) && v.runes[pos] == r {
			pos++
			continue
		}
		atEdge := pos == 0 || pos >= len(v.runes) || isBlank(v.runes[pos]) || isBlank(v.runes[pos-1])
		if !isMark(r) || !atEdge && !v.ignoreBlanks {
			return 0, false
		}
	}
	return pos, true
}

// blank matches a blank of a template.
func (v *view) blank(pos int, start bool) (int, bool, bool) {
	switch {
	case start, v.ignoreBlanks, pos >= len(v.runes):
		return pos, start, true
	case isBlank(v.runes[pos]), isHyphen(v.runes[pos]):
		return pos + 1, true, true
	}
	return 0, false, false
}
