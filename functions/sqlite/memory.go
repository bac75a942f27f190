package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/hark-voice/hark/functions/assistant"
)

// This process alone writes the file, so what it remembers of its own writes is
// true. The road reads two things before it calls a skill, whether a message
// came before and the skill's state: for nearly all messages the answers are
// here.

// knownTurns tells of an id, without a read, that no turn has it.
type knownTurns struct {
	whole atomic.Bool // the ids of all turns are in it
	mu    sync.RWMutex
	ids   *bloom.BloomFilter
}

// leastKnown is how many turns a store is expected to get at least before it is
// opened again: beyond that, more and more reads are made in vain. It takes
// 1.2 MiB.
const leastKnown = 1 << 20

func newKnownTurns(stored int) *knownTurns {
	return &knownTurns{ids: bloom.NewWithEstimates(uint(max(2*stored, leastKnown)), 0.01)}
}

// load takes in the turns that are in the index.
func (k *knownTurns) load(ctx context.Context, r *reader) error {
	err := r.each(ctx, `SELECT id FROM turn_ids`, nil, func(rows *sql.Rows) error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		k.add(id)
		return nil
	})
	if err == nil {
		k.whole.Store(true)
	}
	return err
}

// add is called before the turn is written.
func (k *knownTurns) add(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ids.AddString(id)
}

func (k *knownTurns) mayHave(id string) bool {
	if !k.whole.Load() {
		return true
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ids.TestString(id)
}

// recentStates holds states as this process committed them, up to a bound: when
// the younger half is full, the older one is forgotten.
type recentStates struct {
	mu           sync.Mutex
	young, older map[assistant.StateKey]assistant.State
	size         int // of young, in bytes
}

// maxRecent is the size of each half of the states that are held.
const maxRecent = 8 << 20

func newRecentStates() *recentStates {
	return &recentStates{young: make(map[assistant.StateKey]assistant.State)}
}

func (r *recentStates) get(key assistant.StateKey) (assistant.State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st, ok := r.young[key]; ok {
		return st, true
	}
	st, ok := r.older[key]
	return st, ok
}

func (r *recentStates) put(key assistant.StateKey, st assistant.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	const overhead = 256
	if before, ok := r.young[key]; ok {
		r.size -= len(before.Value) + overhead
	}
	r.young[key] = st
	if r.size += len(st.Value) + overhead; r.size > maxRecent {
		r.older, r.young, r.size = r.young, make(map[assistant.StateKey]assistant.State), 0
	}
}

func (r *recentStates) forget(key assistant.StateKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st, ok := r.young[key]; ok {
		r.size -= len(st.Value) + 256
		delete(r.young, key)
	}
	delete(r.older, key)
}
