package sqlite

import (
	"slices"
	"sync"

	"github.com/hark-voice/hark/functions/assistant"
)

// pending is what the journal holds and the tables do not. Who reads looks here
// first, and then into the tables: what is taken out of here is in the tables by
// then. Only the writer changes it.
type pending struct {
	mu sync.RWMutex
	// posting is being posted, or could not be; nil: none. fresh takes what comes.
	posting, fresh *generation
	settled        []string // messages in the tables that go with the next posting
}

// generation is the commits that are posted together.
type generation struct {
	number  uint64
	commits []*commit
	turns   map[string]*commit
	states  map[assistant.StateKey]assistant.State // the last of each
	owed    map[string]*owed                       // and not settled
	size    int
}

func newGeneration(number uint64) *generation {
	return &generation{
		number: number, turns: make(map[string]*commit),
		states: make(map[assistant.StateKey]assistant.State), owed: make(map[string]*owed),
	}
}

func (g *generation) add(k *commit) {
	g.commits = append(g.commits, k)
	g.turns[k.turn] = k
	g.size += len(k.doc)
	if c := k.state; c != nil {
		g.states[c.Key] = assistant.State{Revision: c.Base + 1, Value: c.Value}
		g.size += len(c.Value)
	}
	for i := range k.owed {
		g.owed[k.owed[i].id] = &k.owed[i]
		g.size += len(k.owed[i].doc)
	}
}

// each calls f with the generations, the older one first. Called with mu held.
func (p *pending) each(f func(*generation)) {
	if p.posting != nil {
		f(p.posting)
	}
	f(p.fresh)
}

// turn returns the document of a turn.
func (p *pending) turn(id string) (doc string, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	p.each(func(g *generation) {
		if k := g.turns[id]; k != nil {
			doc, ok = k.doc, true
		}
	})
	return doc, ok
}

func (p *pending) state(key assistant.StateKey) (st assistant.State, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	p.each(func(g *generation) {
		if found, there := g.states[key]; there {
			st, ok = found, true
		}
	})
	return st, ok
}

// owes tells whether something is owed to a device that is not in the tables.
func (p *pending) owes(home, device string) (found bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	p.each(func(g *generation) {
		for _, m := range g.owed {
			found = found || m.home == home && m.device == device
		}
	})
	return found
}

// isSettled returns the messages of the tables that are owed no more.
func (p *pending) isSettled() map[string]bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	settled := make(map[string]bool, len(p.settled))
	for _, id := range p.settled {
		settled[id] = true
	}
	return settled
}

// entries is a group on its way into the journal.
type entries struct {
	generation        // what it adds
	frame      []byte // the same for the journal
	settled    []string
	sync       bool // the disk is to be reached even if there is no record
}

// publish makes a group visible, once it is durable.
func (p *pending) publish(e *entries) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first = p.empty()
	for _, k := range e.commits {
		p.fresh.add(k)
	}
	for _, id := range e.settled {
		if m := p.fresh.owed[id]; m != nil {
			m.settled = true
			delete(p.fresh.owed, id)
			continue
		}
		if p.posting != nil {
			delete(p.posting.owed, id)
		}
		p.settled = append(p.settled, id)
	}
	return first && !p.empty()
}

// empty tells whether nothing is to be posted. Called with mu held.
func (p *pending) empty() bool {
	return p.posting == nil && len(p.fresh.commits) == 0 && len(p.settled) == 0
}

// due is what a posting takes to the tables.
type due struct {
	generations []*generation
	settled     []string
	closes      bool // the generation that grows
}

func (d *due) commits() (n int) {
	for _, g := range d.generations {
		n += len(g.commits)
	}
	return n
}

// all is for who keeps the writer from adding to it meanwhile. It closes the
// generation that grows if that has commits, or is to be closed.
func (p *pending) all(toClose bool) due {
	p.mu.RLock()
	defer p.mu.RUnlock()
	d := due{settled: slices.Clip(p.settled), closes: toClose || len(p.fresh.commits) > 0}
	p.each(func(g *generation) {
		if g == p.posting || d.closes {
			d.generations = append(d.generations, g)
		}
	})
	return d
}

// rotate is for who does not: what comes from now on is of the next generation,
// unless there is one that could not be posted.
func (p *pending) rotate(next func() uint64) due {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := due{settled: slices.Clip(p.settled)}
	if p.posting == nil && len(p.fresh.commits) > 0 {
		p.posting, p.fresh = p.fresh, newGeneration(next())
	}
	if p.posting != nil {
		d.generations = []*generation{p.posting}
	}
	return d
}

// posted forgets what is in the tables now.
func (p *pending) posted(d due, next func() uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range d.generations {
		if g == p.posting {
			p.posting = nil
		} else {
			p.fresh = newGeneration(next())
		}
	}
	p.settled = slices.Clone(p.settled[len(d.settled):])
}

// much tells whether it is time to post, and whether it is high time.
func (p *pending) much() (enough, tooMuch bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n, size := len(p.fresh.commits)+len(p.settled), p.fresh.size
	return n >= postCommits || size >= postBytes, n >= 8*postCommits || size >= 8*postBytes
}

func (p *pending) nothing() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.empty()
}

// A generation is posted when it has so many commits, or bytes.
const (
	postCommits = 1024
	postBytes   = 4 << 20
)
