package broker_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(loadEnv); spec != "" {
		if err := load(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var utterance = kitchen.Topic(topic.Utterance)

// Acknowledgements go out in the order of arrival, whatever the order of Ack and
// whatever the topic.
func TestAcksInOrder(t *testing.T) {
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", v), func(t *testing.T) {
			h := open(t)
			c := connect(t, h, kitchen, v)
			for id := uint16(1); id <= 3; id++ {
				c.publish(utterance, fmt.Sprint(id), 1, id)
			}
			c.publish(kitchen.Topic("note"), "{}", 1, 4) // not consumed: acknowledged by the broker itself
			c.publish(utterance, "qos 0", 0, 0)
			c.publish(utterance, "5", 1, 5)
			var in []topic.Inbound
			for range 5 {
				in = append(in, h.consumer.next(t))
			}
			if got := in[1]; got.Device != kitchen || got.Kind != topic.Utterance || string(got.Payload) != "2" || !got.Received.Equal(h.clock.Now()) {
				t.Errorf("consumed %+v", got)
			}
			for _, i := range []int{4, 2, 1} {
				in[i].Ack()
			}
			c.quiet() // a ping is answered while acknowledgements are withheld
			in[0].Ack()
			in[0].Ack() // only the first counts
			for id := uint16(1); id <= 4; id++ {
				c.wantPuback(id, 0)
			}
			c.quiet() // 5 waits for the one at QoS 0
			in[3].Ack()
			c.wantPuback(5, 0)
			if s := h.Stats(); s.Unacked != 0 || s.In != 6 || s.Consumed != 5 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

// A full window stops the reading of that socket, and of no other.
func TestWindow(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.Window = 2 })
	c := dial(t, h, 5)
	if ack := c.connect(connectPacket(kitchen, 5)); ack.Properties.ReceiveMaximum != 2 || ack.Properties.MaximumPacketSize != 128<<10 {
		t.Errorf("CONNACK promises receive maximum %d, packets of %d", ack.Properties.ReceiveMaximum, ack.Properties.MaximumPacketSize)
	}
	for id := uint16(1); id <= 4; id++ {
		c.publish(utterance, fmt.Sprint(id), 1, id)
	}
	first, second := h.consumer.next(t), h.consumer.next(t)
	other := connect(t, h, bedroom, 4)
	other.quiet()
	h.consumer.none(t)
	second.Ack()
	other.quiet()
	h.consumer.none(t)
	first.Ack()
	c.wantPuback(1, 0)
	c.wantPuback(2, 0)
	h.consumer.next(t).Ack()
	h.consumer.next(t).Ack()
	c.wantPuback(3, 0)
	c.wantPuback(4, 0)
}

// A connection that ends while its window is full is let go, and late
// acknowledgements are harmless.
func TestWindowFullAtTakeover(t *testing.T) {
	h := open(t, func(o *broker.Options) { o.Window = 1 })
	old := connect(t, h, kitchen, 4)
	old.publish(utterance, "1", 1, 1)
	old.publish(utterance, "2", 1, 2)
	first := h.consumer.next(t)
	c := connect(t, h, kitchen, 4)
	old.closed()
	first.Ack()
	c.publish(utterance, "3", 1, 1)
	h.consumer.next(t).Ack()
	c.wantPuback(1, 0)
	eventually(t, "one connection", func() bool { return h.Stats().Connections == 1 })
}

func TestRepeatedPublish(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 4)
	dup := publishPacket(utterance, "a", 1, 7)
	c.send(dup)
	dup.FixedHeader.Dup = true
	c.send(dup)                     // repeated while the first is in flight
	c.publish(utterance, "b", 1, 7) // not marked: a new message with the same id
	c.publish(utterance, "c", 1, 8)
	a, b, third := h.consumer.next(t), h.consumer.next(t), h.consumer.next(t)
	if string(b.Payload) != "b" || string(third.Payload) != "c" {
		t.Fatalf("consumed %q, %q", b.Payload, third.Payload)
	}
	third.Ack()
	b.Ack()
	a.Ack()
	c.wantPuback(7, 0)
	c.wantPuback(7, 0)
	c.wantPuback(8, 0)
	c.send(dup) // after the acknowledgement it is a message again
	h.consumer.next(t).Ack()
	c.wantPuback(7, 0)
	c.quiet()
}

