package broker_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
)

// clock is a clock that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// credentials is a credential store in memory.
type credentials struct {
	mu    sync.Mutex
	byDev map[topic.Device][]topic.Credential
	err   error
	reads int
	gate  func() // passed by each read
}

func (s *credentials) Credentials(_ context.Context, d topic.Device) ([]topic.Credential, error) {
	if s.gate != nil {
		s.gate()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return slices.Clone(s.byDev[d]), s.err
}

func (s *credentials) PutCredential(_ context.Context, c topic.Credential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byDev == nil {
		s.byDev = make(map[topic.Device][]topic.Credential)
	}
	s.byDev[c.Device] = append(s.byDev[c.Device], c)
	return nil
}

func (s *credentials) ReplaceCredentials(_ context.Context, c topic.Credential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byDev[c.Device] = []topic.Credential{c}
	return nil
}

func (s *credentials) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// outbox is a durable list in memory.
type outbox struct {
	mu      sync.Mutex
	rows    []topic.Outbound
	settled []string
	err     error
	changed chan struct{} // closed and renewed at each Settle
}

func newOutbox() *outbox { return &outbox{changed: make(chan struct{})} }

func (o *outbox) Owed(_ context.Context, d topic.Device, limit int) ([]topic.Outbound, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var owed []topic.Outbound
	for _, m := range o.rows {
		if m.Device == d && len(owed) < limit {
			owed = append(owed, m)
		}
	}
	return owed, o.err
}

func (o *outbox) Settle(_ context.Context, ids ...string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	o.rows = slices.DeleteFunc(o.rows, func(m topic.Outbound) bool { return slices.Contains(ids, m.ID) })
	o.settled = append(o.settled, ids...)
	close(o.changed)
	o.changed = make(chan struct{})
	return nil
}

func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

func (o *outbox) put(ms ...topic.Outbound) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows = append(o.rows, ms...)
}

func (o *outbox) left() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ids []string
	for _, m := range o.rows {
		ids = append(ids, m.ID)
	}
	return ids
}

// awaitLeft waits until so many rows are left.
func (o *outbox) awaitLeft(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		left, changed := len(o.rows), o.changed
		o.mu.Unlock()
		if left == n {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d messages are still owed, want %d", left, n)
		}
	}
}

// consumer gives what it consumes to a channel.
type consumer struct {
	got chan topic.Inbound
}

func (c *consumer) Consume(m topic.Inbound) { c.got <- m }

func (c *consumer) next(t *testing.T) topic.Inbound {
	t.Helper()
	select {
	case m := <-c.got:
		return m
	case <-time.After(patience):
		t.Fatal("nothing was consumed")
		panic("unreachable")
	}
}

// none checks that nothing is consumed any more, given that whatever could have
// been was answered before.
func (c *consumer) none(t *testing.T) {
	t.Helper()
	select {
	case m := <-c.got:
		t.Fatalf("consumed %s %q", m.Kind, m.Payload)
	default:
	}
}

// patience is how long a test waits for what must come, however busy the machine:
// only what is broken takes so long.
const patience = time.Minute

var errAway = errors.New("the store is away")

// house is a running broker and the parts around it.
type house struct {
	*broker.Broker
	clock       *clock
	credentials *credentials
	outbox      *outbox
	consumer    *consumer
	addr        string
	stop        func() error
}

const password = "0123456789abcdef0123456789abcdef"

var (
	kitchen = topic.Device{Home: "demo", ID: "kitchen"}
	bedroom = topic.Device{Home: "demo", ID: "bedroom"}
	foreign = topic.Device{Home: "other", ID: "kitchen"}
)

// open runs a broker with three devices until the test ends.
func open(tb testing.TB, change ...func(*broker.Options)) *house {
	tb.Helper()
	h := &house{clock: newClock(), credentials: &credentials{}, outbox: newOutbox(), consumer: &consumer{got: make(chan topic.Inbound, 1000)}}
	for _, d := range []topic.Device{kitchen, bedroom, foreign} {
		_ = h.credentials.PutCredential(tb.Context(), topic.Credential{Device: d, ID: d.String(), Hash: sha256.Sum256([]byte(password))})
	}
	o := broker.Options{
		Address: "127.0.0.1:0", Consumer: h.consumer, Credentials: h.credentials, Outbox: h.outbox, Clock: h.clock,
		Log: testLog(tb), Grace: 100 * time.Millisecond, ConnectTimeout: patience,
	}
	for _, f := range change {
		f(&o)
	}
	b, err := broker.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-ended:
		tb.Fatalf("the broker did not start: %v", err)
	}
	h.Broker, h.addr = b, b.Addr().String()
	h.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	tb.Cleanup(func() {
		if err := h.stop(); err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
	return h
}

func testLog(tb testing.TB) *slog.Logger {
	tb.Helper()
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("not %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
