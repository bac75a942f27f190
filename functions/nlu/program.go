package nlu

import "slices"

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

// node is kept small, since there are many: what it holds is in its code.
type node struct {
	op       op
	next     int32
	from, to int32 // of code.words, code.ways; from alone: of code.rules, code.lists
}

// listNode is one use of a list.
type listNode struct {
	list    *list
	home    string // instead: the name of a list of the home
	slot    string
	capture bool
}

// code is an arena of nodes and what they hold.
type code struct {
	nodes []node
	words []rune
	ways  []int32
	rules []*subProgram
	lists []*listNode
	known map[string]int32 // words that are there already, while the code is made
	limit int
}

func (c *code) add(n node) int32 {
	c.nodes = append(c.nodes, n)
	return int32(len(c.nodes) - 1) //nolint:gosec // limited far below
}

func (c *code) addText(text []rune, next int32) int32 {
	from, again := c.known[string(text)]
	if !again {
		from = int32(len(c.words)) //nolint:gosec // limited by the nodes
		c.words = append(c.words, text...)
		if c.known == nil {
			c.known = make(map[string]int32)
		}
		c.known[string(text)] = from
	}
	return c.add(node{op: opText, next: next, from: from, to: from + int32(len(text))}) //nolint:gosec // limited by the template
}

func (c *code) addSplit(ways []int32) int32 {
	from := int32(len(c.ways)) //nolint:gosec // limited by the nodes
	c.ways = append(c.ways, ways...)
	return c.add(node{op: opSplit, from: from, to: from + int32(len(ways))}) //nolint:gosec // limited by the template
}

func (c *code) addRule(p *subProgram, next int32) int32 {
	c.rules = append(c.rules, p)
	return c.add(node{op: opRule, next: next, from: int32(len(c.rules) - 1)}) //nolint:gosec // limited by the nodes
}

func (c *code) addList(l *listNode, next int32) int32 {
	c.lists = append(c.lists, l)
	return c.add(node{op: opList, next: next, from: int32(len(c.lists) - 1)}) //nolint:gosec // limited by the nodes
}

// done frees what only the making of the code needs, and the room to grow.
func (c *code) done() {
	c.known = nil
	c.nodes, c.words, c.ways = slices.Clone(c.nodes), slices.Clone(c.words), slices.Clone(c.ways)
}

func (c *code) text(n *node) []rune      { return c.words[n.from:n.to] }
func (c *code) alts(n *node) []int32     { return c.ways[n.from:n.to] }
func (c *code) rule(n *node) *subProgram { return c.rules[n.from] }
func (c *code) list(n *node) *listNode   { return c.lists[n.from] }

// subProgram is a piece that is run on its own: where may it end?
type subProgram struct {
	entry int32
	size  int // see builder.size; not known of list values
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

// textTraits are those of words, between which a blank may be something else.
func textTraits(words []rune) traits {
	t := traits{empty: true}
	for _, r := range words {
		if isBlank(r) {
			continue
		}
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
	if len(v.runes) == 0 || !t.must.within(v.have) {
		return false
	}
	if t.anyFirst || t.empty || isHyphen(v.runes[0]) {
		return true
	}
	return t.first.has(v.runes[0])
}
