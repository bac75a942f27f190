package broker_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

var (
	replies   = packets.Subscription{Filter: kitchen.Topic(topic.Reply), Qos: 1}
	repliesQ0 = packets.Subscription{Filter: kitchen.Topic(topic.Reply)}
	all       = packets.Subscription{Filter: "hark/demo/kitchen/#", Qos: 1}
)

// What is owed comes in order, on each connection anew until it is acknowledged.
func TestOutboxOrder(t *testing.T) {
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", v), func(t *testing.T) {
			h := open(t, func(o *broker.Options) { o.Outgoing = 5 })
			const n = 300
			for i := range n {
				h.outbox.put(reply(fmt.Sprint(i)))
			}
			next := 0
			for round := 0; next < n; round++ {
				// a persistent session must make no difference
				c := dial(t, h, v)
				ack := c.connect(connectPacket(kitchen, v), func(pk *packets.Packet) {
					pk.Connect.Clean = round%3 == 0
					pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 60, true
				})
				if !ack.SessionPresent {
					c.subscribe(1, all)
				}
				for range 57 {
					if next == n {
						break
					}
					pk := c.wantPublish(fmt.Sprint(next))
					if pk.FixedHeader.Dup || pk.FixedHeader.Qos != 1 {
						t.Fatalf("DUP %v, QoS %d", pk.FixedHeader.Dup, pk.FixedHeader.Qos)
					}
					c.puback(pk.PacketID)
					next++
				}
				h.outbox.awaitLeft(t, n-next)
				if round%2 == 0 {
					_ = c.conn.Close() // else it is taken over
				}
			}
			if !slices.IsSortedFunc(h.outbox.settled, func(a, b string) int { return len(a)*1000 - len(b)*1000 + bytes.Compare([]byte(a), []byte(b)) }) {
				t.Errorf("settled out of order: %v", h.outbox.settled)
			}
		})
	}
}

// No more is in flight than the window, nor than the client accepts.
func TestOutgoingWindow(t *testing.T) {
	for _, c := range []struct {
		version byte
		accepts uint16
		want    int
	}{{4, 0, 4}, {5, 0, 4}, {5, 1, 1}, {5, 100, 4}} {
		t.Run(fmt.Sprintf("version %d, receive maximum %d", c.version, c.accepts), func(t *testing.T) {
			h := open(t, func(o *broker.Options) { o.Outgoing = 4 })
			for i := range 10 {
				h.outbox.put(reply(fmt.Sprint(i)))
			}
			cl := connect(t, h, kitchen, c.version, func(pk *packets.Packet) { pk.Properties.ReceiveMaximum = c.accepts })
			cl.subscribe(1, replies)
			var ids []uint16
			for i := range c.want {
				ids = append(ids, cl.wantPublish(fmt.Sprint(i)).PacketID)
			}
			cl.quiet()
			cl.puback(ids[0])
			cl.wantPublish(fmt.Sprint(c.want))
			cl.quiet()
		})
	}
}

// A client of MQTT 5 that accepts one message at a time, and is sent messages by
// Hark and by another connection while it publishes, is served on (the library
// alone would deadlock).
func TestReceiveMaximum(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 5, func(pk *packets.Packet) { pk.Properties.ReceiveMaximum = 1 })
	c.subscribe(1, all)
	other := connect(t, h, kitchen, 4, withID("demo/kitchen/other"))
	for i := range uint16(50) {
		h.outbox.put(reply(fmt.Sprint("r", i)))
		h.Deliver(reply(fmt.Sprint("r", i)), true)
		other.publish("hark/demo/kitchen/note", fmt.Sprint("s", i), 1, i+1)
		other.wantPuback(i+1, 0)
	}
	var got []string
	inFlight := uint16(0)
	for id := uint16(1); len(got) < 100; id++ {
		pk := c.want(packets.Publish)
		got = append(got, string(pk.Payload))
		if pk.FixedHeader.Qos == 1 {
			inFlight = pk.PacketID
			c.publish(utterance, "x", 1, id)
			h.consumer.next(t).Ack()
			for { // what is beyond the maximum comes at QoS 0
				pk, err := c.read(patience)
				if err != nil {
					t.Fatal(err)
				}
				if pk.FixedHeader.Type == packets.Puback {
					break
				}
				if pk.FixedHeader.Qos > 0 {
					t.Fatalf("%q at QoS 1 while %q is not acknowledged", pk.Payload, got[len(got)-1])
				}
				got = append(got, string(pk.Payload))
			}
			c.puback(inFlight)
		}
	}
	for _, kind := range []string{"r", "s"} {
		i := 0
		for _, m := range got {
			if m[:1] == kind {
				if m != fmt.Sprint(kind, i) {
					t.Fatalf("got %v", got)
				}
				i++
			}
		}
	}
}

