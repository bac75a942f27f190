package session

import (
	"slices"
	"sync"
)

// Window holds the publishes of one connection that are not yet acknowledged,
// in arrival order. Done may be called in any order, from any goroutine; write
// is called in arrival order, once a publish and all before it are done.
type Window struct {
	places chan struct{}
	write  func(a Ack, last bool) // must not block, nor call the window

	mu     sync.Mutex
	queue  []*pending // oldest first
	closed bool
}

// Ack says how a publish is to be acknowledged.
type Ack struct {
	PacketID uint16
	QoS      byte // 0: not at all
	Reason   byte // MQTT 5 reason code; zero: success
}

type pending struct {
	ack  Ack
	done bool
}

// NewWindow returns a window of so many places. write is told whether a is the last
// acknowledgement that is owed: with others owed, more may follow at once.
func NewWindow(places int, write func(a Ack, last bool)) *Window {
	return &Window{places: make(chan struct{}, places), write: write}
}

// Wait takes a place for the next publish; while the window is full it waits for
// one, or until gone is closed, and then returns false.
func (w *Window) Wait(gone <-chan struct{}) bool {
	select {
	case w.places <- struct{}{}:
		return true
	default:
	}
	select {
	case w.places <- struct{}{}:
		return true
	case <-gone:
		return false
	}
}

// Add puts a publish into the place that Wait took. The function it returns
// marks the publish done; only its first call counts.
func (w *Window) Add(a Ack) (done func()) {
	p := &pending{ack: a}
	w.mu.Lock()
	w.queue = append(w.queue, p)
	w.mu.Unlock()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		p.done = true
		w.flush()
	}
}

// Has tells whether a publish of this packet id waits for its acknowledgement.
func (w *Window) Has(id uint16) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.queue {
		if p.ack.QoS > 0 && p.ack.PacketID == id {
			return true
		}
	}
	return false
}

// Owes tells whether an acknowledgement is to be written.
func (w *Window) Owes() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closed && slices.ContainsFunc(w.queue, func(p *pending) bool { return p.ack.QoS > 0 })
}

// Len is the number of publishes that wait.
func (w *Window) Len() int { return len(w.places) }

// Close ends the writing of acknowledgements: the connection is gone.
func (w *Window) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

func (w *Window) flush() {
	n := 0
	for ; n < len(w.queue) && w.queue[n].done; n++ {
		if a := w.queue[n].ack; a.QoS > 0 && !w.closed {
			w.write(a, n+1 == len(w.queue))
		}
		<-w.places
	}
	w.queue = slices.Delete(w.queue, 0, n)
}
