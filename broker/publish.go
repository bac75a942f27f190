package broker

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/hark-voice/hark/broker/auth"
	"github.com/hark-voice/hark/broker/session"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// maxUnreleased bounds the publishes at QoS 2 for which a client owes the PUBREL.
const maxUnreleased = 1024

// publish takes a PUBLISH of the device in. Every publish gets a place in the
// window, so that all acknowledgements go out in the order of arrival (MQTT 5,
// 4.6). It returns an error if the connection is to end.
func (p *peer) publish(pk *packets.Packet) error {
	if code := pk.PublishValidate(0); code != packets.CodeSuccess {
		return code
	}
	p.b.counts.in.Add(1)
	if p.underWay(pk) {
		p.b.counts.add(droppedRepeated)
		return nil
	}
	if !p.place() {
		return net.ErrClosed
	}
	qos, id := pk.FixedHeader.Qos, pk.PacketID
	ack := session.Ack{PacketID: id, QoS: qos}
	_, kind, _ := topic.Parse(pk.TopicName)
	refused := p.refuse(pk)
	switch {
	case qos == 2 && p.received[id]: // its PUBREC was lost
		p.b.counts.add(droppedRepeated)
		p.window.Add(ack)()
		return nil
	case refused != "": // acknowledged all the same, or the client would send it again
		p.b.counts.add(refused)
		ack.Reason = packets.ErrNotAuthorized.Code
		p.window.Add(ack)()
		return nil
	case qos == 2 && len(p.received) >= maxUnreleased:
		return packets.ErrReceiveMaximum
	case qos == 2:
		p.received[id] = true
	}
	p.taking.Lock()
	defer p.taking.Unlock()
	if p.left { // taken over: what is handed on now would come after the will
		return net.ErrClosed
	}
	done := p.window.Add(ack)
	if kind.Consumed() {
		p.consume(pk, kind, done)
		return nil
	}
	defer done()
	return p.fanOut(*pk)
}

// underWay tells whether a publish is one that waits for its acknowledgement
// already. At QoS 1 a packet id that is used again without DUP is taken for a new
// message: small clients are known to use one id for all.
func (p *peer) underWay(pk *packets.Packet) bool {
	h := pk.FixedHeader
	return (h.Qos == 1 && h.Dup || h.Qos == 2) && p.window.Has(pk.PacketID)
}

// place waits for a place in the window. While it waits, nothing is read from the
// client: that is how a client is told to slow down. A client of MQTT 5 knows the
// size of the window and need not get here.
func (p *peer) place() bool {
	select {
	case <-p.b.stopping: // not taken in any more; sent again to the next process
		<-p.sock.gone
		return false
	default:
		return p.window.Wait(p.sock.gone)
	}
}

// refuse returns the reason why a publish is not accepted, as counted, or "".
func (p *peer) refuse(pk *packets.Packet) string {
	if why, ok := auth.MayPublish(p.device, pk.TopicName); !ok {
		p.complain("topic", pk.TopicName, why)
		return refusedTopic
	}
	if to := pk.Properties.ResponseTopic; !mayAskFor(p.device, pk.TopicName, to) {
		p.complain("response topic", to, "not within the device's topics")
		return refusedResponse
	}
	return ""
}

// mayAskFor tells whether a message on a topic may ask for an answer on another.
// Only those that Hark consumes are answered by it.
func mayAskFor(d topic.Device, name, answer string) bool {
	_, kind, _ := topic.Parse(name)
	return answer == "" || !kind.Consumed() || auth.MayAnswer(d, answer)
}

// complain logs a refusal: the first of a connection is for the operator, the rest
// would fill the log.
func (p *peer) complain(what, name, why string) {
	level := slog.LevelDebug
	if !p.complained {
		level, p.complained = slog.LevelInfo, true
	}
	p.b.log.Log(context.Background(), level, "refused; further refusals of this connection are only counted",
		"client", p.cl.ID, "what", what, "name", name, "reason", why)
}

// consume gives a message to the consumer. A retained flag means nothing on a
// consumed topic.
func (p *peer) consume(pk *packets.Packet, kind topic.Kind, done func()) {
	m := topic.Inbound{
		Device:        p.device,
		Kind:          kind,
		Payload:       pk.Payload,
		Received:      p.b.opts.Clock.Now(),
		ResponseTopic: pk.Properties.ResponseTopic,
		Correlation:   pk.Properties.CorrelationData,
		Ack:           done,
	}
	if s := pk.Properties.MessageExpiryInterval; s > 0 {
		m.Expires = m.Received.Add(time.Duration(s) * time.Second)
	}
	p.b.counts.consumed.Add(1)
	p.b.opts.Consumer.Consume(m)
}

// fanOut hands a message to the other connections of the device that subscribe to
// it. It is published by the library's inline client, since the publish of a
// network client cannot be had without the library's own acknowledgement.
func (p *peer) fanOut(pk packets.Packet) error {
	if pk.FixedHeader.Retain && !p.mayRetain(pk.TopicName, pk.Payload) {
		p.b.counts.add(droppedRetained)
		pk.FixedHeader.Retain = false
	}
	pk.Connect.ClientIdentifier = p.cl.ID // becomes the origin again, see hook.OnPublish
	pk.FixedHeader.Dup = false
	return p.b.server.InjectPacket(p.b.inline, pk)
}

// mayRetain tells whether a device may retain a message on a topic: so many, and
// on the same ones for ever.
func (p *peer) mayRetain(name string, payload []byte) bool {
	if _, ok := p.b.server.Topics.Retained.Get(name); ok || len(payload) == 0 {
		return true
	}
	return len(p.b.server.Topics.Messages(topic.Root+"/"+p.device.String()+"/#")) < maxRetained
}

// release answers a PUBREL. The library does not know of the publish.
func (p *peer) release(pk packets.Packet) error {
	out := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Pubcomp},
		PacketID:    pk.PacketID,
	}
	if !p.received[pk.PacketID] {
		out.ReasonCode = packets.ErrPacketIdentifierNotFound.Code // of a connection before this one
	}
	delete(p.received, pk.PacketID)
	return p.cl.WritePacket(out)
}