// The packet ids of both directions do not get into each other's way.
func TestPacketIDs(t *testing.T) {
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", v), func(t *testing.T) {
			h := open(t)
			c := connect(t, h, kitchen, v)
			c.subscribe(1, all)
			other := connect(t, h, kitchen, 4, withID("demo/kitchen/other"))
			h.Deliver(reply("a"), false)
			a := c.wantPublish("a")
			other.publish("hark/demo/kitchen/note", "s", 1, 1)
			other.wantPuback(1, 0)
			s := c.wantPublish("s")
			h.Deliver(reply("b"), false)
			b := c.wantPublish("b")
			ids := []uint16{a.PacketID, s.PacketID, b.PacketID}
			if a.PacketID == s.PacketID || b.PacketID == s.PacketID || a.PacketID == b.PacketID {
				t.Fatalf("packet ids %v", ids)
			}
			for _, id := range ids { // the client uses the same ids while all three are in flight
				c.publish(utterance, "u", 1, id)
				h.consumer.next(t).Ack()
				c.wantPuback(id, 0)
				c.publish("hark/demo/kitchen/x", "x", 0, 0)
				c.wantPublish("x")
				if ack := c.subscribe(id, replies); ack.ReasonCodes[0] != 1 {
					t.Errorf("SUBSCRIBE with packet id %d: %#x", id, ack.ReasonCodes)
				}
				c.publish(utterance, "u", 2, id)
				h.consumer.next(t).Ack()
				c.want(packets.Pubrec)
				c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: id})
				if pk := c.want(packets.Pubcomp); pk.PacketID != id || pk.ReasonCode != 0 {
					t.Errorf("PUBCOMP of %d, %#x", pk.PacketID, pk.ReasonCode)
				}
			}
			for _, id := range ids {
				c.puback(id)
			}
			h.outbox.put(reply("a"), reply("b"))
			h.Deliver(reply("a"), true)
			h.Deliver(reply("b"), true)
			h.outbox.awaitLeft(t, 0)
			c.quiet()
		})
	}
}

// A client may acknowledge twice: that counts neither for a later message nor for
// one of another connection.
func TestAckedTwice(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 4)
	c.subscribe(1, all)
	other := connect(t, h, kitchen, 4, withID("demo/kitchen/other"))
	for i := range uint16(20) {
		h.outbox.put(reply(fmt.Sprint("a", i)))
		h.Deliver(reply(fmt.Sprint("a", i)), true)
		a := c.wantPublish(fmt.Sprint("a", i))
		c.puback(a.PacketID)
		h.outbox.awaitLeft(t, 0)
		h.outbox.put(reply(fmt.Sprint("b", i)))
		h.Deliver(reply(fmt.Sprint("b", i)), true)
		b := c.wantPublish(fmt.Sprint("b", i))
		c.puback(a.PacketID)
		other.publish("hark/demo/kitchen/note", "s", 1, i+1)
		other.wantPuback(i+1, 0)
		s := c.wantPublish("s")
		if a.PacketID == b.PacketID || a.PacketID == s.PacketID || b.PacketID == s.PacketID {
			t.Fatalf("packet ids %d, %d, %d", a.PacketID, b.PacketID, s.PacketID)
		}
		if left := h.outbox.left(); len(left) != 1 {
			t.Fatalf("%v are owed", left)
		}
		c.puback(s.PacketID)
		c.puback(b.PacketID)
		h.outbox.awaitLeft(t, 0)
	}
}

// An early message is sent once, and settled once it is durable and acknowledged,
// in whatever order.
func TestEarly(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 4)
	c.subscribe(1, replies)
	a, b := reply("a"), reply("b")
	h.Deliver(a, false)
	h.Deliver(b, false)
	pkA, pkB := c.wantPublish("a"), c.wantPublish("b")
	c.puback(pkA.PacketID)
	c.quiet() // the acknowledgement is taken
	h.outbox.put(a, b)
	h.Deliver(a, true) // acknowledged before it was durable
	h.Deliver(b, true)
	h.outbox.awaitLeft(t, 1)
	c.quiet()
	c.puback(pkB.PacketID)
	h.outbox.awaitLeft(t, 0)
	h.Deliver(a, true)
	c.quiet()
	h.DeliverTransient(a) // on demand, though, it is sent again
	c.puback(c.wantPublish("a").PacketID)

	late := reply("nobody is subscribed any more")
	h.Deliver(late, false)
	c.wantPublish(late.ID)
	_ = c.conn.Close()
	eventually(t, "gone", func() bool { return h.Stats().Connections == 0 })
	h.outbox.put(late)
	h.Deliver(late, true)
	again := connect(t, h, kitchen, 4)
	again.subscribe(1, replies)
	again.puback(again.wantPublish(late.ID).PacketID)
	h.outbox.awaitLeft(t, 0)
}

