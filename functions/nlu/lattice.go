package nlu

import "slices"

// maxPlaces bounds the states that one text may lead to, at all its places.
const maxPlaces = 20_000

// lattice is the way of a text through the states of a net: at each of its places
// the states that it may be in, since a list may end in several places.
type lattice struct {
	heads  []int32 // by place: index in places; -1: none
	places []place
	ends   []int32     // of list values
	memo   []endsFound // by symbol: what was found last
	round  int32
	last   int // the last place that has states
}

type place struct {
	state *dfaState
	next  int32 // another state of the same place; -1: none
}

type endsFound struct {
	round, pos int32
	extent
}

func (l *lattice) begin(length, symbols int) {
	l.heads = slices.Grow(l.heads[:0], length+1)[:length+1]
	for i := range l.heads {
		l.heads[i] = -1
	}
	l.places, l.ends = l.places[:0], l.ends[:0]
	if len(l.memo) < symbols {
		l.memo, l.round = make([]endsFound, symbols), 0
	}
	l.round++
	l.last = 0
}

// enter notes that the text may be in a state at a place.
func (l *lattice) enter(pos int, s *dfaState) {
	if s.isDead() {
		return
	}
	for i := l.heads[pos]; i >= 0; i = l.places[i].next {
		if l.places[i].state == s {
			return
		}
	}
	l.places = append(l.places, place{s, l.heads[pos]})
	l.heads[pos] = int32(len(l.places) - 1) //nolint:gosec // bounded
	l.last = max(l.last, pos)
}

// read appends the templates that may match a view, in order; false: that would
// be too much work to find out.
func (m *matcher) read(d *dfa, v *view, found []int32) ([]int32, bool) {
	for range 2 { // again where the cache was full
		c := d.cache()
		all, ok := m.follow(c, v, found)
		clear(m.lattice.places) // states that are forgotten elsewhere are not held here
		if ok {
			return all, true
		}
		if !c.full.Load() {
			break
		}
	}
	return found, false
}

func (m *matcher) follow(c *cache, v *view, found []int32) ([]int32, bool) {
	l := &m.lattice
	n := c.dfa.net
	l.begin(len(v.runes), len(n.symbols))
	l.enter(0, c.start)
	work := 0
	for pos := 0; pos <= l.last; pos++ {
		if pos == len(v.runes) {
			return m.atEnd(c, found), true
		}
		class := n.classes.of(v.runes[pos])
		for i := l.heads[pos]; i >= 0; i = l.places[i].next {
			s := l.places[i].state
			to := s.next(class)
			if to == nil {
				if to = c.read(s, class, &work); to == nil {
					return found, false
				}
			}
			l.enter(pos+1, to)
			if len(s.lists) > 0 && !m.lists(c, v, pos, s, &work) {
				return found, false
			}
		}
		if len(l.places) > maxPlaces {
			return found, false
		}
	}
	return found, true
}

// lists goes on behind the values of the lists that a state takes.
func (m *matcher) lists(c *cache, v *view, pos int, s *dfaState, work *int) bool {
	for i := range s.lists {
		a := &s.lists[i]
		ends := m.listEnds(c.dfa.net, v, a.symbol, pos)
		if ends.from == ends.to {
			continue
		}
		to := a.to.Load()
		if to == nil {
			if to = c.take(s, a, work); to == nil {
				return false
			}
		}
		for _, end := range m.lattice.ends[ends.from:ends.to] {
			m.lattice.enter(int(end), to)
		}
	}
	return m.cuts == 0
}

// atEnd appends the templates that may end where the text does.
func (m *matcher) atEnd(c *cache, found []int32) []int32 {
	from := len(found)
	for i := m.lattice.heads[len(m.lattice.heads)-1]; i >= 0; i = m.lattice.places[i].next {
		found = append(found, c.end(m.lattice.places[i].state)...)
	}
	slices.Sort(found[from:])
	return found[:from+len(slices.Compact(found[from:]))]
}

// listEnds finds where a value of a list may end that begins at a place.
func (m *matcher) listEnds(n *net, v *view, symbol int32, pos int) extent {
	l := &m.lattice
	known := &l.memo[symbol]
	if known.round == l.round && known.pos == int32(pos) { //nolint:gosec // a position
		return known.extent
	}
	from := len(l.ends)
	list := n.symbols[symbol].list
	if list == nil {
		list = m.ctx.Lists.get(n.symbols[symbol].home)
	}
	if list != nil {
		m.findEnds(v, list, pos)
	}
	*known = endsFound{l.round, int32(pos), extent{int32(from), int32(len(l.ends))}} //nolint:gosec // positions
	return known.extent
}

func (m *matcher) findEnds(v *view, list *list, pos int) {
	l := &m.lattice
	at := skipBlanks(v.runes, pos)
	if at == len(v.runes) {
		return
	}
	switch {
	case list.isNumber():
		if !list.first.has(v.runes[at]) {
			return
		}
		if list.isPhrase() {
			for _, p := range m.phrasesAt(v, list, at) {
				l.ends = append(l.ends, int32(p.end)) //nolint:gosec // a position
			}
			return
		}
		m.spans = list.anySpans(m.spans[:0], v.runes, at)
		for _, s := range m.spans {
			l.ends = append(l.ends, int32(s.end)) //nolint:gosec // a position
		}
	case list.keys != nil:
		m.findValues(v, list, pos)
	}
}

func (m *matcher) findValues(v *view, list *list, pos int) {
	base := len(m.hits)
	m.hits = list.keys.hits(m.hits, v, pos)
	last := int32(-1)
	for _, h := range m.hits[base:] {
		if h.end != last { // else a value with the same words
			m.lattice.ends = append(m.lattice.ends, h.end)
		}
		last = h.end
	}
	m.hits = m.hits[:base]
	for _, i := range list.keys.loose {
		m.looseEnds(v, list, i, pos)
	}
}

// looseEnds runs the program of a value, at the start of a word and within one.
func (m *matcher) looseEnds(v *view, list *list, value int32, pos int) {
	for _, start := range []bool{true, false} {
		if !start && !isBlank(v.runes[pos]) {
			break // the same as at a start
		}
		for _, e := range m.value(v, list, value, state{pos: int32(pos), start: start}) { //nolint:gosec // a position
			if int(e.pos) > pos {
				m.lattice.ends = append(m.lattice.ends, e.pos)
			}
		}
	}
}
