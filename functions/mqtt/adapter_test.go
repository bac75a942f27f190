package mqtt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/dialogue"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/mqtt"
	"github.com/hark-voice/hark/functions/sqlite"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// roadFunc is a road that is a function.
type roadFunc func(ctx context.Context, u *assistant.Utterance) (*assistant.Turn, error)

func (f roadFunc) Utterance(ctx context.Context, u *assistant.Utterance) (*assistant.Turn, error) {
	return f(ctx, u)
}

// door records what goes out.
type door struct {
	mu        sync.Mutex
	owed      []topic.Outbound
	durable   []bool
	transient []topic.Outbound

	acknowledged string // the id of a message
}

func (d *door) Deliver(m topic.Outbound, durable bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owed, d.durable = append(d.owed, m), append(d.durable, durable)
}

func (d *door) Acknowledged(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return id == d.acknowledged
}

func (d *door) DeliverTransient(m topic.Outbound) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.transient = append(d.transient, m)
}

func kitchen() topic.Device { return topic.Device{Home: "flat", ID: "kitchen"} }

func now() time.Time { return time.UnixMilli(1767323045000) }

// adapt joins a road to a door on a real store.
func adapt(t *testing.T, road roadFunc) (*mqtt.Adapter, *door, *sqlite.Store) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "hark.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	clock := assistant.NewManualClock(now())
	homes, err := household.New(household.Options{Store: store, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	phrases, err := dialogue.LoadPhrases()
	if err != nil {
		t.Fatal(err)
	}
	a, d := mqtt.NewAdapter(mqtt.Options{Outbox: store, Household: homes, Phrases: phrases, Clock: clock}), &door{}
	a.Connect(road, d)
	return a, d, store
}

// message is an utterance of the kitchen, and how often it was acknowledged.
func message(payload string) (topic.Inbound, *atomic.Int32) {
	acks := &atomic.Int32{}
	return topic.Inbound{
		Device: kitchen(), Kind: topic.Utterance, Payload: []byte(payload), Received: now(), Expires: now().Add(time.Second),
		ResponseTopic: "hark/flat/kitchen/mine", Correlation: []byte{1, 2}, Ack: func() { acks.Add(1) },
	}, acks
}

func drain(a *mqtt.Adapter) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a.Drain(ctx)
}

func TestAMessageIsAcknowledgedWhenItsTurnIsDurable(t *testing.T) {
	begun, durable := make(chan *assistant.Utterance, 1), make(chan struct{})
	a, _, _ := adapt(t, func(_ context.Context, u *assistant.Utterance) (*assistant.Turn, error) {
		begun <- u
		<-durable
		return &assistant.Turn{}, nil
	})
	m, acks := message(`{"id":"a1","text":"what time is it","lang":"en"}`)
	a.Consume(m) // returns although the road takes its time
	u := <-begun
	if u.Home != "flat" || u.Device != "kitchen" || u.ID != "a1" || u.Text != "what time is it" || u.Lang != "en" || !u.Received.Equal(m.Received) ||
		!u.Expires.Equal(m.Expires) || u.ReplyTo.Topic != m.ResponseTopic || string(u.ReplyTo.Correlation) != "\x01\x02" || u.Digest == "" {
		t.Errorf("utterance %+v", u)
	}
	if acks.Load() != 0 {
		t.Error("acknowledged before it was durable")
	}
	close(durable)
	drain(a)
	if acks.Load() != 1 || a.Refused() != 0 {
		t.Errorf("acknowledged %d times, %d refused", acks.Load(), a.Refused())
	}
}

func TestAnIntentGoesTheSameWay(t *testing.T) {
	got := make(chan *assistant.Utterance, 1)
	a, _, _ := adapt(t, func(_ context.Context, u *assistant.Utterance) (*assistant.Turn, error) { got <- u; return nil, nil })
	m, acks := message(`{"id":"a1","intent":"timer.SetTimer","slots":{"duration":5}}`)
	m.Kind = topic.Intent
	a.Consume(m)
	drain(a)
	if u := <-got; u.Intent == nil || u.Intent.Name != "timer.SetTimer" || u.Intent.Slots["duration"].Value != 5.0 || acks.Load() != 1 {
		t.Errorf("utterance %+v, acknowledged %d times", u, acks.Load())
	}
}

