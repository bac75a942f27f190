package broker

import (
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// wills keeps the wills of clients in place of the library, which would publish
// them past the consumer, at times after the first messages of the connection
// that took the session over, and not for a DISCONNECT that reports an error.
//
// A will is due when its connection ends without a DISCONNECT of success, and
// with MQTT 5 once its delay is over or its session ends, whichever is first
// (3.1.2.5, 3.1.3.2.2). A connection that resumes the session within the delay
// cancels it; one that begins a new session makes it due at once.
//
// The server's own end makes no will due: a device that is cut off by it is
// healthy and about to return. Those that were delayed then are published, since
// sessions live in memory and end with the process.
//
// A will is published while mu is held and before the next connection of the
// client id joins, so that nothing of that connection overtakes it.
type wills struct {
	mu      sync.Mutex
	delayed map[string]delayedWill // by client id
	closed  bool
}

type delayedWill struct {
	peer  *peer
	timer *time.Timer
}

// will is the will of one connection.
type will struct {
	message packets.Packet
	delay   uint32 // seconds
	expiry  uint32 // of the session, seconds
}

// newWill returns the will that a CONNECT asks for, nil for none.
func newWill(pk packets.Packet) *will {
	c := pk.Connect
	if !c.WillFlag {
		return nil
	}
	m := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: c.WillQos, Retain: c.WillRetain},
		TopicName:   c.WillTopic,
		Payload:     c.WillPayload,
		Properties:  c.WillProperties,
	}
	if c.WillQos > 0 {
		m.PacketID = 1 // the library wants one
	}
	m.Properties.WillDelayInterval = 0
	return &will{message: m, delay: c.WillProperties.WillDelayInterval, expiry: pk.Properties.SessionExpiryInterval}
}

// disconnected takes a DISCONNECT in. One of success discards the will; any other
// (MQTT 5, 3.14.4) keeps it.
func (w *wills) disconnected(p *peer, pk packets.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.will == nil {
		return
	}
	if props := pk.Properties; props.SessionExpiryIntervalFlag {
		if props.SessionExpiryInterval > 0 && p.will.expiry == 0 {
			return // a protocol error (3.14.2.2.2), and so no proper end
		}
		p.will.expiry = props.SessionExpiryInterval
	}
	if pk.ReasonCode == packets.CodeDisconnect.Code {
		p.will = nil
	}
}

// left takes the end of a connection in.
func (w *wills) left(p *peer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.will == nil || w.closed {
		return
	}
	delay := min(time.Duration(min(p.will.delay, p.will.expiry))*time.Second, sessionExpiry)
	if delay == 0 {
		p.publishWill()
		return
	}
	if w.delayed == nil {
		w.delayed = make(map[string]delayedWill)
	}
	w.delayed[p.cl.ID] = delayedWill{peer: p, timer: time.AfterFunc(delay, func() { w.due(p) })}
}

// due publishes a will whose delay is over.
func (w *wills) due(p *peer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.delayed[p.cl.ID].peer == p {
		delete(w.delayed, p.cl.ID)
		p.publishWill()
	}
}

// resumed cancels the delayed will of a client id whose session goes on.
func (w *wills) resumed(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(id)
}

// ended publishes the delayed will of a client id whose session has ended.
func (w *wills) ended(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.take(id); p != nil {
		p.publishWill()
	}
}

// close publishes the wills that are delayed, and none any more from then on.
func (w *wills) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.delayed {
		w.take(id).publishWill()
	}
	w.closed = true
}

// take removes the delayed will of a client id; nil if there is none. w.mu is held.
func (w *wills) take(id string) *peer {
	d, ok := w.delayed[id]
	if !ok {
		return nil
	}
	d.timer.Stop() // if it has fired already, due finds nothing
	delete(w.delayed, id)
	return d.peer
}

// publishWill publishes the will of a connection that is gone.
func (p *peer) publishWill() {
	m := p.will.message
	p.will = nil
	p.b.counts.in.Add(1)
	if _, kind, _ := topic.Parse(m.TopicName); kind.Consumed() {
		p.consume(&m, kind, func() {}) // nobody waits for an acknowledgement
		return
	}
	if err := p.fanOut(m); err != nil {
		p.b.log.Debug("a will cannot be published", "client", p.cl.ID, "error", err)
	}
}
