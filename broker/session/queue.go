package session

import (
	"errors"
	"math"
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
	last   match             // of the topic that was asked for last: mostly it is asked for again
	held   bool              // the client is just being told of its subscriptions
	sent   map[*entry]bool   // entries sent on it and not finished; true: it will acknowledge
	flying map[uint16]*entry // sent at QoS 1 and not yet acknowledged on it
}

// match is how a connection is subscribed to a topic.
type match struct {
	topic string
	ok    bool  // it is
	qos   byte  // the highest of the subscriptions that match
	ids   []int // their identifiers
}

// subscribe sets what a connection is subscribed to.
func (l *Line) subscribe(subs []Subscription) {
	l.subs, l.last = subs, match{}
}

// match returns how the connection is subscribed to a topic.
func (l *Line) match(name string) match {
	if l.last.topic == name {
		return l.last
	}
	m := match{topic: name}
	for _, sub := range l.subs {
		filter, _ := topic.Unshare(sub.Filter)
		if !topic.Match(filter, name) {
			continue
		}
		m.ok = true
		m.qos = max(m.qos, min(sub.QoS, 1))
		if sub.ID > 0 {
			m.ids = append(m.ids, sub.ID)
		}
	}
	slices.Sort(m.ids)
	l.last = m
	return m
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
	full    bool // a message did not fit, and none was forgotten since
	missed  bool // a message was left to the outbox meanwhile
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
		q.missed = true // it is read from the outbox in its turn
		return
	case !q.wanted(m.Topic):
		q.drop(e)
		return
	case !q.fits(e):
		if k != transient {
			q.more, q.missed, q.full = true, true, true
		}
		q.drop(e)
		return
	}
	q.add(e)
	q.pump(k == early) // others are sent together with what they answer
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

// fits tells whether there is room for a message. One alone always has room, or it
// would be in the way for ever.
func (q *queue) fits(e *entry) bool {
	return len(q.entries) == 0 || len(q.entries) < q.s.opts.MaxMessages && q.bytes+e.size() <= q.s.opts.MaxBytes
}

// wanted tells whether some connection is subscribed to a topic.
func (q *queue) wanted(name string) bool {
	return slices.ContainsFunc(q.lines, func(l *Line) bool {
		return l.match(name).ok
	})
}

// pump sends what may be sent now, in order on each connection. It costs as much
// as there is in flight, not as there is waiting. See Publish for alone.
func (q *queue) pump(alone bool) {
	if q.gone {
		return
	}
	p := pumping{now: q.s.opts.Clock.Now(), alone: alone}
	hungry := false
	for _, l := range q.lines {
		if q.pumpLine(l, &p) {
			hungry = true
		}
	}
	for _, e := range p.expired {
		q.expire(e)
	}
	q.finishWritten(p.written)
	if q.more && hungry && !q.loading && !q.full {
		q.load()
	}
}

// pumping is what a pump comes across that must wait for its end.
type pumping struct {
	now     time.Time
	alone   bool
	expired []*entry // and not yet sent
	written []*entry // at QoS 0
}

// pumpLine sends on one connection. It returns whether the connection has room
// for more than there was.
func (q *queue) pumpLine(l *Line, p *pumping) (hungry bool) {
	for _, e := range q.entries {
		if l.held || len(l.flying) >= l.window {
			return false
		}
		if _, sent := l.sent[e]; sent || q.loading && e.kind != transient {
			continue
		}
		if expired(e.m, p.now) {
			p.expired = append(p.expired, e)
			continue
		}
		sub := l.match(e.m.Topic)
		if !sub.ok {
			continue
		}
		qos := sub.qos
		id, err := l.conn.Send(Publish{
			Topic: e.m.Topic, Payload: e.m.Payload, QoS: qos, Correlation: e.m.Correlation,
			SubscriptionIDs: sub.ids, Expiry: secondsLeft(e.m, p.now), Alone: p.alone,
		})
		switch {
		case errors.Is(err, ErrTooLarge): // MQTT 5, 3.1.2.11.4: as if it had been sent
			q.s.dropped.Add(1)
			qos = 0
		case err != nil:
			return false // busy, or ending
		default:
			q.s.sent.Add(1)
		}
		l.sent[e] = qos > 0
		if qos > 0 {
			l.flying[id] = e
		} else {
			e.written = true
			p.written = append(p.written, e)
		}
	}
	return true
}

// finishWritten ends those of the entries that were written at QoS 0 and that no
// connection will acknowledge.
func (q *queue) finishWritten(entries []*entry) {
	for _, e := range entries {
		if e.written && !q.awaited(e) {
			q.finish(e)
		}
	}
}

// awaited tells whether a connection has acknowledged, or may yet acknowledge, a
// message at QoS 1.
func (q *queue) awaited(e *entry) bool {
	return slices.ContainsFunc(q.lines, func(l *Line) bool {
		awaits, sent := l.sent[e]
		return awaits || !sent && l.match(e.m.Topic).qos > 0
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
	if i := slices.Index(q.entries, e); i >= 0 {
		q.entries = slices.Delete(q.entries, i, i+1)
	}
	q.bytes -= e.size()
	q.full = false
	for _, l := range q.lines {
		delete(l.sent, e)
	}
}

// expire forgets a message that is too old to be sent, unless it was sent.
func (q *queue) expire(e *entry) {
	if q.byID[e.m.ID] != e || q.sentAnywhere(e) {
		return
	}
	q.forget(e)
	q.s.expired.Add(1)
	if e.kind == owed {
		q.s.settled(e.m.ID)
	}
}

func expired(m topic.Outbound, now time.Time) bool {
	return !m.Expires.IsZero() && !now.Before(m.Expires)
}

// secondsLeft is the message expiry interval of MQTT 5, rounded up.
func secondsLeft(m topic.Outbound, now time.Time) uint32 {
	if m.Expires.IsZero() {
		return 0
	}
	left := (m.Expires.Sub(now) + time.Second - 1) / time.Second
	return uint32(min(max(left, 1), math.MaxUint32))
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
	l.flying, l.sent = nil, nil
	l.subscribe(nil)
	return true
}
