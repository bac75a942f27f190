package nlu

import (
	"slices"
	"unicode"
)

// isKnown tells of a piece of a text that it was heard well, whatever else it
// sounds like: it is a name of the home, a value of a list, a room that this home
// may not have, or made of words that sentences are made of.
func (w *guesser) isKnown(runes []rune) bool {
	l := w.g.language
	for _, list := range w.ctx.Lists.lists {
		if list.keys != nil && list.keys.holds(runes) {
			return true
		}
	}
	if w.g.isWord(runes) || l != nil && l.isRoom(runes) {
		return true
	}
	words := l.wordsOf(runes)
	return len(words) > 1 && !slices.ContainsFunc(words, func(x word) bool { return !w.g.isWord(runes[x.from:x.to]) })
}

// isWord tells of a piece of a template, or a value of a list.
func (g *Grammar) isWord(runes []rune) bool {
	if g.literals()[string(runes)] {
		return true
	}
	for _, s := range g.automata[0].net.symbols {
		if s.list != nil && s.list.keys != nil && s.list.keys.holds(runes) {
			return true
		}
	}
	return false
}

// findLiterals lists the pieces that templates are written with.
func (g *Grammar) findLiterals() map[string]bool {
	literals := make(map[string]bool)
	for i := range g.code.nodes {
		if nd := &g.code.nodes[i]; nd.op == opText {
			literals[string(g.code.text(nd))] = true
		}
	}
	return literals
}

// isRoom tells of a word for a room.
func (l *language) isRoom(runes []rune) bool {
	word := Fold(string(runes))
	for _, words := range l.file.Rooms {
		for _, w := range words {
			if len(w) == len(word) && Fold(w) == word {
				return true
			}
		}
	}
	return false
}

// holds tells whether a text is one of the keys.
func (k *keys) holds(text []rune) bool {
	lo, hi := 0, len(k.values)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := slices.Compare(k.text(int32(mid)), text); { //nolint:gosec // limited by the keys
		case c == 0:
			return true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return false
}

// names finds where names of the home stand in a text.
func (l *Lists) names(runes []rune, lang *language) []interval {
	if l == nil {
		return nil
	}
	var found []interval
	var hits []hit
	v := &view{runes: runes, ignoreBlanks: lang != nil && lang.file.IgnoreBlanks}
	for pos, r := range runes {
		if isBlank(r) || pos > 0 && isSpelled(r) && isSpelled(runes[pos-1]) {
			continue
		}
		for _, list := range l.lists {
			if list.keys == nil {
				continue
			}
			hits = list.keys.hits(hits[:0], v, pos)
			for _, h := range hits {
				if end := int(h.end); end == len(runes) || !isSpelled(runes[end]) || !unicode.IsLetter(runes[end-1]) {
					found = append(found, interval{pos, end})
				}
			}
		}
	}
	return found
}
