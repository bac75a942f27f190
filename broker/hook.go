package broker

import (
	"github.com/hark-voice/hark/broker/auth"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hook is where the library asks us. All its methods run on the read goroutine of
// the client concerned unless said otherwise.
type hook struct {
	mqtt.HookBase
	b *Broker
}

// ID names the hook.
func (h *hook) ID() string { return "hark" }

// Provides lists the methods below.
func (h *hook) Provides(method byte) bool {
	switch method {
	case mqtt.OnPacketRead, mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnSessionEstablish,
		mqtt.OnSessionEstablished, mqtt.OnDisconnect, mqtt.OnClientExpired, mqtt.OnACLCheck,
		mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribed, mqtt.OnPublish, mqtt.OnPublishDropped, mqtt.OnPacketEncode,
		mqtt.OnPacketProcessed, mqtt.OnSelectSubscribers:
		return true
	}
	return false
}

// nothing is what the library gets to process instead of a packet that was dealt
// with here: an acknowledgement of no packet, which it ignores.
func nothing() packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}}
}

// OnPacketRead takes out what the library must not process. An error ends the
// connection.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	p := peerOf(cl)
	if pk.FixedHeader.Type == packets.Connect {
		// The library would deadlock with a receive maximum (it locks twice for
		// reading), and lose an alias with a message that it drops.
		p.receiveMaximum = int(pk.Properties.ReceiveMaximum)
		pk.Properties.ReceiveMaximum, pk.Properties.TopicAliasMaximum = 0, 0
		return pk, nil
	}
	var err error
	switch pk.FixedHeader.Type {
	case packets.Publish:
		err = p.publish(&pk)
	case packets.Pubrel:
		err = p.release(pk)
	case packets.Pubrec, packets.Pubcomp:
		err = packets.ErrProtocolViolation // nothing is sent at QoS 2
	case packets.Subscribe, packets.Unsubscribe:
		return p.request(pk)
	case packets.Puback:
		if p.ids.release(pk.PacketID) {
			h.b.sender.Acked(p.line, pk.PacketID)
			pk.PacketID = 0 // nothing to the library, see nothing
		}
		return pk, nil
	case packets.Disconnect:
		h.b.wills.disconnected(p, pk)
		return pk, nil
	default:
		return pk, nil
	}
	if code, ok := err.(packets.Code); ok { //nolint:errorlint // the library's own, never wrapped
		_ = h.b.server.DisconnectClient(cl, code) // its error is the code itself
	}
	return nothing(), err
}

// request gives a SUBSCRIBE or UNSUBSCRIBE a packet id that no message to the
// client has: the library keeps both directions in one table. OnPacketEncode puts
// the client's id back.
func (p *peer) request(pk packets.Packet) (packets.Packet, error) {
	p.requestID = pk.PacketID
	if pk.PacketID == 0 {
		return pk, nil // the library refuses it
	}
	id, err := p.cl.NextPacketID()
	pk.PacketID = uint16(id) //nolint:gosec // at most 65,535
	return pk, err
}

// OnConnect decides who may enter.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	return peerOf(cl).connect(cl, pk)
}

// OnConnectAuthenticate has nothing left to decide.
func (h *hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnSessionEstablish is called before the library takes over the session of an
// earlier connection.
func (h *hook) OnSessionEstablish(cl *mqtt.Client, pk packets.Packet) {
	var earlier *peer
	if e, ok := h.b.server.Clients.Get(cl.ID); ok {
		earlier = peerOf(e)
	}
	peerOf(cl).establish(earlier, pk.Connect.Clean)
}

// OnSessionEstablished is called when CONNACK has been written.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	peerOf(cl).join()
}

// OnDisconnect is called before the library gives up the session. That must not
// happen while another connection takes it over: it would give up the new one.
func (h *hook) OnDisconnect(cl *mqtt.Client, _ error, expire bool) {
	p := peerOf(cl)
	p.leave()
	p.lock(nil) // given back when the connection has ended
	if expire && !cl.IsTakenOver() {
		h.b.sessions.remove(p.device, cl.ID)
	}
}

