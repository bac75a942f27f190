package session

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"golang.org/x/sync/errgroup"
)

// What Conn.Send may return besides any other error, which means that the
// connection is ending.
var (
	ErrTooLarge = errors.New("message is larger than the client accepts")
	ErrBusy     = errors.New("client accepts no more unacknowledged messages for now")
)

const (
	page       = 64 // messages read from the outbox beyond those in memory
	loaders    = 4  // devices whose outbox is read at the same time
	retryAfter = 250 * time.Millisecond
	settleMax  = 256                  // ids settled at once
	settleLag  = 5 * time.Millisecond // so that many are settled at once
	settleHeld = 1 << 16              // ids that wait while the store is away; those beyond are sent again some day
	drainTime  = 2 * time.Second
)

// Conn is a client's connection.
type Conn interface {
	// Send writes a publish without blocking. It returns the packet id under which
	// the client will acknowledge, zero at QoS 0.
	Send(p Publish) (packetID uint16, err error)
}

// Publish is a message as one connection gets it.
type Publish struct {
	Topic           string
	Payload         []byte
	QoS             byte   // 0 or 1
	Expiry          uint32 // seconds left, rounded up; zero: none
	Correlation     []byte
	SubscriptionIDs []int
	// Alone says that nothing is about to follow: there is no use in waiting for more
	// to write together with it.
	Alone bool
}

// Subscription is a filter that was granted to a connection.
type Subscription struct {
	Filter string // a shared one counts as a plain one
	QoS    byte
	ID     int // MQTT 5 subscription identifier; zero: none
}

// Options of a Sender. Zero limits take the defaults named at them.
type Options struct {
	Outbox topic.Outbox
	Clock  topic.Clock
	Log    *slog.Logger
	Window int // unacknowledged messages per connection: 16
	// MaxMessages and MaxBytes bound what waits in memory for one device: 1,000
	// and 1 MiB. What is durable and does not fit is read from the outbox later.
	MaxMessages int
	MaxBytes    int
}

// Stats counts messages to devices since the start.
type Stats struct {
	Subscribers int    // connections that are subscribed to something, now
	Sent        uint64 // publishes written, one for each connection
	Done        uint64 // acknowledged, or written at QoS 0
	Expired     uint64
	Dropped     uint64 // transient ones without room or subscriber, and those larger than the client accepts
}

// Sender sends what is owed to devices. It is safe for concurrent use.
type Sender struct {
	opts Options

	mu     sync.Mutex
	queues map[topic.Device]*queue // of devices with a connection

	loads  *mailbox[*queue] // each at most once
	settle *mailbox[string]
	acked  *recent

	sent, done, expired, dropped atomic.Uint64
}

// NewSender returns a Sender. It reads and settles only while it runs.
func NewSender(o Options) (*Sender, error) {
	if o.Outbox == nil || o.Clock == nil || o.Log == nil {
		return nil, errors.New("session: an outbox, a clock and a log are needed")
	}
	o.Window = orDefault(o.Window, 16)
	o.MaxMessages = orDefault(o.MaxMessages, 1000)
	o.MaxBytes = orDefault(o.MaxBytes, 1<<20)
	return &Sender{
		opts:   o,
		queues: make(map[topic.Device]*queue),
		loads:  newMailbox[*queue](0),
		settle: newMailbox[string](settleLag),
		acked:  newRecent(),
	}, nil
}

func orDefault(v, d int) int {
	if v <= 0 {
		return d
	}
	return v
}

// Run reads outboxes and settles messages until ctx ends, and then settles what
// was still acknowledged.
func (s *Sender) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { s.runLoads(ctx); return nil })
	g.Go(func() error { s.runSettle(ctx); return nil })
	return g.Wait()
}

// Stats returns the counters.
func (s *Sender) Stats() Stats {
	st := Stats{Sent: s.sent.Load(), Done: s.done.Load(), Expired: s.expired.Load(), Dropped: s.dropped.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		st.Subscribers += q.subscribers()
	}
	return st
}

// Deliver sends a message to the connections of its device that are subscribed to
// its topic. A durable message stands in the outbox already, and is settled there
// at the first acknowledgement. One that is not durable yet is sent early: it is
// settled once Deliver is called again with durable set, and never if it is not.
func (s *Sender) Deliver(m topic.Outbound, durable bool) {
	k := early
	if durable {
		k = owed
	}
	s.deliver(m, k)
}

// Acknowledged tells whether a message is among those that devices acknowledged
// last.
func (s *Sender) Acknowledged(id string) bool { return s.acked.has(id) }