func TestWhatIsNotDurableIsNotAcknowledged(t *testing.T) {
	a, d, _ := adapt(t, func(context.Context, *assistant.Utterance) (*assistant.Turn, error) {
		return nil, errors.New("the disk is on fire")
	})
	m, acks := message(`{"id":"a1","text":"what time is it"}`)
	a.Consume(m)
	other, otherAcks := message(`{"id":"a1","text":"what time is it"}`)
	other.Kind = topic.Reply // of which nobody reads
	a.Consume(other)
	drain(a)
	if acks.Load() != 0 || otherAcks.Load() != 0 || len(d.transient)+len(d.owed) != 0 {
		t.Errorf("acknowledged %d and %d times, sent %+v", acks.Load(), otherAcks.Load(), d.transient)
	}
}

func TestWhatCannotBeReadIsRefusedAndAcknowledged(t *testing.T) {
	a, d, _ := adapt(t, func(_ context.Context, u *assistant.Utterance) (*assistant.Turn, error) {
		t.Errorf("the road got %+v", u)
		return nil, nil
	})
	payloads := map[string]string{ // to the id of the answer
		"": "", "{": "", `{"text":"hi"}`: "", `{"id":"a1"}`: "a1", `{"id":"a2","text":5}`: "a2", "{\"text\":\"\xff\"}": "",
	}
	for payload, id := range payloads {
		before := len(d.transient)
		m, acks := message(payload)
		a.Consume(m)
		await(t, func() bool { return acks.Load() > 0 })
		if acks.Load() != 1 || len(d.transient) != before+1 {
			t.Fatalf("%q: acknowledged %d times, %d answers", payload, acks.Load(), len(d.transient)-before)
		}
		var r struct {
			ID      string
			Error   assistant.Error
			Expect  string
			Expires int64
		}
		out := d.transient[before]
		if err := json.Unmarshal(out.Payload, &r); err != nil {
			t.Fatal(err)
		}
		if r.ID != id || r.Error.Code != assistant.CodeBadRequest || r.Error.Message == "" || r.Expect != "none" || r.Expires <= now().UnixMilli() ||
			out.Topic != m.ResponseTopic || string(out.Correlation) != "\x01\x02" || out.Device != kitchen() {
			t.Errorf("%q is answered on %s with %s", payload, out.Topic, out.Payload)
		}
	}
	if got := a.Refused(); got != int64(len(payloads)) {
		t.Errorf("%d refused, want %d", got, len(payloads))
	}
	drain(a)
}

// await waits until a condition holds that another goroutine brings about.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not come about")
		}
	}
}

