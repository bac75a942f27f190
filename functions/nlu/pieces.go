package nlu

import (
	"cmp"
	"slices"
)

// Pieces are run on their own: rules and the values of lists. What is found of
// them at a place of a text serves all templates.

// ruleEnds finds where a rule may end. The answer is kept for the other templates.
func (m *matcher) ruleEnds(v *view, c *code, p *subProgram, at state) extent {
	key := ruleKey{p, at.pos, at.start}
	if known, ok := v.rules[key]; ok {
		return known
	}
	cuts := m.cuts
	ends := m.piece(v, c, p, at)
	from := int32(len(m.ends)) //nolint:gosec // bounded by the steps
	m.ends = append(m.ends, ends...)
	found := extent{from, int32(len(m.ends))} //nolint:gosec // bounded by the steps
	if m.cuts == cuts {
		v.rules[key] = found
	}
	return found
}

// piece finds where a piece may end. The answer holds until the next question.
func (m *matcher) piece(v *view, c *code, p *subProgram, at state) []end {
	if !p.must.within(v.have) {
		return nil
	}
	r := m.enter(v, c, true)
	defer m.leave()
	r.walk(p.entry, int(at.pos), at.start, -1)
	return r.ends
}

// listEdges finds the values of a list that begin at a place. The answer is kept,
// but for one that was cut: sources share the lists of a home, and each has its
// own steps.
func (m *matcher) listEdges(v *view, l *list, at state) extent {
	key := listKey{l, at.pos, at.start}
	if known, ok := v.lists[key]; ok {
		return known
	}
	cuts := m.cuts
	base := len(m.values)
	switch {
	case l.isPhrase():
		m.phraseEdges(v, l, skipBlanks(v.runes, int(at.pos)))
	case l.isNumber():
		m.spans = l.spans(m.spans[:0], v.runes, skipBlanks(v.runes, int(at.pos)))
		for _, s := range m.spans {
			m.values = append(m.values, edge{end: int32(s.end), value: -1, number: s.value}) //nolint:gosec // a position
		}
	default:
		m.valueEdges(v, l, at)
	}
	from := int32(len(m.edges)) //nolint:gosec // bounded by the steps
	m.edges = append(m.edges, m.values[base:]...)
	m.values = m.values[:base]
	found := extent{from, int32(len(m.edges))} //nolint:gosec // bounded by the steps
	if m.cuts == cuts {
		v.lists[key] = found
	}
	return found
}

// phraseEdges adds to m.values the phrases that begin at a place. The number of such
// an edge says which of m.moments it stands for.
func (m *matcher) phraseEdges(v *view, l *list, pos int) {
	if pos == len(v.runes) {
		return
	}
	for _, p := range m.phrasesAt(v, l, pos) {
		i := slices.Index(m.moments, p.moment)
		if i < 0 {
			i = len(m.moments)
			m.moments = append(m.moments, p.moment)
		}
		m.values = append(m.values, edge{end: int32(p.end), value: -1, number: float64(i)}) //nolint:gosec // a position
	}
}

// phrasesAt finds the phrases that begin at a place. The answer is kept: both phases
// ask. It holds until the next question.
func (m *matcher) phrasesAt(v *view, l *list, pos int) []phrase {
	key := listKey{l, int32(pos), false} //nolint:gosec // a position
	found, known := v.phrases[key]
	if !known {
		found.from = int32(len(m.told)) //nolint:gosec // bounded by the steps
		m.told = append(m.told, m.phrases.read(l.phrases, v.runes, pos)...)
		found.to = int32(len(m.told)) //nolint:gosec // bounded by the steps
		v.phrases[key] = found
	}
	return m.told[found.from:found.to]
}

// valueEdges adds to m.values the values of a list that begin at a place.
func (m *matcher) valueEdges(v *view, l *list, at state) {
	pos := int(at.pos)
	if at.start {
		pos = skipBlanks(v.runes, pos)
	}
	if pos == len(v.runes) || l.keys == nil {
		return
	}
	// Within a word, a blank that an optional part left at the start of a value
	// means nothing either.
	at.start = at.start || !isBlank(v.runes[pos])
	base := len(m.hits)
	if m.quick {
		m.hits = l.hits(m.hits, v, pos)
		slices.SortFunc(m.hits[base:], func(a, b hit) int { return cmp.Compare(a.value, b.value) })
	} else {
		for i := range l.values {
			m.hits = append(m.hits, hit{value: int32(i)})
		}
	}
	last := int32(-1)
	for i, to := base, len(m.hits); i < to; i++ {
		value := m.hits[i].value // m.hits grows where lists are within lists
		if value == last {
			continue
		}
		last = value
		for _, e := range m.value(v, l, value, at) {
			if e.pos > at.pos {
				m.values = append(m.values, edge{end: e.pos, value: value})
			}
		}
	}
	m.hits = m.hits[:base]
}

// value finds where a value of a list may end. The answer holds until the next
// question.
func (m *matcher) value(v *view, l *list, value int32, at state) []end {
	p := l.values[value].piece
	if p == nil {
		return m.plain(v, l.keys.text(l.values[value].key), at)
	}
	pos := int(at.pos)
	if at.start {
		pos = skipBlanks(v.runes, pos)
	}
	if r := v.runes[pos]; !p.anyFirst && !p.first.has(r) && !isHyphen(r) { // a hyphen may be a blank
		return nil
	}
	return m.piece(v, l.code, p, at)
}

// plain is piece for a text without choices.
func (m *matcher) plain(v *view, words []rune, at state) []end {
	r := m.enter(v, nil, true)
	defer m.leave()
	pos, start, ok := int(at.pos), at.start, r.step()
	for ok && len(words) > 0 {
		if isBlank(words[0]) {
			pos, start, ok = v.blank(pos, start)
			words = words[1:]
			continue
		}
		n := slices.Index(words, ' ')
		if n < 0 {
			n = len(words)
		}
		pos, ok = v.text(words[:n], pos, start)
		start, words = false, words[n:]
	}
	if ok {
		r.ends = append(r.ends, end{int32(pos), start}) //nolint:gosec // a position
	}
	return r.ends
}
