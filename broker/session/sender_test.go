package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-voice/hark/broker/session"
	"github.com/hark-voice/hark/broker/topic"
)

var device = topic.Device{Home: "h", ID: "d"}

// store is an outbox whose rows may outlive their settling for a while, as Settle
// may return before the removal is durable.
type store struct {
	mu      sync.Mutex
	rows    []topic.Outbound
	settled map[string]bool
	lag     bool
	err     error
	largest int // read at once
}

func (s *store) Owed(_ context.Context, _ topic.Device, limit int) ([]topic.Outbound, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lag {
		s.rows = slices.DeleteFunc(s.rows, func(m topic.Outbound) bool { return s.settled[m.ID] })
	}
	s.largest = max(s.largest, limit)
	return slices.Clone(s.rows[:min(limit, len(s.rows))]), s.err
}

func (s *store) Settle(_ context.Context, ids ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for _, id := range ids {
		s.settled[id] = true
	}
	return nil
}

func (s *store) put(m topic.Outbound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, m)
}

// conn is a client that collects what it is sent.
type conn struct {
	mu     sync.Mutex
	got    []string
	unread []uint16 // packet ids that it has not acknowledged
	next   uint16
	err    error
}

func (c *conn) Send(p session.Publish) (uint16, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.got = append(c.got, string(p.Payload))
	if p.QoS == 0 {
		return 0, nil
	}
	c.next++
	c.unread = append(c.unread, c.next)
	return c.next, nil
}

// read takes the oldest packet id to acknowledge, zero if there is none.
func (c *conn) read() uint16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unread) == 0 {
		return 0
	}
	id := c.unread[0]
	c.unread = c.unread[1:]
	return id
}

func (c *conn) received() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func message(n int) topic.Outbound {
	return topic.Outbound{ID: fmt.Sprintf("%06d", n), Device: device, Topic: device.Topic(topic.Reply), Payload: fmt.Appendf(nil, "%06d", n)}
}

type clock struct{}

func (clock) Now() time.Time { return time.Unix(1_700_000_000, 0) }

