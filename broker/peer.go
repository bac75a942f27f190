package broker

import (
	"errors"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/session"
	"github.com/hark-voice/hark/broker/topic"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// peer is what the broker knows of one connection beyond what the library does.
// Fields without a lock belong to the connection's read goroutine, or are written
// before the client is known to others.
type peer struct {
	b    *Broker
	sock *socket
	cl   *mqtt.Client

	device         topic.Device
	receiveMaximum int // MQTT 5: what the client accepts unacknowledged; zero: no limit
	window         *session.Window
	ids            packetIDs
	line           *session.Line
	requestID      uint16          // packet id of the SUBSCRIBE or UNSUBSCRIBE that is being processed
	received       map[uint16]bool // QoS 2: packet ids of publishes that are not yet released
	expires        time.Time       // of the credential; zero: never
	revoked        bool            // the credential may have been withdrawn; guarded by guests
	will           *will           // guarded by wills; nil: none
	refused        bool
	established    bool // the session is
	accepted       bool // and the client knows
	complained     bool

	taking sync.Mutex // held while a publish is handed on
	left   bool       // guarded by taking

	hasRoom func() // tells the sender that less waits for the client

	leaving sync.Once
	idLock  func() // gives the lock of the client id back; nil: not held
}

func newPeer(b *Broker, s *socket) *peer {
	p := &peer{b: b, sock: s, received: make(map[uint16]bool)}
	p.window = session.NewWindow(b.opts.Window, p.acknowledge)
	p.hasRoom = func() { b.sender.Acked(p.line, 0) }
	return p
}

// peerOf returns the peer of a client, nil for the inline one.
func peerOf(cl *mqtt.Client) *peer {
	if c, ok := cl.Net.Conn.(conn); ok {
		return c.owner()
	}
	return nil
}

// lock takes the lock of the client id.
func (p *peer) lock(gone <-chan struct{}) bool {
	unlock, ok := p.b.ids.lock(p.cl.ID, gone)
	p.idLock = unlock
	return ok
}

func (p *peer) unlock() {
	if p.idLock != nil {
		p.idLock()
		p.idLock = nil
	}
}

// establish takes the session over from an earlier connection, if there is one.
// Its will goes out before anything that p publishes. The device is present
// throughout.
func (p *peer) establish(earlier *peer, clean bool) {
	p.established = true
	p.b.presence.add(p.device, 1)
	if earlier != nil {
		earlier.leave()
	}
	if clean {
		p.b.wills.ended(p.cl.ID)
	} else {
		p.b.wills.resumed(p.cl.ID)
	}
}

// join begins a session that the library has established.
func (p *peer) join() {
	p.accepted = true
	p.b.counts.connections.Add(1)
	p.b.counts.accepted.Add(1)
	p.line = p.b.sender.Join(p.device, p, p.receiveMaximum)
	p.subscribing() // a session that was resumed has subscriptions
	p.b.sender.Subscribed(p.line)
	p.unlock()
	if p.b.guests.join(p) { // Disconnect did not find us among the clients
		_ = p.b.server.DisconnectClient(p.cl, packets.ErrAdministrativeAction) // its error is the code itself
	}
	p.b.log.Debug("device connected", "client", p.cl.ID, "remote", p.cl.Net.Remote, "version", p.cl.Properties.ProtocolVersion)
}

// leave ends what the connection receives and acknowledges. The packet ids that
// it awaits are given back, so that a session that is resumed does not inherit
// them: it gets the messages anew from the outbox.
func (p *peer) leave() {
	p.leaving.Do(func() {
		p.taking.Lock()
		p.left = true
		p.taking.Unlock()
		p.window.Close()
		p.b.guests.leave(p)
		if p.established {
			p.b.wills.left(p)
			p.b.presence.add(p.device, -1)
		}
		if p.line == nil {
			return
		}
		p.b.counts.connections.Add(-1)
		p.b.sender.Leave(p.line)
		p.ids.clear()
	})
}

// ended notes the end of a connection for which the library gave a cause.
func (p *peer) ended(cause error) {
	if p.accepted {
		p.b.log.Debug("device disconnected", "client", p.cl.ID, "error", cause)
		return
	}
	if !p.refused {
		reason := refusedMalformed
		if errors.Is(cause, packets.ErrServerBusy) { // the library counts MaxConnections
			reason = refusedBusy
		}
		p.b.counts.add(reason)
		p.b.log.Debug("connection ended before it was accepted", "remote", p.sock.RemoteAddr().String(), "error", cause)
		p.forget()
	}
}

// forget makes the library forget a client that it did not get to the end with.
func (p *peer) forget() {
	p.leave()
	if p.device == (topic.Device{}) {
		return // it was never known
	}
	if p.idLock == nil {
		p.lock(nil)
	}
	if cl, ok := p.b.server.Clients.Get(p.cl.ID); ok && cl == p.cl {
		p.b.server.UnsubscribeClient(cl)
		p.b.server.Clients.Delete(cl.ID)
		p.b.wills.ended(cl.ID)
		p.b.sessions.remove(p.device, cl.ID)
	}
}

// subscribing tells the sender of the filters that the library has granted.
func (p *peer) subscribing() {
	granted := p.cl.State.Subscriptions.GetAll()
	subs := make([]session.Subscription, 0, len(granted))
	for filter, s := range granted {
		subs = append(subs, session.Subscription{Filter: filter, QoS: s.Qos, ID: s.Identifier})
	}
	p.b.sender.Subscribing(p.line, subs)
}

// Send implements session.Conn.
func (p *peer) Send(m session.Publish) (uint16, error) {
	if len(m.Payload) > p.b.opts.MaxPacket {
		return 0, session.ErrTooLarge // it would end each connection that it is sent on
	}
	if p.sock.crowded(len(m.Payload), p.hasRoom) {
		return 0, session.ErrBusy
	}
	var id uint16
	if m.QoS > 0 {
		var err error
		if id, err = p.ids.take(p.receiveMaximum); err != nil {
			return 0, err
		}
	}
	err := p.write(m.Alone, func(b []byte) []byte { return appendPublish(b, p.cl.Properties.ProtocolVersion, id, m) })
	if err != nil && m.QoS > 0 {
		p.ids.release(id)
	}
	return id, err
}

// acknowledge writes a PUBACK or PUBREC. It implements the window's write.
func (p *peer) acknowledge(a session.Ack, last bool) {
	// It fails when the connection is ending; the client sends again.
	_ = p.write(last, func(b []byte) []byte { return appendAck(b, p.cl.Properties.ProtocolVersion, a) })
}

// write writes the packet that encode appends, at once if it is alone.
func (p *peer) write(alone bool, encode func([]byte) []byte) error {
	buf := p.b.buffers.Get().(*[]byte)
	defer p.b.buffers.Put(buf)
	b := encode((*buf)[:0])
	if cap(b) <= keptBuffer {
		*buf = b
	}
	if limit := p.cl.Properties.Props.MaximumPacketSize; limit > 0 && uint64(len(b)) > uint64(limit) {
		return session.ErrTooLarge // MQTT 5, 3.1.2.11.4
	}
	var err error
	if c := p.cl.Net.Conn.(conn); alone {
		_, err = c.writeNow(b)
	} else {
		_, err = c.Write(b)
	}
	return err
}
