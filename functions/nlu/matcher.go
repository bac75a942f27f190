package nlu

// Bounds on the memory that is kept for the next text: of each of its parts, and
// of the maps of one run, which take long to empty.
const (
	maxKept    = 4096
	maxKeptRun = 512
)

// matcher is the work on one text. Its memory is used again for the next one.
type matcher struct {
	g        *Grammar
	ctx      Context
	quick    bool // see Grammar.match
	steps    int  // left to the source whose turn it is, of those granted
	granted  int
	spent    int // by those whose turn it was
	cuts     int // steps that were refused
	captures []captured
	interned map[captured]int32
	ends     []end  // of rules, see view.rules
	edges    []edge // of lists, see view.lists
	values   []edge // of the lists at work, one within the other
	hits     []hit  // likewise
	spans    []span // of the last list of numbers
	phrases  phraseReader
	told     []phrase  // see view.phrases
	moments  []moment  // of the edges of this text
	chain    []int32   // see known
	knows    knowledge // likewise
	runs     []*run    // one within the other, of which depth are at work
	depth    int
	fold     folder
	views    []views   // by dialect
	held     []bool    // ... those that hold this text
	choices  []choice  // by dialect
	readings []reading // of this text
	accepted []int32   // templates, of readings
	lattice  lattice
}

// matcher makes ready for a text.
func (g *Grammar) matcher(ctx Context) *matcher {
	m, ok := g.matchers.Get().(*matcher)
	if !ok {
		m = &matcher{
			g: g, interned: make(map[captured]int32),
			views: make([]views, len(g.dialects)), held: make([]bool, len(g.dialects)), choices: make([]choice, len(g.dialects)),
		}
	}
	m.ctx = ctx
	clear(m.held)
	for i := range m.choices {
		m.choices[i].made = false
	}
	m.ends, m.edges, m.told, m.moments = m.ends[:0], m.edges[:0], m.told[:0], m.moments[:0]
	m.readings, m.accepted = m.readings[:0], m.accepted[:0]
	m.steps, m.granted, m.spent = 0, 0, 0
	return m
}

// release keeps the memory for another text, unless it has become much. Nothing
// of this text or its home stays in it.
func (g *Grammar) release(m *matcher) {
	kept := max(cap(m.captures), cap(m.ends), cap(m.edges), cap(m.hits), cap(m.told), cap(m.lattice.places))
	for i := range m.views {
		if m.held[i] {
			kept = max(kept, m.views[i].forget())
		}
	}
	if kept > maxKept {
		return
	}
	m.begin(0)
	m.ctx = Context{}
	clear(m.knows.carried)
	m.knows.told = nil
	g.matchers.Put(m)
}

// texts returns the views of the text in a dialect.
func (m *matcher) texts(dialect int, text string, chars []char) *views {
	vs := &m.views[dialect]
	if !m.held[dialect] {
		m.held[dialect] = true
		vs.read(m.g.dialects[dialect], text, chars)
	}
	return vs
}

// begin makes ready for the next source, of which nothing is found yet.
func (m *matcher) begin(steps int) {
	m.spent += m.granted - m.steps
	m.steps, m.granted, m.cuts = steps, steps, 0
	clear(m.captures)
	clear(m.interned)
	m.captures = m.captures[:0]
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
	if len(r.seen) > maxKeptRun {
		r.dead, r.seen = nil, nil
	}
	clear(r.dead)
	clear(r.seen)
}