// run gives a running Sender to a test, in a bubble where waiting is exact.
func run(t *testing.T, o session.Options, test func(s *session.Sender, st *store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := &store{settled: make(map[string]bool)}
		o.Outbox, o.Clock, o.Log = st, clock{}, slog.New(slog.DiscardHandler)
		s, err := session.NewSender(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		test(s, st)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

var everything = []session.Subscription{{Filter: "hark/h/d/#", QoS: 1}}

func join(s *session.Sender, c *conn, subs []session.Subscription) *session.Line {
	l := s.Join(device, c, 0)
	s.Subscribing(l, subs)
	s.Subscribed(l)
	return l
}

// Whatever happens: a connection gets each message at most once, durable ones in
// the order of the outbox, and in the end all are settled.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(60) {
		run(t, session.Options{Window: 3, MaxMessages: 40}, func(s *session.Sender, st *store) {
			r := rand.New(rand.NewPCG(seed, 0))
			lives := life{t: t, s: s, st: st, r: r, early: make(map[string]bool)}
			for range 600 {
				lives.step()
			}
			lives.end()
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

type life struct {
	t       *testing.T
	s       *session.Sender
	st      *store
	r       *rand.Rand
	n       int
	pending []topic.Outbound // in the order of their commits to come
	early   map[string]bool
	lines   []*session.Line
	conns   []*conn
}

func (l *life) step() {
	switch l.r.IntN(10) {
	case 0:
		if len(l.lines) < 3 {
			c := &conn{}
			l.conns = append(l.conns, c)
			l.lines = append(l.lines, join(l.s, c, everything))
		}
	case 1:
		if i := len(l.lines) - 1; i >= 0 && l.r.IntN(3) == 0 {
			l.s.Leave(l.lines[i])
			l.check(l.conns[i])
			l.lines, l.conns = l.lines[:i], l.conns[:i]
		}
	case 2:
		l.st.mu.Lock()
		l.st.err = nil
		if l.r.IntN(8) == 0 {
			l.st.err = errors.New("away")
		}
		l.st.lag = l.r.IntN(2) == 0
		l.st.mu.Unlock()
	case 3:
		synctest.Wait()
	case 4:
		for i, c := range l.conns {
			for l.r.IntN(4) > 0 {
				if id := c.read(); id > 0 {
					l.s.Acked(l.lines[i], id)
				}
			}
		}
	default:
		l.n++
		m := message(l.n)
		l.pending = append(l.pending, m)
		if l.r.IntN(2) == 0 {
			l.early[m.ID] = true
			l.s.Deliver(m, false)
		}
		for len(l.pending) > 0 && l.r.IntN(3) > 0 {
			l.commit()
		}
	}
}

func (l *life) commit() {
	m := l.pending[0]
	l.pending = l.pending[1:]
	l.st.put(m)
	if l.r.IntN(5) == 0 {
		synctest.Wait()
	}
	l.s.Deliver(m, true)
}

// check looks at all that a connection got. What was sent early may have
// overtaken what was not yet committed.
func (l *life) check(c *conn) {
	l.t.Helper()
	last, seen := "", make(map[string]bool)
	for _, id := range c.received() {
		if seen[id] {
			l.t.Errorf("%s was sent twice", id)
		}
		seen[id] = true
		if l.early[id] {
			continue
		}
		if id < last {
			l.t.Errorf("%s was sent after %s", id, last)
		}
		last = id
	}
}

// end lets everything be committed and acknowledged.
func (l *life) end() {
	l.t.Helper()
	l.st.mu.Lock()
	l.st.err, l.st.lag = nil, false
	l.st.mu.Unlock()
	for len(l.pending) > 0 {
		l.commit()
	}
	c := &conn{}
	l.conns = append(l.conns, c)
	l.lines = append(l.lines, join(l.s, c, everything))
	for range 4 * l.n {
		synctest.Wait()
		time.Sleep(time.Second) // in the bubble: retries are due
		for i, c := range l.conns {
			for id := c.read(); id > 0; id = c.read() {
				l.s.Acked(l.lines[i], id)
			}
		}
		if l.settled() == l.n {
			break
		}
	}
	if got := l.settled(); got != l.n {
		l.t.Errorf("%d of %d settled", got, l.n)
	}
	for _, c := range l.conns {
		l.check(c)
	}
}

func (l *life) settled() int {
	l.st.mu.Lock()
	defer l.st.mu.Unlock()
	return len(l.st.settled)
}

// However much is owed, memory holds a bounded part of it, and the outbox is read
// by pages.
func TestBounds(t *testing.T) {
	run(t, session.Options{Window: 2, MaxMessages: 10, MaxBytes: 400}, func(s *session.Sender, st *store) {
		c := &conn{}
		l := join(s, c, everything)
		synctest.Wait()
		const n = 1000
		for i := range n {
			st.put(message(i))
			s.Deliver(message(i), true)
		}
		for id := c.read(); id > 0; id = c.read() {
			s.Acked(l, id)
			time.Sleep(10 * time.Millisecond) // in the bubble: what is done is settled
		}
		if got := len(c.received()); got != n {
			t.Errorf("%d of %d sent", got, n)
		}
		if st.largest > 200 {
			t.Errorf("%d messages were read at once", st.largest)
		}
	})
}

func TestBusyConnection(t *testing.T) {
	run(t, session.Options{}, func(s *session.Sender, st *store) {
		c := &conn{err: session.ErrBusy}
		l := join(s, c, everything)
		synctest.Wait()
		st.put(message(1))
		s.Deliver(message(1), true)
		c.fail(nil)
		s.Acked(l, 0) // there is room again
		if len(c.received()) != 1 {
			t.Errorf("got %v", c.received())
		}
		s.Leave(l)
		s.Deliver(message(2), true)
		if len(c.received()) != 1 {
			t.Error("sent after Leave")
		}
	})
}

// What a connection at QoS 0 was given is done once no connection at QoS 1 is left
// to acknowledge it.
func TestWrittenThenAlone(t *testing.T) {
	run(t, session.Options{}, func(s *session.Sender, st *store) {
		q0, q1 := &conn{}, &conn{}
		join(s, q0, []session.Subscription{{Filter: "hark/h/d/+", QoS: 0}})
		l := join(s, q1, everything)
		synctest.Wait()
		st.put(message(1))
		s.Deliver(message(1), true)
		synctest.Wait()
		if len(st.settled) != 0 || len(q0.received()) != 1 || len(q1.received()) != 1 {
			t.Errorf("settled %v, sent %v and %v", st.settled, q0.received(), q1.received())
		}
		s.Leave(l)
		time.Sleep(time.Second) // in the bubble: what is done is settled
		synctest.Wait()
		if !st.settled[message(1).ID] {
			t.Error("not settled")
		}
	})
}