func TestTransient(t *testing.T) {
	h := open(t)
	h.DeliverTransient(reply("to nobody"))
	c := connect(t, h, kitchen, 4)
	h.DeliverTransient(reply("to nobody who is subscribed"))
	c.subscribe(1, replies)
	c.quiet()
	h.DeliverTransient(reply("a"))
	pk := c.wantPublish("a")
	c.puback(pk.PacketID)
	c.quiet()
	if len(h.outbox.settled) > 0 {
		t.Errorf("settled %v", h.outbox.settled)
	}
}

// Each subscribed connection gets a message; it is done at the first
// acknowledgement. One at QoS 0 counts only where no other is at QoS 1.
func TestSeveralConnections(t *testing.T) {
	h := open(t)
	a := connect(t, h, kitchen, 4)
	b := connect(t, h, kitchen, 5, withID("demo/kitchen/b"))
	q0 := connect(t, h, kitchen, 4, withID("demo/kitchen/q0"))
	a.subscribe(1, replies)
	q0.subscribe(1, repliesQ0)
	b.subscribe(1, packets.Subscription{Filter: kitchen.Topic(topic.Say), Qos: 1})
	h.outbox.put(reply("1"))
	h.Deliver(reply("1"), true)
	pk := a.wantPublish("1")
	if q := q0.wantPublish("1").FixedHeader.Qos; q != 0 {
		t.Errorf("QoS %d", q)
	}
	q0.quiet()
	b.quiet()
	if left := h.outbox.left(); len(left) != 1 {
		t.Errorf("settled without an acknowledgement")
	}
	b.subscribe(2, all)
	b.wantPublish("1") // still owed
	a.puback(pk.PacketID)
	h.outbox.awaitLeft(t, 0)

	_, _ = a.conn.Close(), b.conn.Close()
	eventually(t, "alone", func() bool { return h.Stats().Connections == 1 })
	h.outbox.put(reply("2"))
	h.Deliver(reply("2"), true)
	q0.wantPublish("2")
	h.outbox.awaitLeft(t, 0)
}

func TestExpiry(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.Outgoing = 1 })
	until := func(id string, d time.Duration) topic.Outbound {
		m := reply(id)
		m.Expires = h.clock.Now().Add(d)
		return m
	}
	h.outbox.put(until("old", -time.Second), until("a", 90*time.Second), until("b", 5*time.Second), reply("c"))
	h.clock.advance(500 * time.Millisecond)
	c := connect(t, h, kitchen, 5)
	c.subscribe(1, replies)
	pk := c.wantPublish("a")
	if s := pk.Properties.MessageExpiryInterval; s != 90 {
		t.Errorf("expires in %d s, want 89.5 rounded up", s)
	}
	h.clock.advance(5 * time.Second) // b waits behind a
	c.puback(pk.PacketID)
	pk = c.wantPublish("c")
	if s := pk.Properties.MessageExpiryInterval; s != 0 {
		t.Errorf("expires in %d s", s)
	}
	c.puback(pk.PacketID)
	h.outbox.awaitLeft(t, 0)
	if n := h.Stats().Expired; n != 2 {
		t.Errorf("%d expired", n)
	}
}

func TestProperties(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 5)
	for i, filter := range []string{"hark/demo/kitchen/#", "hark/demo/kitchen/answers", "hark/demo/kitchen/say"} {
		c.send(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: 1,
			Filters:    packets.Subscriptions{{Filter: filter, Qos: 1, Identifier: i + 5}},
			Properties: packets.Properties{SubscriptionIdentifier: []int{i + 5}},
		})
		c.want(packets.Suback)
	}
	m := reply("a")
	m.Topic, m.Correlation = "hark/demo/kitchen/answers", []byte{0, 1}
	h.DeliverTransient(m)
	pk := c.wantPublish("a")
	if p := pk.Properties; !bytes.Equal(p.CorrelationData, m.Correlation) || !slices.Equal(p.SubscriptionIdentifier, []int{5, 6}) {
		t.Errorf("properties %+v", p)
	}
}

// A message that is larger than the client or the broker accepts counts as sent,
// and is in nobody's way.
func TestTooLargeForClient(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 5, func(pk *packets.Packet) { pk.Properties.MaximumPacketSize = 100 })
	c.subscribe(1, replies)
	large := reply("large")
	large.Payload = make([]byte, 200)
	huge := reply("huge")
	huge.Payload = make([]byte, 2<<20)
	h.outbox.put(huge, large, reply("small"))
	h.Deliver(huge, true)
	h.Deliver(large, true)
	h.Deliver(reply("small"), true)
	c.puback(c.wantPublish("small").PacketID)
	h.outbox.awaitLeft(t, 0)
	if n := h.Stats().Undelivered; n != 2 {
		t.Errorf("%d undelivered", n)
	}
}

