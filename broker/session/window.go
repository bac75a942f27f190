package session

import "sync"

// Window holds the publishes of one connection that are not yet acknowledged,
// in arrival order. Done may be called in any order, from any goroutine; write
// is called in arrival order, once a publish and all before it are done.
type Window struct {
	places chan struct{}
	write  func(Ack) // must not block, nor call the window

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

// NewWindow returns a window of so many places.
func NewWindow(places int, write func(Ack)) *Window {
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

// Len is the number of publishes that wait.
func (w *Window) Len() int { return len(w.places) }

// Close ends the writing of acknowledgements: the connection is gone.
func (w *Window) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

func (w *Window) flush() {
	for len(w.queue) > 0 && w.queue[0].done {
		a := w.queue[0].ack
		w.queue[0] = nil
		w.queue = w.queue[1:]
		if a.QoS > 0 && !w.closed {
			w.write(a)
		}
		<-w.places
	}
}
