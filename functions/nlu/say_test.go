package nlu

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// Templates counts the templates, for the tests of vectors.
func (g *Grammar) Templates() int { return len(g.templates) }

// Say makes a sentence that a template stands for, more or less: blanks are at
// times something else, and a character may be missing.
func (g *Grammar) Say(rng *rand.Rand, template int, home *Lists) string {
	s := sayer{rng: rng, home: home}
	s.program(&g.code, g.templates[template].entry)
	text := []rune(s.said.String())
	if at := rng.IntN(3*len(text) + 1); at < len(text) {
		text = append(text[:at], text[at+1:]...)
	}
	return string(text)
}

type sayer struct {
	rng  *rand.Rand
	home *Lists
	said strings.Builder
}

func (s *sayer) program(c *code, n int32) {
	for {
		nd := &c.nodes[n]
		switch nd.op {
		case opAccept:
			return
		case opText:
			s.said.WriteString(string(c.text(nd)))
		case opBlank:
			blanks := []string{" ", " ", " ", " ", " ", " ", "-", "", ", "}
			s.said.WriteString(blanks[s.rng.IntN(len(blanks))])
		case opSplit:
			alts := c.alts(nd)
			n = alts[s.rng.IntN(len(alts))]
			continue
		case opRule:
			s.program(c, c.rule(nd).entry)
		case opList:
			s.list(c.list(nd))
		}
		n = nd.next
	}
}

func (s *sayer) list(use *listNode) {
	l := use.list
	if l == nil {
		l = s.home.get(use.home)
	}
	switch {
	case l == nil:
	case l.isWildcard():
		words := []string{"bread and milk", "x", "please", "the kitchen", "12 eggs", "牛奶", "a.c."}
		s.said.WriteString(words[s.rng.IntN(len(words))])
	case l.isNumber():
		s.said.WriteString(strconv.Itoa(s.rng.IntN(101)))
	case len(l.values) > 0:
		value := &l.values[s.rng.IntN(len(l.values))]
		if value.piece == nil {
			s.said.WriteString(string(l.keys.text(value.key)))
			return
		}
		s.program(l.code, value.piece.entry)
	}
}
