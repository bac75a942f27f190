package session

import (
	"sync"
	"time"
)

// mailbox is a list that one goroutine empties when wake receives.
type mailbox[T any] struct {
	wake chan struct{}
	lag  time.Duration // from the first that is put in to wake; whoever fails to empty the list sees to it itself

	mu   sync.Mutex
	list []T
}

func newMailbox[T any](lag time.Duration) *mailbox[T] {
	return &mailbox[T]{wake: make(chan struct{}, 1), lag: lag}
}

func (m *mailbox[T]) put(v T) {
	m.mu.Lock()
	m.list = append(m.list, v)
	first := len(m.list) == 1
	m.mu.Unlock()
	switch {
	case m.lag == 0:
		m.signal()
	case first:
		time.AfterFunc(m.lag, m.signal)
	}
}

// take removes the first n, all of them for zero.
func (m *mailbox[T]) take(n int) []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n <= 0 || n > len(m.list) {
		n = len(m.list)
	}
	taken := m.list[:n:n]
	m.list = m.list[n:]
	if len(m.list) == 0 {
		m.list = nil
	}
	return taken
}

func (m *mailbox[T]) untake(vs []T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(vs, m.list...)
}

func (m *mailbox[T]) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.list)
}

func (m *mailbox[T]) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// recentSize is how many acknowledged ids are remembered: enough for the time
// that a commit takes after its message was sent early.
const recentSize = 8192

// recent remembers the ids of messages that devices have, so that a message that
// was acknowledged before its row was written, or whose row is not yet removed,
// is not sent again.
type recent struct {
	mu   sync.Mutex
	ids  map[string]bool
	ring []string
	next int
}

func newRecent() *recent { return &recent{ids: make(map[string]bool)} }

func (r *recent) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[id] {
		return
	}
	r.ids[id] = true
	if len(r.ring) < recentSize {
		r.ring = append(r.ring, id)
		return
	}
	delete(r.ids, r.ring[r.next])
	r.ring[r.next] = id
	r.next = (r.next + 1) % recentSize
}

func (r *recent) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids[id]
}
