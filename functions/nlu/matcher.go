package nlu

// Bounds on the memory that is kept for the next text.
const (
	maxKept    = 4096 // captures, ends or edges
	maxKeptMap = 512
)

// matcher is the work on one text. Its memory is used again for the next one.
type matcher struct {
	g        *Grammar
	ctx      *Context
	steps    int // left to the source whose turn it is
	cuts     int // steps that were refused
	captures []captured
	interned map[captured]int32
	ends     []end  // of rules, see view.rules
	edges    []edge // of lists, see view.lists
	chain    []int32
	runs     []*run // one within the other, of which depth are at work
	depth    int
	fold     folder
	views    []views // by dialect
	read     []bool  // ... those that hold this text
}

// matcher makes ready for a text.
func (g *Grammar) matcher(ctx *Context) *matcher {
	m, ok := g.matchers.Get().(*matcher)
	if !ok {
		m = &matcher{
			g: g, interned: make(map[captured]int32),
			views: make([]views, len(g.dialects)), read: make([]bool, len(g.dialects)),
		}
	}
	m.ctx = ctx
	clear(m.read)
	m.ends, m.edges = m.ends[:0], m.edges[:0]
	return m
}

// release keeps the memory for another text, unless it has become much.
func (g *Grammar) release(m *matcher) {
	if cap(m.captures) > maxKept || cap(m.ends) > maxKept || cap(m.edges) > maxKept {
		return
	}
	m.ctx = nil
	g.matchers.Put(m)
}

// texts returns the views of the text in a dialect.
func (m *matcher) texts(dialect int, text string, chars []char) *views {
	vs := &m.views[dialect]
	if !m.read[dialect] {
		m.read[dialect] = true
		vs.read(m.g.dialects[dialect], text, chars)
	}
	return vs
}

// begin makes ready for the next source, of which nothing is found yet.
func (m *matcher) begin(steps int) {
	m.steps, m.cuts = steps, 0
	m.captures = m.captures[:0]
	clear(m.interned)
}

// enter makes ready for a run, perhaps within another.
func (m *matcher) enter(v *view, c *code, quiet bool) *run {
	if m.depth == len(m.runs) {
		m.runs = append(m.runs, &run{m: m})
	}
	r := m.runs[m.depth]
	m.depth++
	r.v, r.code, r.quiet, r.unsure, r.steps = v, c, quiet, false, 0
	r.ends, r.whole = r.ends[:0], r.whole[:0]
	return r
}

// leave ends the innermost run. What it found holds until the next one.
func (m *matcher) leave() {
	m.depth--
	r := m.runs[m.depth]
	r.v, r.code = nil, nil
	if len(r.seen) > maxKeptMap {
		r.dead, r.seen = nil, nil
	}
	clear(r.dead)
	clear(r.seen)
}
