package e2e

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Reply is the payload of a reply.
type Reply struct {
	ID      string `json:"id"`
	Turn    string `json:"turn"`
	Session string `json:"session"`
	Speech  string `json:"speech"`
	Lang    string `json:"lang"`
	Expect  string `json:"expect"`
	Skill   string `json:"skill"`
	Version string `json:"version"`
	Error   *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Expires int64 `json:"expires"`
}

// Say is the payload of a say.
type Say struct {
	ID     string `json:"id"`
	Speech string `json:"speech"`
	Lang   string `json:"lang"`
	Kind   string `json:"kind"`
}

// Device is a speaker on paho: it drops what it has heard before, as the
// contract asks of it, and counts that.
type Device struct {
	t       *testing.T
	login   Login
	client  paho.Client
	replies chan Reply
	says    chan Say

	mu    sync.Mutex
	seen  map[string]int // deliveries by id
	said  []Say          // all that was said, once each
	told  map[string]Reply
	heard chan struct{} // closed and replaced with each delivery
	count int           // messages sent, for ids
}

// Connect connects a device, which stays away after a lost connection.
func Connect(t *testing.T, h *Hark, l Login) *Device {
	t.Helper()
	d := &Device{t: t, login: l, replies: make(chan Reply, 100_000), says: make(chan Say, 100_000), seen: map[string]int{}, told: map[string]Reply{}, heard: make(chan struct{})}
	if err := d.connect(h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.client.Disconnect(0) })
	return d
}

func (d *Device) connect(h *Hark) error {
	o := paho.NewClientOptions().AddBroker("tcp://" + h.MQTT).SetUsername(d.login.Username).SetPassword(d.login.Password).
		SetClientID(d.login.Username).SetOrderMatters(false).SetAutoReconnect(false).SetConnectTimeout(patience)
	d.client = paho.NewClient(o)
	if err := wait(d.client.Connect()); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	subscribed := d.client.SubscribeMultiple(map[string]byte{d.login.Topic("reply"): 1, d.login.Topic("say"): 1}, d.hear)
	if err := wait(subscribed); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

func (d *Device) hear(_ paho.Client, m paho.Message) {
	var id struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(m.Payload(), &id); err != nil {
		d.t.Errorf("%s: %s is no JSON", m.Topic(), m.Payload())
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.heard)
	d.heard = make(chan struct{})
	d.seen[m.Topic()+" "+id.ID]++
	if d.seen[m.Topic()+" "+id.ID] > 1 && id.ID != "" {
		return
	}
	if m.Topic() == d.login.Topic("say") {
		var s Say
		_ = json.Unmarshal(m.Payload(), &s)
		d.said = append(d.said, s)
		d.says <- s
		return
	}
	var r Reply
	_ = json.Unmarshal(m.Payload(), &r)
	d.told[r.ID] = r
	d.replies <- r
}

// await waits until something holds that deliveries can bring about.
func (d *Device) await(t *testing.T, kind, what string, holds func() bool) {
	t.Helper()
	for late := time.After(patience); ; {
		d.mu.Lock()
		heard := d.heard
		d.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-heard:
		case <-late:
			t.Errorf("%s: no %s came: %s", d.login.Username, kind, what)
			return
		}
	}
}

// deliveries counts how often the reply to an id was delivered.
func (d *Device) deliveries(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[d.login.Topic("reply")+" "+id]
}

// answer is the reply that was delivered to an id.
func (d *Device) answer(id string) Reply {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told[id]
}

// Publish publishes at QoS 1 and returns when it is acknowledged.
func (d *Device) Publish(kind string, payload []byte) error {
	return wait(d.client.Publish(d.login.Topic(kind), 1, false, payload))
}

// Say says a sentence under a fresh id.
func (d *Device) Say(text string) (id string, err error) {
	d.mu.Lock()
	d.count++
	id = fmt.Sprintf("m%d-%d", time.Now().UnixNano(), d.count)
	d.mu.Unlock()
	payload, err := json.Marshal(map[string]string{"id": id, "text": text})
	if err != nil {
		return id, err
	}
	return id, d.Publish("utterance", payload)
}

// Ask says a sentence and returns the reply to it.
func (d *Device) Ask(text string) Reply {
	d.t.Helper()
	id, err := d.Say(text)
	if err != nil {
		d.t.Fatalf("%s: %v", text, err)
	}
	return d.Reply(id)
}

// Reply waits for the reply to an id. Replies to others are lost.
func (d *Device) Reply(id string) Reply {
	d.t.Helper()
	late := time.After(patience)
	for {
		select {
		case r := <-d.replies:
			if r.ID == id {
				return r
			}
		case <-late:
			d.t.Fatalf("no reply to %s", id)
		}
	}
}

func wait(t paho.Token) error {
	if !t.WaitTimeout(patience) {
		return fmt.Errorf("no answer from the broker within %s", patience)
	}
	return t.Error()
}
