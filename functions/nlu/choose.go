package nlu

import (
	"cmp"
	"slices"
)

// candidate is a template that may match: the text as it is, the text without
// its skip words, or both.
type candidate struct {
	template    int32
	whole, rest bool
}

// choice is which templates of the sources of a dialect may match.
type choice struct {
	made  bool
	all   bool // it was not found out
	found []candidate
	left  []candidate // of sources that were not asked yet
}

// choose finds the templates that may match, for sources of a dialect.
func (m *matcher) choose(dialect int, texts *views) *choice {
	c := &m.choices[dialect]
	if c.made {
		return c
	}
	c.made, c.found = true, c.found[:0]
	for _, i := range m.g.always {
		c.found = append(c.found, candidate{template: i, whole: true, rest: true})
	}
	m.begin(maxSourceSteps)
	// A wildcard of a home may end anywhere: it has no place in the automaton.
	c.all = !m.quick || m.ctx.Lists.wild() || !m.chooseWhole(c, texts) || !m.chooseRest(c, dialect, texts)
	if !c.all {
		c.settle()
	}
	return c
}

func (m *matcher) chooseWhole(c *choice, texts *views) bool {
	accepted, ok := m.accept(m.g.automaton(texts.d), &texts.whole)
	for _, t := range accepted {
		c.found = append(c.found, candidate{template: t, whole: true})
	}
	return ok
}

// chooseRest looks at the text without its skip words, which may differ by the
// ends at which a template keeps them.
func (m *matcher) chooseRest(c *choice, dialect int, texts *views) bool {
	for ends, used := range texts.d.ends {
		v := texts.without(ends)
		if !used || v == nil {
			continue
		}
		accepted, ok := m.accept(m.g.automaton(texts.d), v)
		if !ok {
			return false
		}
		for _, i := range accepted {
			if t := &m.g.templates[i]; t.ends() == ends && t.source.dialect == dialect {
				c.found = append(c.found, candidate{template: i, rest: true})
			}
		}
	}
	return true
}

// reading is what an automaton accepts of a view.
type reading struct {
	d     *dfa
	runes []rune
	extent
}

// accept returns the templates that may match a view, in order; false: that would
// be too much work to find out. Views of several dialects are often the same.
func (m *matcher) accept(d *dfa, v *view) ([]int32, bool) {
	for _, r := range m.readings {
		if r.d == d && slices.Equal(r.runes, v.runes) {
			return m.accepted[r.from:r.to], true
		}
	}
	from := int32(len(m.accepted)) //nolint:gosec // bounded by the templates
	var ok bool
	if m.accepted, ok = m.read(d, v, m.accepted); !ok {
		return nil, false
	}
	to := int32(len(m.accepted)) //nolint:gosec // bounded by the templates
	m.readings = append(m.readings, reading{d, v.runes, extent{from, to}})
	return m.accepted[from:to], true
}

// settle brings the candidates in order, each once.
func (c *choice) settle() {
	slices.SortFunc(c.found, func(a, b candidate) int { return cmp.Compare(a.template, b.template) })
	out := c.found[:0]
	for _, f := range c.found {
		if n := len(out); n > 0 && out[n-1].template == f.template {
			out[n-1].whole = out[n-1].whole || f.whole
			out[n-1].rest = out[n-1].rest || f.rest
			continue
		}
		out = append(out, f)
	}
	c.found, c.left = out, out
}

// next returns the candidates of a source, when sources are asked in order.
func (c *choice) next(s *compiledSource) []candidate {
	for len(c.left) > 0 && int(c.left[0].template) < s.from {
		c.left = c.left[1:]
	}
	n := 0
	for n < len(c.left) && int(c.left[n].template) < s.to {
		n++
	}
	found := c.left[:n]
	c.left = c.left[n:]
	return found
}