// OnClientExpired is called, on the library's own goroutine, when it forgets the
// session of a client that is away. It would leave the subscriptions behind.
func (h *hook) OnClientExpired(cl *mqtt.Client) {
	h.b.server.UnsubscribeClient(cl)
	h.b.sessions.remove(peerOf(cl).device, cl.ID)
}

// OnSubscribe lowers the QoS to the highest that is sent, and refuses filters
// beyond the limit.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	room := maxSubscriptions - cl.State.Subscriptions.Len()
	for i := range pk.Filters {
		f := &pk.Filters[i]
		f.Qos = min(f.Qos, 1)
		if _, ok := cl.State.Subscriptions.Get(f.Filter); ok {
			continue
		}
		if room--; room < 0 {
			f.Filter = "$too/many" // not allowed to anyone
		}
	}
	return pk
}

// OnSubscribed is called before SUBACK is written.
func (h *hook) OnSubscribed(cl *mqtt.Client, _ packets.Packet, _ []byte) {
	peerOf(cl).subscribing()
}

// OnUnsubscribed is called before UNSUBACK is written, and on any goroutine when
// the library gives a session up.
func (h *hook) OnUnsubscribed(cl *mqtt.Client, _ packets.Packet) {
	if !cl.Closed() {
		peerOf(cl).subscribing()
	}
}

// OnACLCheck is asked about filters that a client subscribes to, and about topics
// that it is to be sent, on the publisher's goroutine. Publishes were decided on in
// OnPacketRead.
func (h *hook) OnACLCheck(cl *mqtt.Client, name string, write bool) bool {
	p := peerOf(cl)
	if write || p == nil {
		return p == nil
	}
	if auth.MaySubscribe(p.device, name) {
		return true
	}
	h.b.counts.add(refusedFilter)
	p.complain("filter", name, "not within the device's topics")
	return false
}

// OnPublish sees what the inline client publishes for a device, and gives it its
// origin back, which tells the library whom not to send it to (No Local).
func (h *hook) OnPublish(_ *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	pk.Origin = pk.Connect.ClientIdentifier
	return pk, nil
}

// OnPublishDropped is called, on the publisher's goroutine, when a client has no
// room for a message of another connection.
func (h *hook) OnPublishDropped(*mqtt.Client, packets.Packet) {
	h.b.counts.add(droppedFanOut)
}

// OnPacketEncode is called for each packet before it is written, on any goroutine.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	p := peerOf(cl)
	if p == nil {
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		if cl.Properties.ProtocolVersion < 5 {
			pk.ReasonCode = v3Code(pk.ReasonCode)
		}
		pk.Properties.MaximumPacketSize = uint32(h.b.opts.MaxPacket) //nolint:gosec // an option, not input
	case packets.Suback, packets.Unsuback:
		pk.PacketID = p.requestID
	case packets.Publish:
		// The library knows no receive maximum any more, see OnPacketRead. What is
		// beyond it goes out at QoS 0.
		if pk.FixedHeader.Qos > 0 && p.receiveMaximum > 0 && p.ids.messages() > p.receiveMaximum {
			cl.State.Inflight.Delete(pk.PacketID)
			pk.FixedHeader.Qos, pk.FixedHeader.Dup, pk.PacketID = 0, false, 0
		}
	}
	return pk
}

// OnPacketProcessed sends what is owed once SUBACK has been written, or once the
// client has room again.
func (h *hook) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, _ error) {
	p := peerOf(cl)
	if p == nil {
		return
	}
	switch {
	case pk.FixedHeader.Type == packets.Subscribe, pk.FixedHeader.Type == packets.Unsubscribe:
		h.b.sender.Subscribed(p.line)
	case pk.FixedHeader.Type == packets.Puback && pk.PacketID != 0: // of a message of another connection
		h.b.sender.Acked(p.line, 0)
	}
}