// Drain waits for what is under way; what comes later is left for another time.
func TestDrainWaits(t *testing.T) {
	begun, finish := make(chan struct{}, 10), make(chan struct{})
	a, _, _ := adapt(t, func(ctx context.Context, _ *assistant.Utterance) (*assistant.Turn, error) {
		begun <- struct{}{}
		select {
		case <-finish:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	m, acks := message(`{"id":"a1","text":"hi"}`)
	a.Consume(m)
	<-begun
	drained := make(chan struct{})
	go func() { drain(a); close(drained) }()
	select {
	case <-drained:
		t.Fatal("Drain did not wait")
	default:
	}
	close(finish)
	<-drained
	if acks.Load() != 1 {
		t.Errorf("acknowledged %d times", acks.Load())
	}
	late, lateAcks := message(`{"id":"a2","text":"hi"}`)
	a.Consume(late)
	drain(a)
	if lateAcks.Load() != 0 || len(begun) != 0 {
		t.Errorf("after the end: acknowledged %d times, taken %d times", lateAcks.Load(), len(begun))
	}
}

func TestDrainGivesUpWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	a, _, _ := adapt(t, func(ctx context.Context, _ *assistant.Utterance) (*assistant.Turn, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	m, acks := message(`{"id":"a1","text":"hi"}`)
	a.Consume(m)
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.Drain(ctx)
	if acks.Load() != 0 {
		t.Error("what was given up was acknowledged")
	}
}

// Messages may still come in while Drain waits.
func TestConsumeWhileDraining(t *testing.T) {
	var taken, acked atomic.Int32
	a, _, _ := adapt(t, func(context.Context, *assistant.Utterance) (*assistant.Turn, error) { taken.Add(1); return nil, nil })
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 200 {
				m, _ := message(`{"id":"a1","text":"hi"}`)
				m.Ack = func() { acked.Add(1) }
				a.Consume(m)
			}
		})
	}
	drain(a)
	if before := taken.Load(); acked.Load() != before {
		t.Errorf("%d taken, %d acknowledged when Drain returned", before, acked.Load())
	}
	wait.Wait()
}

func TestWhatIsOwedIsReadAndSettled(t *testing.T) {
	a, _, store := adapt(t, nil)
	var messages []assistant.Message
	for i, m := range []assistant.Message{
		{Kind: assistant.MessageReply, Reply: &assistant.Reply{ID: "a1", Speech: "noon"}, ReplyTo: assistant.ReplyTo{Topic: "hark/flat/kitchen/mine", Correlation: []byte{7}}},
		{Kind: assistant.MessageSay, Say: &assistant.Say{Speech: "ring", Kind: "timer"}},
		{Kind: assistant.MessageSay}, // says nothing
		{Kind: assistant.MessageCommand, Command: &assistant.Command{Entity: "light.sink", Service: "turn_on"}},
	} {
		m.ID, m.Home, m.Device, m.Created, m.Expires = fmt.Sprint("t1.", i), "flat", "kitchen", now(), now().Add(time.Minute)
		messages = append(messages, m)
	}
	c := &assistant.Commit{Turn: &assistant.Turn{ID: "t1", Home: "flat", Received: now()}, Messages: messages}
	if err := store.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	owed, err := a.Owed(t.Context(), kitchen(), 10)
	if err != nil || len(owed) != 3 {
		t.Fatalf("owed %+v, %v", owed, err)
	}
	for i, want := range []struct{ id, topic, says string }{
		{"t1.0", "hark/flat/kitchen/mine", "noon"}, {"t1.1", "hark/flat/kitchen/say", "ring"}, {"t1.3", "hark/flat/kitchen/command", "light.sink"},
	} {
		got := owed[i]
		if got.ID != want.id || got.Topic != want.topic || !strings.Contains(string(got.Payload), want.says) || got.Device != kitchen() || !got.Expires.Equal(now().Add(time.Minute)) {
			t.Errorf("owed %d: %+v %s", i, got, got.Payload)
		}
	}
	if string(owed[0].Correlation) != "\x07" {
		t.Errorf("correlation %v", owed[0].Correlation)
	}
	if some, err := a.Owed(t.Context(), kitchen(), 1); err != nil || len(some) != 1 || some[0].ID != "t1.0" {
		t.Errorf("the first: %+v, %v", some, err)
	}
	if err := a.Settle(t.Context(), "t1.0", "t1.1", "unknown"); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		owed, err = a.Owed(t.Context(), kitchen(), 10)
		return err != nil || len(owed) == 1
	})
	if err != nil || owed[0].ID != "t1.3" {
		t.Errorf("left %+v, %v", owed, err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Owed(t.Context(), kitchen(), 10); err == nil {
		t.Error("nothing is owed, says a store that is away")
	}
}

func TestMessagesGoToTheDoor(t *testing.T) {
	a, d, _ := adapt(t, nil)
	m := assistant.Message{ID: "t1.0", Home: "flat", Device: "kitchen", Kind: assistant.MessageSay, Say: &assistant.Say{Speech: "ring"}, Expires: now()}
	early := a.DeliverEarly(m)
	if early.Delivered() {
		t.Error("delivered before it was acknowledged")
	}
	if d.acknowledged = m.ID; !early.Delivered() {
		t.Error("not delivered though acknowledged")
	}
	early.Owed()
	a.Send(m)
	a.Deliver(assistant.Message{ID: "t1.1"}) // empty: dropped
	a.DeliverEarly(assistant.Message{ID: "t1.1"}).Owed()
	a.Send(assistant.Message{ID: "t1.1"})
	if len(d.owed) != 2 || d.durable[0] || !d.durable[1] || len(d.transient) != 1 || d.transient[0].Topic != "hark/flat/kitchen/say" {
		t.Errorf("owed %+v, durable %v, sent %+v", d.owed, d.durable, d.transient)
	}
}
