package nlu

import "encoding/binary"

// symbol is a list as a net sees it: lists with the same words are the same, and
// any number is in any range.
type symbol struct {
	list *list
	home string // instead: the name of a list of the home
}

// wildSymbol is that of lists that take any text, which is read by characters.
const wildSymbol = -1

// symbolKey is equal for equal symbols.
type symbolKey struct {
	home, builtin, texts string
	words                numberReader
	kind                 ListKind
	own                  *list
}

func (s *symbol) key() symbolKey {
	l := s.list
	switch {
	case l == nil:
		return symbolKey{home: s.home}
	case l.kind == listBuiltin:
		return symbolKey{kind: l.kind, builtin: l.builtin}
	case l.kind == ListRange:
		return symbolKey{kind: l.kind, words: l.words}
	case l.keys == nil || len(l.keys.loose) > 0:
		return symbolKey{kind: l.kind, own: l}
	}
	return symbolKey{kind: l.kind, texts: l.keys.fingerprint()}
}

// fingerprint is equal for the same texts.
func (k *keys) fingerprint() string {
	var b []byte
	for i := range k.values {
		b = binary.AppendUvarint(b, uint64(k.from[i+1]-k.from[i])) //nolint:gosec // not below zero
	}
	return string(b) + "\x00" + string(k.runes)
}

// classes number the characters that templates hold. Class 0 is all others.
type classes struct {
	ascii  [128]int32
	others map[rune]int32
	runes  []rune // by class
}

func newClasses() classes { return classes{others: make(map[rune]int32), runes: []rune{-1}} }

func (c *classes) add(r rune) {
	if c.of(r) > 0 {
		return
	}
	class := int32(len(c.runes)) //nolint:gosec // there are fewer characters
	c.runes = append(c.runes, r)
	if r >= 0 && int(r) < len(c.ascii) {
		c.ascii[r] = class
		return
	}
	c.others[r] = class
}

func (c *classes) of(r rune) int32 {
	if r >= 0 && int(r) < len(c.ascii) {
		return c.ascii[r]
	}
	return c.others[r]
}

// newNet prepares the templates of a grammar.
func newNet(g *Grammar) *net {
	n := &net{code: &g.code, templates: g.templates, classes: newClasses()}
	for _, r := range " -_" {
		n.classes.add(r)
	}
	for _, r := range g.code.words {
		n.classes.add(r)
	}
	n.findSymbols(g.code.lists)
	for i := range g.templates {
		n.accepts = append(n.accepts, g.templates[i].last)
	}
	return n
}

// findSymbols numbers the lists. Most uses are of a list that was met before.
func (n *net) findSymbols(uses []*listNode) {
	known, met := make(map[symbolKey]int32), make(map[symbol]int32)
	for _, use := range uses {
		if use.list != nil && use.list.isWildcard() {
			n.symbolOf = append(n.symbolOf, wildSymbol)
			continue
		}
		s := symbol{list: use.list, home: use.home}
		number, again := met[s]
		if !again {
			key := s.key()
			if number, again = known[key]; !again {
				number = int32(len(n.symbols)) //nolint:gosec // limited by the size of the grammar
				n.symbols = append(n.symbols, s)
			}
			known[key], met[s] = number, number
		}
		n.symbolOf = append(n.symbolOf, number)
	}
}
