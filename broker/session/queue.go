package session

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/topic"
)

// kind says what stands behind a message.
type kind int

const (
	owed      kind = iota // its row is in the outbox
	early                 // its row may still be written
	transient             // it never has a row
)

// entry is a message that waits for a device's acknowledgement.
type entry struct {
	m       topic.Outbound
	kind    kind
	written bool // at QoS 0, on some connection
}

func (e *entry) size() int {
	return len(e.m.Payload) + len(e.m.Topic) + len(e.m.Correlation) + len(e.m.ID)
}

// Line is one connection of a device. The queue's lock guards it.
type Line struct {
	q      *queue
	conn   Conn
	window int
	subs   []Subscription
	held   bool              // the client is just being told of its subscriptions
	sent   map[*entry]bool   // entries sent on it and not finished; true: it will acknowledge
	flying map[uint16]*entry // sent at QoS 1 and not yet acknowledged on it
}

// match returns the QoS of the subscriptions that match, and their identifiers.
func (l *Line) match(name string) (qos byte, ids []int, ok bool) {
	for _, sub := range l.subs {
		filter, _ := topic.Unshare(sub.Filter)
		if !topic.Match(filter, name) {
			continue
		}
		ok = true
		qos = max(qos, min(sub.QoS, 1))
		if sub.ID > 0 {
			ids = append(ids, sub.ID)
		}
	}
	slices.Sort(ids)
	return qos, ids, ok
}

// queue holds what is being sent to one device that has a connection.
type queue struct {
	s      *Sender
	device topic.Device

	mu      sync.Mutex
	gone    bool // the last connection has left
	lines   []*Line
	entries []*entry // in the order of sending
	byID    map[string]*entry
	bytes   int
	skipped int  // rows of the last load that did not become entries
	more    bool // the outbox holds rows beyond those in entries
	loading bool // rows are being read; what is not transient waits
	again   bool // the subscriptions changed meanwhile
}

func (q *queue) deliver(m topic.Outbound, k kind) {
	if e := q.byID[m.ID]; e != nil {
		if k == owed && e.kind == early {
			e.kind = owed
		}
		return
	}
	e := &entry{m: m, kind: k}
	switch {
	case k != transient && q.more:
		return // it is read from the outbox in its turn
	case !q.wanted(m.Topic):
		q.drop(e)
		return
	case !q.fits(e):
		q.more = q.more || k == owed
		q.drop(e)
		return
	}
	q.add(e)
	q.pump()
}

// drop forgets a message that is not held: only a transient one is lost by that.
func (q *queue) drop(e *entry) {
	if e.kind == transient {
		q.s.dropped.Add(1)
	}
}

func (q *queue) add(e *entry) {
	q.entries = append(q.entries, e)
	q.byID[e.m.ID] = e
	q.bytes += e.size()
}

func (q *queue) fits(e *entry) bool {
	return len(q.entries) < q.s.opts.MaxMessages && q.bytes+e.size() <= q.s.opts.MaxBytes
}

// wanted tells whether some connection is subscribed to a topic.
func (q *queue) wanted(name string) bool {
	return slices.ContainsFunc(q.lines, func(l *Line) bool {
		_, _, ok := l.match(name)
		return ok
	})
}

// pump sends what may be sent now, in order on each connection.
func (q *queue) pump() {
	if q.gone {
		return
	}
	q.expire()
	hungry := false
	for _, l := range q.lines {
		if q.pumpLine(l) {
			hungry = true
		}
	}
	for _, e := range slices.Clone(q.entries) {
		if e.written && !q.awaited(e) {
			q.finish(e)
		}
	}
	if q.more && hungry && !q.loading {
		q.load()
	}
}

// pumpLine sends on one connection. It returns whether the connection has room
// for more than there was.
func (q *queue) pumpLine(l *Line) (hungry bool) {
	for _, e := range q.entries {
		if l.held || len(l.flying) >= l.window {
			return false
		}
		if _, sent := l.sent[e]; sent || q.loading && e.kind != transient {
			continue
		}
		qos, ids, ok := l.match(e.m.Topic)
		if !ok {
			continue
		}
		id, err := l.conn.Send(Publish{
			Topic: e.m.Topic, Payload: e.m.Payload, QoS: qos, Correlation: e.m.Correlation,
			SubscriptionIDs: ids, Expiry: q.secondsLeft(e),
		})
		switch {
		case errors.Is(err, ErrTooLarge): // MQTT 5, 3.1.2.11.4: as if it had been sent
			q.s.dropped.Add(1)
			l.sent[e] = false
			e.written = true
			continue
		case err != nil:
			return false // busy, or ending
		}
		q.s.sent.Add(1)
		l.sent[e] = qos > 0
		if qos == 0 {
			e.written = true
		} else {
			l.flying[id] = e
		}
	}
	return true
}

// awaited tells whether a connection has acknowledged, or may yet acknowledge, a
// message at QoS 1.
func (q *queue) awaited(e *entry) bool {
	return slices.ContainsFunc(q.lines, func(l *Line) bool {
		qos, _, ok := l.match(e.m.Topic)
		awaits, sent := l.sent[e]
		return awaits || ok && qos > 0 && !sent
	})
}

// finish ends a message that the device has.
func (q *queue) finish(e *entry) {
	if q.byID[e.m.ID] != e {
		return // another connection was first
	}
	q.forget(e)
	q.s.done.Add(1)
	switch e.kind {
	case owed:
		q.s.settled(e.m.ID)
	case early:
		q.s.acked.add(e.m.ID)
	case transient:
	}
}

func (q *queue) forget(e *entry) {
	delete(q.byID, e.m.ID)
	q.entries = slices.DeleteFunc(q.entries, func(o *entry) bool { return o == e })
	q.bytes -= e.size()
	for _, l := range q.lines {
		delete(l.sent, e)
	}
}

// expire forgets messages that are too old to be sent.
func (q *queue) expire() {
	now := q.s.opts.Clock.Now()
	for _, e := range slices.Clone(q.entries) {
		sent := q.sentAnywhere(e)
		if sent || !expired(e.m, now) {
			continue
		}
		q.forget(e)
		q.s.expired.Add(1)
		if e.kind == owed {
			q.s.settled(e.m.ID)
		}
	}
}

func expired(m topic.Outbound, now time.Time) bool {
	return !m.Expires.IsZero() && !now.Before(m.Expires)
}

func (q *queue) secondsLeft(e *entry) uint32 {
	if e.m.Expires.IsZero() {
		return 0
	}
	left := e.m.Expires.Sub(q.s.opts.Clock.Now())
	return uint32(min(max((left+time.Second-1)/time.Second, 1), 1<<31)) //nolint:gosec // bounded
}

func (q *queue) subscribers() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, l := range q.lines {
		if len(l.subs) > 0 {
			n++
		}
	}
	return n
}

// remove takes a connection out; false if it had left before.
func (q *queue) remove(l *Line) bool {
	i := slices.Index(q.lines, l)
	if i < 0 {
		return false
	}
	q.lines = slices.Delete(q.lines, i, i+1)
	l.flying, l.sent, l.subs = nil, nil, nil
	return true
}
