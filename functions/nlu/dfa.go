package nlu

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Bounds on what is found out about the texts of a grammar and kept, in bytes,
// and on the work that one text may cause to find out more, in items.
const (
	maxCacheBytes = 32 << 20
	maxTextWork   = 2_000_000
)

// Bounds on the templates that are read, in nodes with all rules put in place.
const (
	maxChosenSize  = 50_000
	maxChosenTotal = 4_000_000
)

// dfa finds the states of a net as texts need them, and keeps them. What is known
// is read without a lock; when it has become too much, all is forgotten.
type dfa struct {
	net          *net
	ignoreBlanks bool
	starts       []int32 // the first nodes of the templates
	room, work   int     // see maxCacheBytes and maxTextWork
	current      atomic.Pointer[cache]
}

// cache is what is known of the states.
type cache struct {
	dfa   *dfa
	start *dfaState
	full  atomic.Bool

	mu    sync.Mutex // for all below
	step  stepper
	known map[uint64][]*dfaState // by the hash of their items
	bytes int
}

// dfaState is a set of items that texts lead to. The items never change.
type dfaState struct {
	items   []item
	lists   []listArc               // the symbols that it takes
	arcs    atomic.Pointer[arcs]    // replaced for every new one
	accepts atomic.Pointer[[]int32] // the templates that may end here, in order
}

type arc struct {
	class int32
	to    *dfaState
}

// arcs are the known ways on from a state. Most states have one.
type arcs struct {
	one  arc
	more []arc // the others, by class
}

type listArc struct {
	symbol int32
	to     atomic.Pointer[dfaState]
}

// What states are thought to take in memory, beside their items.
const (
	stateBytes   = 200
	listArcBytes = 16
	arcBytes     = 40
	frameBytes   = 40
	slotBytes    = 20
)

// cache returns what is known, or a new one if that has become too much.
func (d *dfa) cache() *cache {
	c := d.current.Load()
	if c != nil && !c.full.Load() {
		return c
	}
	fresh := &cache{dfa: d, known: make(map[uint64][]*dfaState)}
	fresh.step = stepper{net: d.net, ignoreBlanks: d.ignoreBlanks, frames: make([]frame, 1), frameOf: make(map[frame]int32)}
	fresh.step.begin(false)
	for _, node := range d.starts {
		fresh.step.add(newItem(node, 0, true, 0))
	}
	fresh.start = fresh.state()
	fresh.step.seen = itemSet{} // no other state is as large
	if d.current.CompareAndSwap(c, fresh) {
		return fresh
	}
	return d.cache()
}

// isDead tells of the state that nothing follows.
func (s *dfaState) isDead() bool { return len(s.items) == 0 }

// next returns the state behind a character; nil: not known.
func (s *dfaState) next(class int32) *dfaState {
	known := s.arcs.Load()
	if known == nil {
		return nil
	}
	if known.one.class == class {
		return known.one.to
	}
	list := known.more
	for len(list) > 8 { // halve it
		if mid := len(list) / 2; list[mid].class <= class {
			list = list[mid:]
		} else {
			list = list[:mid]
		}
	}
	for i := range list {
		if list[i].class == class {
			return list[i].to
		}
	}
	return nil
}

// learn adds a way on.
func (s *dfaState) learn(a arc) {
	old := s.arcs.Load()
	if old == nil {
		s.arcs.Store(&arcs{one: a})
		return
	}
	at, _ := slices.BinarySearchFunc(old.more, a.class, func(b arc, class int32) int { return cmp.Compare(b.class, class) })
	s.arcs.Store(&arcs{one: old.one, more: slices.Insert(slices.Clip(old.more), at, a)})
}

// read finds the state behind a character, and adds to work what it took. It is
// nil when that was too much already, or when the cache is full.
func (c *cache) read(s *dfaState, class int32, work *int) *dfaState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to := s.next(class); to != nil {
		return to
	}
	if *work > c.dfa.work {
		return nil
	}
	c.step.begin(false)
	c.step.read(s.items, c.dfa.net.classes.runes[class])
	to := c.found(s, work)
	if to == nil {
		return nil
	}
	s.learn(arc{class, to})
	c.bytes += arcBytes
	return to
}

// take finds the state behind a list.
func (c *cache) take(s *dfaState, a *listArc, work *int) *dfaState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to := a.to.Load(); to != nil {
		return to
	}
	if *work > c.dfa.work {
		return nil
	}
	c.step.begin(false)
	c.step.take(s.items, a.symbol)
	to := c.found(s, work)
	a.to.Store(to)
	return to
}

// end finds the templates that may end in a state.
func (c *cache) end(s *dfaState) []int32 {
	if known := s.accepts.Load(); known != nil {
		return *known
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.step.end(s.items)
	s.accepts.Store(&found)
	c.bytes += 4 * len(found)
	return found
}

// found is the state of what the stepper has found, nil where there is no room.
func (c *cache) found(from *dfaState, work *int) *dfaState {
	*work += len(from.items) + c.step.work
	c.step.work = 0
	bytes := c.bytes + frameBytes*len(c.step.frames) + slotBytes*len(c.step.seen.slots)
	if bytes > c.dfa.room || len(c.step.frames) > maxFrames/2 {
		c.full.Store(true)
		return nil
	}
	return c.state()
}

// state returns the state of the items that the stepper has found.
func (c *cache) state() *dfaState {
	items := c.step.out
	var hash uint64
	for _, it := range items {
		hash = (hash ^ it.hash()) * 0x100000001b3
	}
	for _, s := range c.known[hash] {
		if slices.Equal(s.items, items) {
			return s
		}
	}
	s := &dfaState{items: slices.Clone(items)}
	for _, symbol := range c.symbols(items) {
		s.lists = append(s.lists, listArc{symbol: symbol})
	}
	c.known[hash] = append(c.known[hash], s)
	c.bytes += stateBytes + 8*len(items) + listArcBytes*len(s.lists)
	return s
}

// symbols lists the lists that items wait for.
func (c *cache) symbols(items []item) []int32 {
	var found []int32
	for _, it := range items {
		nd := &c.dfa.net.code.nodes[it.node()]
		if nd.op != opList || c.dfa.net.isWild(nd) {
			continue
		}
		if symbol := c.dfa.net.symbolOf[nd.from]; !slices.Contains(found, symbol) {
			found = append(found, symbol)
		}
	}
	return found
}
