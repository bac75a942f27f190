package mqtt

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/dialogue"
	"github.com/hark-voice/hark/functions/router"
)

// Road takes utterances. It returns once the turn is durable; with an error the
// message must not be acknowledged.
type Road interface {
	Utterance(ctx context.Context, u *assistant.Utterance) (*assistant.Turn, error)
}

// Door is the broker, seen from here.
type Door interface {
	// Deliver sends what is owed; see broker.Deliver.
	Deliver(m topic.Outbound, durable bool)
	// Acknowledged tells whether a device has lately acknowledged a message.
	Acknowledged(messageID string) bool
	// DeliverTransient sends once, to whoever is subscribed now.
	DeliverTransient(m topic.Outbound)
}

// Options of an Adapter.
type Options struct {
	Outbox    assistant.OutboxStore
	Household Household
	Phrases   *dialogue.Phrases
	Clock     assistant.Clock
	Logger    *slog.Logger
}

// Adapter joins a broker of this process to the road. It is the broker's
// consumer and its outbox, and the road's postman. Connect joins the two before
// either runs.
type Adapter struct {
	Options
	road    Road
	door    Door
	running sync.WaitGroup
	mu      sync.Mutex
	shut    bool            // Drain has begun; guarded by mu
	ctx     context.Context //nolint:containedctx // the life of the messages under way, see Run
	cancel  context.CancelFunc
	refused atomic.Int64

	lanesMu sync.Mutex
	lanes   map[topic.Device]chan struct{} // of each device, the last message that is taken in order
}

// NewAdapter returns an Adapter that is not connected yet.
func NewAdapter(o Options) *Adapter {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Adapter{Options: o, lanes: make(map[topic.Device]chan struct{})}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// Connect names the two sides.
func (a *Adapter) Connect(road Road, door Door) { a.road, a.door = road, door }

// Refused counts the messages that could not be decoded.
func (a *Adapter) Refused() int64 { return a.refused.Load() }

// Consume takes a message of a device. It does not block; how many messages are
// under way is bounded by the broker's window for each connection. Once Drain
// has begun, messages are left unacknowledged, so that they come again.
func (a *Adapter) Consume(m topic.Inbound) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shut {
		return
	}
	before, done := (<-chan struct{})(nil), func() {}
	if inOrder(m.Kind) {
		before, done = a.after(m.Device)
	}
	a.running.Go(func() {
		defer done()
		if before != nil {
			<-before
		}
		if err := a.handle(a.ctx, m); err != nil {
			a.Logger.Warn("message left unacknowledged", "device", m.Device.String(), "error", err)
			return
		}
		m.Ack()
	})
}

// Drain waits until all messages under way are done, or ctx ends: those that
// are left then are given up, unacknowledged, and come again.
func (a *Adapter) Drain(ctx context.Context) {
	a.mu.Lock()
	a.shut = true
	a.mu.Unlock()
	done := make(chan struct{})
	go func() { a.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		a.cancel()
		<-done
	}
	a.cancel()
}

func (a *Adapter) handle(ctx context.Context, m topic.Inbound) error {
	var u *assistant.Utterance
	var bad *assistant.Error
	switch m.Kind {
	case topic.Utterance:
		u, bad = DecodeUtterance(m.Payload)
	case topic.Intent:
		u, bad = DecodeIntent(m.Payload)
	default:
		return a.report(ctx, m)
	}
	u.Home, u.Device = m.Device.Home, m.Device.ID
	u.Received, u.Expires = m.Received, m.Expires
	u.ReplyTo = assistant.ReplyTo{Topic: m.ResponseTopic, Correlation: m.Correlation}
	if bad != nil {
		a.refuse(ctx, u, bad)
		return nil
	}
	_, err := a.road.Utterance(ctx, u)
	return err
}

// refuse tells a device that its message cannot be read. Such a message is no
// turn: it may not even have an id.
func (a *Adapter) refuse(ctx context.Context, u *assistant.Utterance, e *assistant.Error) {
	a.refused.Add(1)
	a.Logger.Info("message refused", "device", u.Home+"/"+u.Device, "code", e.Code, "reason", e.Message)
	lang := u.Lang
	if view, err := a.Household.View(ctx, u.Home); err == nil && lang == "" {
		lang = view.Devices[u.Device].Language(view.Home)
	}
	a.Send(assistant.Message{
		Home: u.Home, Device: u.Device, Kind: assistant.MessageReply, ReplyTo: u.ReplyTo,
		Created: a.Clock.Now(), Expires: a.Clock.Now().Add(replyExpires),
		Reply: &assistant.Reply{ID: u.ID, Speech: a.Phrases.Apology(lang, e.Code), Lang: lang, Expect: assistant.ExpectNone, Error: e},
	})
}

// Deliver implements the road's postman.
func (a *Adapter) Deliver(m assistant.Message) {
	if out, ok := a.encode(m); ok {
		a.door.Deliver(out, true)
	}
}

// DeliverEarly implements the road's postman.
func (a *Adapter) DeliverEarly(m assistant.Message) router.Early {
	out, ok := a.encode(m)
	if ok {
		a.door.Deliver(out, false)
	}
	return &early{a.door, out, ok}
}

// early is a message that was sent before it is owed.
type early struct {
	door Door
	out  topic.Outbound
	sent bool
}

// Delivered implements router.Early.
func (e *early) Delivered() bool { return e.sent && e.door.Acknowledged(e.out.ID) }

// Owed implements router.Early.
func (e *early) Owed() {
	if e.sent {
		e.door.Deliver(e.out, true)
	}
}

// Send implements the road's postman.
func (a *Adapter) Send(m assistant.Message) {
	if out, ok := a.encode(m); ok {
		a.door.DeliverTransient(out)
	}
}

// Owed implements the broker's outbox.
func (a *Adapter) Owed(ctx context.Context, d topic.Device, limit int) ([]topic.Outbound, error) {
	messages, err := a.Outbox.Owed(ctx, d.Home, d.ID, limit)
	if err != nil {
		return nil, err
	}
	owed := make([]topic.Outbound, 0, len(messages))
	for _, m := range messages {
		if out, ok := a.encode(m); ok {
			owed = append(owed, out)
		}
	}
	return owed, nil
}

// Settle implements the broker's outbox.
func (a *Adapter) Settle(ctx context.Context, ids ...string) error {
	return a.Outbox.Settle(ctx, ids...)
}

func (a *Adapter) encode(m assistant.Message) (topic.Outbound, bool) {
	out, err := Encode(m)
	if err != nil {
		a.Logger.Error("message dropped", "error", err)
	}
	return out, err == nil
}
