package nlu

import "slices"

// Bounds on the work for one text, whatever the text and the templates: on that
// of one source, so that no skill takes from another what it has; on one run, so
// that one bad template leaves work for the others of its source; and on all of
// it, which many sources share, but never to less than the least of each.
const (
	maxSourceSteps   = 100_000
	leastSourceSteps = 20_000
	maxSteps         = 2_000_000
	maxRunSteps      = 50_000
)

// sourceSteps is what each of n sources may take for one text.
func sourceSteps(n int) int {
	return min(maxSourceSteps, max(leastSourceSteps, maxSteps/max(n, 1)))
}

// memoAfter is how many steps a run takes before it begins to remember: most
// runs end within a few, and remembering costs more than they do.
const memoAfter = 128

// captured is a list value in a chain of such, newest first; the same chain has
// the same number, so that ways that differ in words alone are known to be one.
type captured struct {
	parent int32 // index in matcher.captures; -1: none
	use    *listNode
	list   *list
	from   int32
	edge   edge
}

// end is where a sub-program may end, and whether a word starts there.
type end struct {
	pos   int32
	start bool
}

// run walks one program over a view.
type run struct {
	m      *matcher
	v      *view
	code   *code
	quiet  bool // of a piece: where it may end is wanted, captures are not
	unsure bool // a way was given up for another reason than where it stood
	steps  int
	ends   []end          // of a piece
	whole  []int32        // of a template: the captures of the ways to the end of the text
	dead   map[state]bool // no way leads from here to an end
	seen   map[seenState]struct{}
}

// state is a place in the program and the text. start is true at the start of a
// word, where blanks on both sides mean nothing.
type state struct {
	node  int32
	pos   int32
	start bool
}

type seenState struct {
	state
	captures int32
}

// step counts a step, and is false when no more may be taken.
func (r *run) step() bool {
	if r.m.steps <= 0 || r.steps >= maxRunSteps {
		r.m.cuts++
		r.unsure = true
		return false
	}
	r.m.steps--
	r.steps++
	return true
}

// walk follows the program from node n and returns whether an end was reached.
func (r *run) walk(n int32, pos int, start bool, captures int32) bool {
	for {
		if !r.step() {
			return false
		}
		nd := &r.code.nodes[n]
		var ok bool
		switch nd.op {
		case opAccept:
			return r.accept(pos, start, captures)
		case opText:
			pos, ok = r.v.text(nd.text, pos, start)
			start = false
		case opBlank:
			pos, start, ok = r.v.blank(pos, start)
		default:
			return r.branch(nd, state{n, int32(pos), start}, captures) //nolint:gosec // a position
		}
		if !ok {
			return false
		}
		n = nd.next
	}
}

// accept is told of a way through the program; it returns whether the way counts.
func (r *run) accept(pos int, start bool, captures int32) bool {
	if r.quiet {
		if e := (end{int32(pos), start}); !slices.Contains(r.ends, e) { //nolint:gosec // a position
			r.ends = append(r.ends, e)
		}
		return true
	}
	if pos < len(r.v.runes) {
		return false
	}
	switch {
	case slices.Contains(r.whole, captures):
	case len(r.whole) < maxTemplateMatches:
		r.whole = append(r.whole, captures)
	default:
		r.steps = maxRunSteps
	}
	return true
}

// branch tries all ways on from a node that has several.
func (r *run) branch(nd *node, at state, captures int32) bool {
	if r.steps < memoAfter {
		return r.ways(nd, at, captures)
	}
	if r.dead == nil {
		r.dead = make(map[state]bool)
		r.seen = make(map[seenState]struct{})
	}
	if r.dead[at] {
		return false
	}
	key := seenState{at, captures}
	if _, again := r.seen[key]; again {
		return true // programs point forward, so what was begun is finished
	}
	r.seen[key] = struct{}{}
	ok := r.ways(nd, at, captures)
	if !ok && !r.unsure {
		r.dead[at] = true
	}
	return ok
}

func (r *run) ways(nd *node, at state, captures int32) bool {
	pos, any := int(at.pos), false
	switch nd.op {
	case opSplit:
		for _, alt := range nd.alts {
			any = r.walk(alt, pos, at.start, captures) || any
		}
	case opRule:
		ends := r.m.ruleEnds(r.v, r.code, nd.rule, at)
		for i := ends.from; i < ends.to; i++ {
			e := r.m.ends[i]
			any = r.walk(nd.next, int(e.pos), e.start, captures) || any
		}
	case opList:
		any = r.list(nd, at, captures)
	case opAccept, opText, opBlank:
	}
	return any
}

// list goes on behind every value of a list. The list keeps the word start of
// where it began, so a blank behind it may be missing: kitchenlights.
func (r *run) list(nd *node, at state, captures int32) bool {
	l := nd.list.list
	if l == nil {
		if l = r.m.ctx.Lists.get(nd.list.home); l == nil {
			return false
		}
	}
	if l.isWildcard() {
		return r.wildcard(nd, l, at, captures)
	}
	if l.kind == ListRange && r.cutsNumber(captures, at) {
		r.unsure = true
		return false
	}
	any := false
	edges := r.m.listEdges(r.v, l, at)
	for i := edges.from; i < edges.to; i++ {
		e := r.m.edges[i]
		next := r.capture(captures, nd.list, l, at.pos, e)
		any = r.walk(nd.next, int(e.end), at.start, next) || any
	}
	return any
}

