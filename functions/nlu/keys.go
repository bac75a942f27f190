package nlu

import (
	"cmp"
	"slices"
)

// Bounds on the texts that one value of a list may stand for to be found by
// them; a value that is more, or holds lists, is loose and always tried.
const (
	maxValueTexts = 64
	maxValueSteps = 2000
)

// keys find the values of a list that may begin at a place of a text: a trie,
// kept as what it would be built from, texts in order. They find too many rather
// than too few, since what is found is matched again.
type keys struct {
	runes  []rune  // of all texts
	from   []int32 // text i is runes[from[i]:from[i+1]]
	values []int32 // ... and stands for this value
	first  mask    // what the texts begin with
	marks  []rune  // those that the texts hold, and that may be missing
	loose  []int32 // values that have no texts here
}

// hit is a value that may stand up to an end.
type hit struct{ value, end int32 }

// newKeys makes the keys of the values of a list, of which some are plain texts.
func newKeys(c *code, values []listValue, plain [][]rune) *keys {
	type key struct {
		text  []rune
		value int32
	}
	var all []key
	k := &keys{}
	for i := range values {
		value := int32(i)
		if plain[i] != nil {
			all = append(all, key{plain[i], value})
			continue
		}
		x := expander{code: c, left: maxValueSteps}
		if !x.from(values[i].piece.entry, nil, nil) {
			k.loose = append(k.loose, value)
			continue
		}
		for _, text := range x.texts {
			all = append(all, key{text, value})
		}
	}
	slices.SortFunc(all, func(a, b key) int { return cmp.Or(slices.Compare(a.text, b.text), cmp.Compare(a.value, b.value)) })
	all = slices.CompactFunc(all, func(a, b key) bool { return a.value == b.value && slices.Equal(a.text, b.text) })
	k.from, k.values = make([]int32, 1, len(all)+1), make([]int32, 0, len(all))
	for i, x := range all {
		values[x.value].key = int32(i)
		k.runes = append(k.runes, x.text...)
		k.from = append(k.from, int32(len(k.runes))) //nolint:gosec // limited by the size of the grammar
		k.values = append(k.values, x.value)
		k.look(x.text)
	}
	k.runes = slices.Clone(k.runes)
	return k
}

// look notes what a text begins with, and its marks.
func (k *keys) look(text []rune) {
	begun := false
	for _, r := range text {
		if !begun {
			k.first.add(r)
		}
		begun = begun || !isMark(r)
		if isMark(r) && !slices.Contains(k.marks, r) {
			k.marks = append(k.marks, r)
		}
	}
}

// expander lists the texts that a program without lists stands for.
type expander struct {
	code  *code
	texts [][]rune
	left  int // steps
}

// from follows the program from a node, behind what was read so far; within a
// rule, then goes on behind it. It is false for a program that stands for too
// many texts.
func (x *expander) from(n int32, text []rune, then func([]rune) bool) bool {
	if x.left--; x.left < 0 {
		return false
	}
	switch nd := &x.code.nodes[n]; nd.op {
	case opText:
		return x.from(nd.next, append(slices.Clip(text), x.code.text(nd)...), then)
	case opBlank:
		if n := len(text); n > 0 && !isBlank(text[n-1]) {
			text = append(slices.Clip(text), ' ')
		}
		return x.from(nd.next, text, then)
	case opSplit:
		return !slices.ContainsFunc(x.code.alts(nd), func(alt int32) bool { return !x.from(alt, text, then) })
	case opRule:
		return x.from(x.code.rule(nd).entry, text, func(text []rune) bool { return x.from(nd.next, text, then) })
	case opAccept:
		if then != nil {
			return then(text)
		}
		x.texts = append(x.texts, text)
		return len(text) > 0 && len(x.texts) <= maxValueTexts
	case opList:
	}
	return false
}

// hits appends what may begin at pos.
func (k *keys) hits(found []hit, v *view, pos int) []hit {
	if isBlank(v.runes[pos]) && k.first.has(' ') { // behind a mark that is missing
		found = k.walk(found, v, 0, len(k.values), 0, pos)
	}
	return k.wordStart(found, v, 0, len(k.values), 0, pos)
}

// wordStart goes on where a word starts: behind the blanks or, since a hyphen may
// be one, behind the hyphens too. A text begins as the sentence does in one of the
// two places only, so that no sentence has the texts gone through many times: of
// several hyphens in a row, one that is a name's own is found only at their beginning.
func (k *keys) wordStart(found []hit, v *view, lo, hi, depth, pos int) []hit {
	pos = skipBlanks(v.runes, pos)
	behind := pos
	for behind < len(v.runes) && (isBlank(v.runes[behind]) || isHyphen(v.runes[behind])) {
		behind++
	}
	for _, at := range []int{pos, behind} {
		if depth > 0 || at < len(v.runes) && k.first.has(v.runes[at]) {
			found = k.walk(found, v, lo, hi, depth, at)
		}
		if pos == behind {
			break
		}
	}
	return found
}

// walk goes on from texts lo to hi, which agree in what stands before depth.
func (k *keys) walk(found []hit, v *view, lo, hi, depth, pos int) []hit {
	for {
		for lo < hi && k.length(lo) == depth {
			found = append(found, hit{k.values[lo], int32(pos)}) //nolint:gosec // a position
			lo++
		}
		if lo >= hi {
			return found
		}
		for _, mark := range k.marks {
			if pos < len(v.runes) && v.runes[pos] == mark {
				continue
			}
			if from, to := k.narrow(lo, hi, depth, mark); from < to {
				found = k.walk(found, v, from, to, depth+1, pos)
			}
		}
		found = k.blank(found, v, lo, hi, depth, pos)
		if pos == len(v.runes) || isBlank(v.runes[pos]) {
			return found
		}
		lo, hi = k.narrow(lo, hi, depth, v.runes[pos])
		depth++
		pos++
	}
}

// blank goes on with the texts that have a blank at depth.
func (k *keys) blank(found []hit, v *view, lo, hi, depth, pos int) []hit {
	if k.runeAt(lo, depth) > ' ' { // nothing is before it
		return found
	}
	if lo, hi = k.narrow(lo, hi, depth, ' '); lo == hi {
		return found
	}
	switch {
	case v.ignoreBlanks, pos == len(v.runes):
		return k.walk(found, v, lo, hi, depth+1, pos)
	case isBlank(v.runes[pos]), isHyphen(v.runes[pos]):
		return k.wordStart(found, v, lo, hi, depth+1, pos+1)
	}
	return found
}

func (k *keys) text(i int32) []rune { return k.runes[k.from[i]:k.from[i+1]] }

func (k *keys) length(i int) int { return int(k.from[i+1] - k.from[i]) }

func (k *keys) runeAt(i, depth int) rune { return k.runes[int(k.from[i])+depth] }

// narrow finds, among texts longer than depth, those that go on with r.
func (k *keys) narrow(lo, hi, depth int, r rune) (from, to int) {
	from = k.search(lo, hi, depth, r)
	return from, k.search(from, hi, depth, r+1)
}

// search finds the first text that goes on with r or what is behind it.
func (k *keys) search(lo, hi, depth int, r rune) int {
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if k.runeAt(mid, depth) < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
