package nlu

// A template becomes a program: nodes that point forward, as in a Thompson
// automaton, with a word, not a character, to a node.

type op uint8

const (
	opAccept op = iota
	opText      // a word or a part of one
	opBlank
	opSplit // to each of alts
	opRule  // a rule without slots, shared by all templates
	opList
)

type node struct {
	op   op
	next int32
	text []rune
	alts []int32
	rule *subProgram
	list *listNode
}

// listNode is one use of a list.
type listNode struct {
	list    *list
	home    string // instead: the name of a list of the home
	slot    string
	capture bool
}

// code is an arena of nodes.
type code struct {
	nodes []node
	limit int
}

func (c *code) add(n node) int32 {
	c.nodes = append(c.nodes, n)
	return int32(len(c.nodes) - 1) //nolint:gosec // limited far below
}

// subProgram is a piece that is run on its own: where may it end?
type subProgram struct {
	entry int32
	traits
}

// mask is a small Bloom filter of characters.
type mask [4]uint64

func (m *mask) add(r rune) {
	h := uint32(r) * 2654435761 >> 24 //nolint:gosec // a hash
	m[h>>6] |= 1 << (h & 63)
}

func (m mask) has(r rune) bool {
	h := uint32(r) * 2654435761 >> 24 //nolint:gosec // a hash
	return m[h>>6]&(1<<(h&63)) != 0
}

func (m mask) or(o mask) mask {
	for i := range m {
		m[i] |= o[i]
	}
	return m
}

func (m mask) and(o mask) mask {
	for i := range m {
		m[i] &= o[i]
	}
	return m
}

// within tells whether every character of m may be in o.
func (m mask) within(o mask) bool {
	for i := range m {
		if m[i]&^o[i] != 0 {
			return false
		}
	}
	return true
}

// traits are what is known of all texts that a piece can match, so that most
// templates are passed over without being run.
type traits struct {
	must      mask // characters that are in every text
	first     mask // what a text can begin with
	anyFirst  bool // first is not known
	empty     bool // the empty text matches
	wildStart bool // a wildcard may stand at the start
	wildEnd   bool // a wildcard may stand at the end
}

func textTraits(word []rune) traits {
	t := traits{empty: true}
	for _, r := range word {
		if t.empty {
			t.first.add(r)
		}
		if isMark(r) { // it may be missing
			continue
		}
		t.empty = false
		t.must.add(r)
	}
	return t
}

// then is the traits of t followed by o.
func (t traits) then(o traits) traits {
	out := traits{
		must: t.must.or(o.must), first: t.first, anyFirst: t.anyFirst, empty: t.empty && o.empty,
		wildStart: t.wildStart || t.empty && o.wildStart,
		wildEnd:   o.wildEnd || o.empty && t.wildEnd,
	}
	if t.empty {
		out.first = t.first.or(o.first)
		out.anyFirst = t.anyFirst || o.anyFirst
	}
	return out
}

// either is the traits of t or o.
func (t traits) either(o traits) traits {
	return traits{
		must: t.must.and(o.must), first: t.first.or(o.first), anyFirst: t.anyFirst || o.anyFirst,
		empty: t.empty || o.empty, wildStart: t.wildStart || o.wildStart, wildEnd: t.wildEnd || o.wildEnd,
	}
}

// mayMatch is false only where the text cannot match.
func (t *traits) mayMatch(v *view) bool {
	if !t.must.within(v.have) {
		return false
	}
	if t.anyFirst || t.empty || len(v.runes) == 0 || isHyphen(v.runes[0]) {
		return true
	}
	return t.first.has(v.runes[0])
}