// DeliverTransient sends a message that is never stored to the connections that
// are subscribed now; where there is none, it is gone.
func (s *Sender) DeliverTransient(m topic.Outbound) { s.deliver(m, transient) }

func (s *Sender) deliver(m topic.Outbound, k kind) {
	s.mu.Lock()
	q := s.queues[m.Device]
	s.mu.Unlock()
	if q != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
	}
	if k == owed && s.acked.has(m.ID) {
		s.settled(m.ID)
		return
	}
	if q != nil {
		q.deliver(m, k)
	}
}

// Join adds a connection of a device. At most window messages, if that is less
// than the Sender's own, are unacknowledged on it at any time; zero sets no limit.
func (s *Sender) Join(d topic.Device, c Conn, window int) *Line {
	if window <= 0 || window > s.opts.Window {
		window = s.opts.Window
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[d]
	if q == nil {
		q = &queue{s: s, device: d, byID: make(map[string]*entry)}
		s.queues[d] = q
	}
	l := &Line{q: q, conn: c, window: window, sent: make(map[*entry]bool), flying: make(map[uint16]*entry)}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lines = append(q.lines, l)
	return l
}

// Leave takes a connection out. Nothing is sent on it once Leave has returned.
func (s *Sender) Leave(l *Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := l.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.remove(l) {
		return
	}
	if len(q.lines) == 0 {
		q.gone = true
		delete(s.queues, q.device)
		return
	}
	q.finishWritten(slices.Clone(q.entries)) // nobody else may await them
}

// Subscribing tells what a connection is going to be subscribed to, all of it,
// before the client is told so. From now on messages are kept for the connection,
// and what is owed is read, but nothing is sent before Subscribed.
func (s *Sender) Subscribing(l *Line, subs []Subscription) {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	l.subscribe(subs)
	l.held = true
	if len(subs) > 0 {
		l.q.load()
	}
}

// Subscribed sends what there is for a connection whose client has been told of
// its subscriptions.
func (s *Sender) Subscribed(l *Line) {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	l.held = false
	l.q.finishWritten(slices.Clone(l.q.entries)) // it may have been the one that awaited them
	l.q.pump(false)
}

// Acked takes a client's acknowledgement. An unknown packet id means that the
// client may have room again.
func (s *Sender) Acked(l *Line, packetID uint16) {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	if e, ok := l.flying[packetID]; ok {
		delete(l.flying, packetID)
		l.q.finish(e)
	}
	l.q.pump(false)
}

// runLoads reads the outboxes that are asked for.
func (s *Sender) runLoads(ctx context.Context) {
	var g errgroup.Group
	g.SetLimit(loaders)
	defer func() { _ = g.Wait() }() // load keeps its errors to itself
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.loads.wake:
		}
		for _, q := range s.loads.take(0) {
			g.Go(func() error { s.load(ctx, q); return nil })
		}
	}
}

func (s *Sender) load(ctx context.Context, q *queue) {
	limit, ok := q.loadLimit()
	if !ok {
		return
	}
	rows, err := s.opts.Outbox.Owed(ctx, q.device, limit)
	if err != nil {
		if ctx.Err() == nil {
			s.opts.Log.Warn("cannot read what is owed to a device; trying again", "device", q.device.String(), "error", err)
			time.AfterFunc(retryAfter, func() { s.loads.put(q) })
		}
		return
	}
	q.loaded(rows, limit)
}

// settled notes that a device has a message whose row is, or may be, written.
func (s *Sender) settled(id string) {
	s.acked.add(id)
	if s.settle.len() < settleHeld {
		s.settle.put(id)
	}
}

// runSettle settles in batches until ctx ends, and then what is left.
func (s *Sender) runSettle(ctx context.Context) {
	for await(ctx, s.settle.wake) {
		if !s.settleAll(ctx) && ctx.Err() == nil {
			time.AfterFunc(retryAfter, s.settle.signal)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	s.settleAll(last) // what stays is sent once more, which devices expect
}

// await waits until c receives; false if ctx ends first.
func await[T any](ctx context.Context, c <-chan T) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Sender) settleAll(ctx context.Context) bool {
	for {
		ids := s.settle.take(settleMax)
		if len(ids) == 0 {
			return true
		}
		if err := s.opts.Outbox.Settle(ctx, ids...); err != nil {
			s.settle.untake(ids)
			if ctx.Err() == nil {
				s.opts.Log.Warn("cannot settle messages that devices have; trying again", "messages", len(ids), "error", err)
			}
			return false
		}
	}
}
