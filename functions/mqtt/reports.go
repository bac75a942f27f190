package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/household"
)

// Household takes what devices report besides utterances.
type Household interface {
	Report(ctx context.Context, r *assistant.Report) error
	Acknowledge(ctx context.Context, a *household.Ack) error
	View(ctx context.Context, home string) (*household.View, error)
}

// inOrder tells which messages of a device must be taken in one after another:
// the last one says how things are. Readings carry their time.
func inOrder(k topic.Kind) bool {
	return k == topic.Hello || k == topic.State || k == topic.Status || k == topic.Ack
}

// after returns a channel that is closed when the messages of a device that came
// before are done, and a function that says that this one is.
func (a *Adapter) after(d topic.Device) (before <-chan struct{}, done func()) {
	a.lanesMu.Lock()
	defer a.lanesMu.Unlock()
	last, mine := a.lanes[d], make(chan struct{})
	a.lanes[d] = mine
	if last == nil {
		last = make(chan struct{})
		close(last)
	}
	return last, func() {
		a.lanesMu.Lock()
		defer a.lanesMu.Unlock()
		close(mine)
		if a.lanes[d] == mine {
			delete(a.lanes, d)
		}
	}
}

// report takes a message in that is no utterance.
func (a *Adapter) report(ctx context.Context, m topic.Inbound) error {
	home, device := m.Device.Home, m.Device.ID
	var r *assistant.Report
	var bad *assistant.Error
	switch m.Kind {
	case topic.Hello:
		return a.hello(ctx, m)
	case topic.Reading:
		r, bad = DecodeReadings(m.Payload, home, device, m.Received)
	case topic.State:
		r, bad = DecodeState(m.Payload, home, device, m.Received)
	case topic.Status:
		r, bad = DecodeStatus(m.Payload, home, device)
	case topic.Ack:
		var ack *household.Ack
		if ack, bad = DecodeAck(m.Payload, home, device, m.Received); bad == nil {
			return a.untilDurable(ctx, func() error { return a.Household.Acknowledge(ctx, ack) })
		}
	default:
		return errors.New("no reader for topic " + string(m.Kind))
	}
	if bad != nil {
		a.count(m, bad)
		return nil
	}
	return a.untilDurable(ctx, func() error { return a.Household.Report(ctx, r) })
}

// hello makes a device known and welcomes it.
func (a *Adapter) hello(ctx context.Context, m topic.Inbound) error {
	h, bad := DecodeHello(m.Payload, m.Device.Home, m.Device.ID)
	if bad != nil {
		a.count(m, bad)
		a.welcome(m, &wireWelcome{ID: h.ID, Error: bad})
		return nil
	}
	if err := a.untilDurable(ctx, func() error { return a.Household.Report(ctx, &h.Report) }); err != nil {
		return err
	}
	view, err := a.Household.View(ctx, m.Device.Home)
	if err != nil {
		return err
	}
	a.welcome(m, &wireWelcome{
		ID: h.ID, Zone: view.Home.Zone, Lang: view.Devices[m.Device.ID].Language(view.Home),
		Limits: map[string]int{"text": MaxText, "readings": MaxReadings, "entities": maxEntities},
	})
	return nil
}

type wireWelcome struct {
	ID     string           `json:"id"`
	V      int              `json:"v"`
	Now    int64            `json:"now"`
	Zone   string           `json:"tz,omitempty"`
	Lang   string           `json:"lang,omitempty"`
	Limits map[string]int   `json:"limits,omitempty"`
	Error  *assistant.Error `json:"error,omitempty"`
}

func (a *Adapter) welcome(m topic.Inbound, w *wireWelcome) {
	w.V, w.Now = 1, a.Clock.Now().UnixMilli()
	payload, err := json.Marshal(w)
	if err != nil {
		a.Logger.Error("welcome dropped", "device", m.Device.String(), "error", err)
		return
	}
	a.door.DeliverTransient(topic.Outbound{Device: m.Device, Topic: m.Device.Topic(topic.Welcome), Payload: payload})
}

// count notes a message that cannot be read and that nobody waits for an answer to.
func (a *Adapter) count(m topic.Inbound, e *assistant.Error) {
	a.refused.Add(1)
	a.Logger.Info("message refused", "device", m.Device.String(), "topic", m.Kind, "code", e.Code, "reason", e.Message)
}

// untilDurable tries again while the store is away. The message stays
// unacknowledged for so long, and the device's window bounds how many wait.
func (a *Adapter) untilDurable(ctx context.Context, record func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := record()
		if !errors.Is(err, assistant.ErrStoreAway) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
