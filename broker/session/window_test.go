package session_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/hark-voice/hark/broker/session"
)

// Acknowledgements of many goroutines are written in the order of arrival, and
// never more than the window is taken.
func TestWindowOrder(t *testing.T) {
	const places, n = 8, 2000
	var written []uint16
	w := session.NewWindow(places, func(a session.Ack, _ bool) { written = append(written, a.PacketID) })
	var wg sync.WaitGroup
	gone := make(chan struct{})
	batch := make([]func(), 0, places)
	for i := range uint16(n) {
		if !w.Wait(gone) {
			t.Fatal("no place")
		}
		batch = append(batch, w.Add(session.Ack{PacketID: i, QoS: byte(i % 3)}))
		if len(batch) == places || i == n-1 {
			rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			for _, done := range batch {
				wg.Go(func() { done(); done() })
			}
			batch = batch[:0]
		}
		if w.Len() > places {
			t.Fatalf("%d places taken", w.Len())
		}
	}
	wg.Wait()
	if w.Len() != 0 {
		t.Errorf("%d places still taken", w.Len())
	}
	next := 0
	for i := range uint16(n) {
		if i%3 == 0 {
			continue // QoS 0
		}
		if written[next] != i {
			t.Fatalf("%d was written at place %d, want %d", written[next], next, i)
		}
		next++
	}
	if next != len(written) {
		t.Errorf("%d written, want %d", len(written), next)
	}
}

func TestWindowGone(t *testing.T) {
	w := session.NewWindow(1, func(session.Ack, bool) { t.Error("written after Close") })
	gone := make(chan struct{})
	w.Wait(gone)
	done := w.Add(session.Ack{PacketID: 1, QoS: 1})
	close(gone)
	if w.Wait(gone) {
		t.Error("a second place")
	}
	w.Close()
	done()
}

// The last acknowledgement that is owed is known as such.
func TestWindowLast(t *testing.T) {
	var last []bool
	w := session.NewWindow(3, func(_ session.Ack, l bool) { last = append(last, l) })
	var done []func()
	for i := range uint16(3) {
		w.Wait(nil)
		done = append(done, w.Add(session.Ack{PacketID: i + 1, QoS: 1}))
	}
	done[0]()
	done[2]()
	if !w.Owes() {
		t.Error("nothing is owed")
	}
	done[1]()
	if want := []bool{false, false, true}; !slices.Equal(last, want) {
		t.Errorf("last: %v, want %v", last, want)
	}
	if w.Owes() {
		t.Error("something is still owed")
	}
}
