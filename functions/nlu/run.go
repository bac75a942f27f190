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

// fewCaptures are sooner looked through than looked up.
const fewCaptures = 16

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
			pos, ok = r.v.text(r.code.text(nd), pos, start)
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
		for _, alt := range r.code.alts(nd) {
			any = r.walk(alt, pos, at.start, captures) || any
		}
	case opRule:
		ends := r.m.ruleEnds(r.v, r.code, r.code.rule(nd), at)
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
	use := r.code.list(nd)
	l := use.list
	if l == nil {
		if l = r.m.ctx.Lists.get(use.home); l == nil {
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
		next := r.capture(captures, use, l, at.pos, e)
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
	following, use := &r.code.nodes[nd.next], r.code.list(nd)
	any := false
	for to := from + 1; to <= len(r.v.runes); to++ {
		if isBlank(r.v.runes[to-1]) {
			continue
		}
		if !r.mayFollow(following, to) {
			if !r.step() {
				break
			}
			continue
		}
		e := edge{end: int32(to), value: -1}                //nolint:gosec // a position
		next := r.capture(captures, use, l, int32(from), e) //nolint:gosec // a position
		any = r.walk(nd.next, to, false, next) || any
	}
	return any
}

// mayFollow is false only where a node cannot match within a word.
func (r *run) mayFollow(nd *node, pos int) bool {
	switch nd.op {
	case opText:
		return r.v.hasAt(r.code.text(nd), pos)
	case opBlank:
		_, _, ok := r.v.blank(pos, false)
		return ok
	case opAccept:
		return r.quiet || pos == len(r.v.runes)
	case opSplit, opRule, opList:
	}
	return true
}

func (r *run) capture(parent int32, use *listNode, l *list, from int32, e edge) int32 {
	if r.quiet {
		return parent
	}
	c := captured{parent: parent, use: use, list: l, from: from, edge: e}
	m := r.m
	if i := slices.Index(m.captures[:min(len(m.captures), fewCaptures)], c); i >= 0 {
		return int32(i) //nolint:gosec // a few
	}
	id := int32(len(m.captures)) //nolint:gosec // bounded by the steps
	if id >= fewCaptures {
		if known, again := m.interned[c]; again {
			return known
		}
		m.interned[c] = id
	}
	m.captures = append(m.captures, c)
	return id
}