func TestQoS2(t *testing.T) {
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", v), func(t *testing.T) {
			h := open(t)
			c := connect(t, h, kitchen, v)
			pubrec := func(id uint16) {
				t.Helper()
				if ack := c.want(packets.Pubrec); ack.PacketID != id || ack.ReasonCode != 0 {
					t.Fatalf("PUBREC of %d, reason %#x; want %d", ack.PacketID, ack.ReasonCode, id)
				}
			}
			release := func(id uint16, reason byte) {
				t.Helper()
				c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: id})
				if v == 4 {
					reason = 0
				}
				if ack := c.want(packets.Pubcomp); ack.PacketID != id || ack.ReasonCode != reason {
					t.Fatalf("PUBCOMP of %d, reason %#x; want %d, %#x", ack.PacketID, ack.ReasonCode, id, reason)
				}
			}
			pk := publishPacket(utterance, "a", 2, 9)
			c.send(pk)
			pk.FixedHeader.Dup = true
			c.send(pk)
			c.quiet() // withheld
			h.consumer.next(t).Ack()
			pubrec(9)
			c.send(pk) // PUBREC was lost
			pubrec(9)
			h.consumer.none(t)
			release(9, 0)
			release(9, packets.ErrPacketIdentifierNotFound.Code)
			c.publish(utterance, "b", 2, 9) // the id is free again
			h.consumer.next(t).Ack()
			pubrec(9)
			release(9, 0)
			c.subscribe(1, packets.Subscription{Filter: kitchen.Topic("note"), Qos: 2})
			c.publish(kitchen.Topic("note"), "on", 2, 10)
			got := map[byte]bool{}
			for range 2 { // the library writes from another goroutine
				pk, err := c.read(patience)
				if err != nil {
					t.Fatal(err)
				}
				got[pk.FixedHeader.Type] = true
			}
			if !got[packets.Pubrec] || !got[packets.Publish] {
				t.Errorf("got %v, want PUBREC and PUBLISH", got)
			}
			release(10, 0)
		})
	}
}

// MQTT 5 properties reach the consumer; the retained flag means nothing.
func TestConsumedProperties(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 5)
	pk := publishPacket(utterance, "a", 1, 1)
	pk.FixedHeader.Retain = true
	pk.Properties = packets.Properties{MessageExpiryInterval: 30, ResponseTopic: "hark/demo/kitchen/answers", CorrelationData: []byte{1, 2}}
	c.send(pk)
	in := h.consumer.next(t)
	in.Ack()
	c.wantPuback(1, 0)
	if in.ResponseTopic != pk.Properties.ResponseTopic || string(in.Correlation) != "\x01\x02" || in.Expires.Sub(in.Received) != 30*time.Second {
		t.Errorf("consumed %+v", in)
	}
	c.subscribe(1, packets.Subscription{Filter: "hark/demo/kitchen/#", Qos: 1})
	c.quiet() // nothing retained, and what is consumed is delivered to nobody
	c.publish(utterance, "b", 1, 2)
	h.consumer.next(t).Ack()
	c.wantPuback(2, 0)
	c.quiet()

	pk.Properties.ResponseTopic = "hark/demo/bedroom/reply"
	pk.PacketID = 3
	c.send(pk)
	c.wantPuback(3, packets.ErrNotAuthorized.Code)
	h.consumer.none(t)
	if n := h.Stats().Refused["response_topic"]; n != 1 {
		t.Errorf("%d response topics refused", n)
	}
}

// A client whose TCP holds small writes back until the last one is acknowledged
// (Nagle) is not made to wait for a delayed acknowledgement.
func TestQuickAck(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux lets a server acknowledge at once")
	}
	h := open(t)
	c := connect(t, h, kitchen, 4)
	if err := c.conn.(*net.TCPConn).SetNoDelay(false); err != nil {
		t.Fatal(err)
	}
	c.subscribe(1, replies)
	h.Deliver(reply("0"), true)
	c.puback(c.wantPublish("0").PacketID) // replies come before their PUBACK from now on
	var took []time.Duration
	for id := uint16(1); id <= 21; id++ {
		b := encode(t, publishPacket(utterance, "hello", 1, id))
		started := time.Now()
		for _, part := range [][]byte{b[:2], b[2:10], b[10:]} {
			if _, err := c.conn.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		in := h.consumer.next(t)
		h.Deliver(reply(fmt.Sprint(id)), id%2 == 0)
		in.Ack()
		answer := c.wantPublish(fmt.Sprint(id))
		c.wantPuback(id, 0)
		c.puback(answer.PacketID) // the next publish waits for the acknowledgement of this
		took = append(took, time.Since(started))
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median > 20*time.Millisecond { // delayed: 42 ms
		t.Errorf("half of the publishes took more than %v", median)
	}
}