// While the outbox cannot be read nothing overtakes what it may hold; then all
// comes, in order.
func TestOutboxAway(t *testing.T) {
	h := open(t)
	h.outbox.put(reply("1"))
	h.outbox.fail(errAway)
	c := connect(t, h, kitchen, 4)
	c.subscribe(1, replies)
	h.Deliver(reply("2"), false)
	c.quiet()
	h.DeliverTransient(reply("busy"))
	c.wantPublish("busy")
	h.outbox.fail(nil)
	h.outbox.put(reply("2"))
	for _, want := range []string{"1", "2"} {
		c.puback(c.wantPublish(want).PacketID)
	}
	h.outbox.awaitLeft(t, 0)
}

// Messages that nobody is subscribed to do not keep others from being sent.
func TestUnwantedMessages(t *testing.T) {
	h := open(t)
	for i := range 500 {
		m := reply(fmt.Sprint("say ", i))
		m.Topic = kitchen.Topic(topic.Say)
		h.outbox.put(m)
	}
	h.outbox.put(reply("a"))
	c := connect(t, h, kitchen, 4)
	c.subscribe(1, replies)
	c.puback(c.wantPublish("a").PacketID)
	h.outbox.awaitLeft(t, 500)
	h.outbox.put(reply("b"))
	h.Deliver(reply("b"), true)
	c.puback(c.wantPublish("b").PacketID)
	c.subscribe(2, packets.Subscription{Filter: kitchen.Topic(topic.Say), Qos: 1})
	for i := range 500 {
		c.puback(c.wantPublish(fmt.Sprint("say ", i)).PacketID)
	}
	h.outbox.awaitLeft(t, 0)
}

// Neither a client that never acknowledges nor one that never reads affects
// another device, or its own publishes.
func TestStalledClients(t *testing.T) {
	h := open(t)
	silent := connect(t, h, kitchen, 4)
	silent.subscribe(1, all)
	stalled := connect(t, h, foreign, 4)
	stalled.subscribe(1, packets.Subscription{Filter: "hark/other/kitchen/#"})
	well := connect(t, h, bedroom, 4)
	well.subscribe(1, packets.Subscription{Filter: "hark/demo/bedroom/#", Qos: 1})
	payload := make([]byte, 100<<10)
	flood := connect(t, h, foreign, 4, withID("other/kitchen/flood"))
	for i := range 100 {
		id := uint16(i + 1)
		h.Deliver(reply(fmt.Sprint(i)), false)
		h.Deliver(topic.Outbound{ID: fmt.Sprint("f", i), Device: foreign, Topic: foreign.Topic(topic.Reply), Payload: payload}, false)
		flood.publish("hark/other/kitchen/note", string(payload), 1, id)
		flood.wantPuback(id, 0)
		h.Deliver(topic.Outbound{ID: fmt.Sprint("b", i), Device: bedroom, Topic: bedroom.Topic(topic.Reply), Payload: []byte("hello")}, false)
		well.puback(well.wantPublish("hello").PacketID)
		well.publish(bedroom.Topic(topic.Utterance), "x", 1, id)
		h.consumer.next(t).Ack()
		well.wantPuback(id, 0)
	}
	for i := range 16 {
		silent.wantPublish(fmt.Sprint(i))
	}
	silent.publish(utterance, "x", 1, 1)
	h.consumer.next(t).Ack()
	silent.wantPuback(1, 0)
	eventually(t, "dropped", func() bool { s := h.Stats(); return s.Dropped["slow_client"]+s.Dropped["fan_out"] > 0 })
}

// A client that reads late, but reads, gets everything in order: what is large
// waits in the outbox rather than in the connection.
func TestLateReader(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			h := open(t)
			c := connect(t, h, kitchen, 4)
			c.subscribe(1, packets.Subscription{Filter: kitchen.Topic(topic.Reply), Qos: qos})
			const n = 80
			for i := range n {
				m := reply(fmt.Sprint(i))
				m.Payload = bytes.Repeat([]byte{byte(i)}, 100<<10)
				h.outbox.put(m)
				h.Deliver(m, true)
			}
			for i := range n {
				pk := c.want(packets.Publish)
				if len(pk.Payload) != 100<<10 || pk.Payload[0] != byte(i) {
					t.Fatalf("message %d is %d bytes of %d", i, len(pk.Payload), pk.Payload[0])
				}
				if qos > 0 {
					c.puback(pk.PacketID)
				}
			}
			h.outbox.awaitLeft(t, 0)
			if s := h.Stats(); s.Dropped["slow_client"] > 0 || s.Sent != n {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}