// cutsNumber tells whether a wildcard right before a range has digits in it: of
// "eggs 5 minutes 30 seconds" it must not make a name of "eggs 5 minutes".
func (r *run) cutsNumber(captures int32, at state) bool {
	if captures < 0 {
		return false
	}
	last := &r.m.captures[captures]
	to := int(last.edge.end)
	if !last.list.isWildcard() || skipBlanks(r.v.runes, to) != skipBlanks(r.v.runes, int(at.pos)) {
		return false
	}
	for _, c := range r.v.runes[last.from:to] {
		if '0' <= c && c <= '9' {
			return true
		}
	}
	return false
}

// wildcard takes any text, up to every place where what follows might match.
func (r *run) wildcard(nd *node, l *list, at state, captures int32) bool {
	from := skipBlanks(r.v.runes, int(at.pos))
	any := false
	for to := from + 1; to <= len(r.v.runes); to++ {
		if isBlank(r.v.runes[to-1]) {
			continue
		}
		if following := &r.code.nodes[nd.next]; following.op == opText && !r.v.hasAt(following.text, to) ||
			following.op == opAccept && !r.quiet && to < len(r.v.runes) {
			if !r.step() {
				break
			}
			continue
		}
		e := edge{end: int32(to), value: -1}                    //nolint:gosec // a position
		next := r.capture(captures, nd.list, l, int32(from), e) //nolint:gosec // a position
		any = r.walk(nd.next, to, false, next) || any
	}
	return any
}

// hasAt is false only where the word cannot match at pos, within a word.
func (v *view) hasAt(word []rune, pos int) bool {
	return len(word) == 0 || isMark(word[0]) || pos < len(v.runes) && v.runes[pos] == word[0]
}

func (r *run) capture(parent int32, use *listNode, l *list, from int32, e edge) int32 {
	if r.quiet {
		return parent
	}
	c := captured{parent: parent, use: use, list: l, from: from, edge: e}
	if id, known := r.m.interned[c]; known {
		return id
	}
	id := int32(len(r.m.captures)) //nolint:gosec // bounded by the steps
	r.m.captures = append(r.m.captures, c)
	r.m.interned[c] = id
	return id
}

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
	var edges []edge
	switch {
	case l.find != nil:
		for _, s := range l.find(v.runes, skipBlanks(v.runes, int(at.pos))) {
			edges = append(edges, edge{end: int32(s.end), value: -1, number: s.value}) //nolint:gosec // a position
		}
	case l.kind == ListRange:
		edges = l.rangeEdges(v.runes, skipBlanks(v.runes, int(at.pos)))
	default:
		edges = m.valueEdges(v, l, at)
	}
	from := int32(len(m.edges)) //nolint:gosec // bounded by the steps
	m.edges = append(m.edges, edges...)
	found := extent{from, int32(len(m.edges))} //nolint:gosec // bounded by the steps
	if m.cuts == cuts {
		v.lists[key] = found
	}
	return found
}

func (m *matcher) valueEdges(v *view, l *list, at state) []edge {
	pos := int(at.pos)
	if at.start {
		pos = skipBlanks(v.runes, pos)
	}
	if pos == len(v.runes) {
		return nil
	}
	// Within a word, a blank that an optional part left at the start of a value
	// means nothing either.
	at.start = at.start || !isBlank(v.runes[pos])
	var edges []edge
	try := func(i int32) {
		value := &l.values[i]
		for _, e := range m.piece(v, l.code, &value.subProgram, at) {
			if e.pos > at.pos {
				edges = append(edges, edge{end: e.pos, value: i})
			}
		}
	}
	if isHyphen(v.runes[pos]) { // it may be a blank
		for i := range l.values {
			try(int32(i))
		}
		return edges
	}
	for _, i := range l.byFirst[hashRune(v.runes[pos])] {
		try(i)
	}
	return edges
}

// text matches a word, or a part of one, at pos. A mark in it may be missing at
// the edge of a word, where the text has lost its own.
func (v *view) text(word []rune, pos int, start bool) (int, bool) {
	if start {
		pos = skipBlanks(v.runes, pos)
	}
	if to, ok := v.prefix(word, pos); ok || !start {
		return to, ok
	}
	// A hyphen at the start of a word may be a blank.
	from := pos
	for pos < len(v.runes) && (isBlank(v.runes[pos]) || isHyphen(v.runes[pos])) {
		pos++
	}
	if pos == from {
		return 0, false
	}
	return v.prefix(word, pos)
}

func (v *view) prefix(word []rune, pos int) (int, bool) {
	for _, r := range word {
		if pos < len(v.runes) && v.runes[pos] == r {
			pos++
			continue
		}
		atEdge := pos == 0 || pos >= len(v.runes) || isBlank(v.runes[pos]) || isBlank(v.runes[pos-1])
		if !isMark(r) || !atEdge && !v.ignoreBlanks {
			return 0, false
		}
	}
	return pos, true
}

// blank matches a blank of a template.
func (v *view) blank(pos int, start bool) (int, bool, bool) {
	switch {
	case start, v.ignoreBlanks, pos >= len(v.runes):
		return pos, start, true
	case isBlank(v.runes[pos]), isHyphen(v.runes[pos]):
		return pos + 1, true, true
	}
	return 0, false, false
}

func (l *Lists) get(name string) *list {
	if l == nil {
		return nil
	}
	return l.lists[name]
}
