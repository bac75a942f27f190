package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// withWill asks for a will, and for MQTT 5 delays it and keeps the session by so
// many seconds.
func withWill(name, payload string, delay, expiry uint32) func(*packets.Packet) {
	return func(pk *packets.Packet) {
		c := &pk.Connect
		c.WillFlag, c.WillTopic, c.WillPayload, c.WillQos, c.WillRetain = true, name, []byte(payload), 1, true
		if pk.ProtocolVersion == 5 {
			c.WillProperties.WillDelayInterval = delay
			pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = expiry, true
		}
	}
}

func (c *client) disconnect(reason byte, change ...func(*packets.Packet)) {
	c.t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: reason}
	for _, f := range change {
		f(&pk)
	}
	c.send(pk)
}

var status = kitchen.Topic(topic.Status)

// A will on a topic that Hark consumes goes to the consumer, and to nobody else,
// when its connection ends without a DISCONNECT of success.
func TestWill(t *testing.T) {
	t.Parallel()
	gone := func(_ *house, c *client) { _ = c.conn.Close() }
	takeover := func(clean bool) func(h *house, c *client) {
		return func(h *house, c *client) {
			connect(c.t, h, kitchen, c.v, func(pk *packets.Packet) { pk.Connect.Clean = clean })
		}
	}
	goneAnd := func(then func(*house, *client)) func(*house, *client) {
		return func(h *house, c *client) {
			eventually(c.t, "there", func() bool { return h.Stats().Accepted == 2 }) // some time after CONNACK
			gone(h, c)
			eventually(c.t, "gone", func() bool { return h.Stats().Connections == 1 })
			then(h, c)
		}
	}
	keptBy := func(expiry uint32) func(*packets.Packet) {
		return func(pk *packets.Packet) {
			pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = expiry, true
		}
	}
	reason := func(code byte, change ...func(*packets.Packet)) func(*house, *client) {
		return func(_ *house, c *client) { c.disconnect(code, change...) }
	}
	for _, c := range []struct {
		name          string
		delay, expiry uint32
		end           func(*house, *client)
		v3, v5        bool
	}{
		{"the connection breaks", 0, 0, gone, true, true},
		{"DISCONNECT", 0, 0, reason(0), false, false},
		{"DISCONNECT of a session that is kept", 5, 60, reason(0), false, false},
		{"DISCONNECT with will", 0, 0, reason(0x04), true, true}, // MQTT 3 has no reasons; see below
		{"DISCONNECT with an error", 0, 0, reason(0x80), true, true},
		{"DISCONNECT that breaks the protocol", 0, 0, reason(0, keptBy(60)), false, true},
		{"DISCONNECT with will that ends the session", 60, 60, reason(0x04, keptBy(0)), true, true},
		{"second CONNECT", 0, 0, func(_ *house, c *client) { c.send(connectPacket(kitchen, c.v)) }, true, true},
		{"malformed packet", 0, 0, func(_ *house, c *client) { _, _ = c.conn.Write([]byte{0x82, 0x02, 0, 1}) }, true, true},
		{"panic", 60, 60, func(_ *house, c *client) { _, _ = c.conn.Write([]byte{0x82, 0x06, 0, 1, 0, 0, 1, 'a'}) }, true, true},
		{"no ping", 0, 0, func(*house, *client) {}, true, true},
		{"shown out", 0, 0, func(h *house, _ *client) { h.Disconnect(kitchen) }, true, true},
		{"taken over", 0, 0, takeover(true), true, true},
		{"taken over and resumed", 0, 60, takeover(false), true, true},
		{"taken over within the delay", 60, 60, takeover(true), true, true},
		{"taken over and resumed within the delay", 60, 60, takeover(false), true, false},
		{"the session ends before the delay", 60, 0, gone, true, true},
		{"delayed", 1, 60, gone, true, true},
		{"resumed within the delay", 60, 60, goneAnd(takeover(false)), true, false},
		{"begun anew within the delay", 60, 60, goneAnd(takeover(true)), true, true},
		{"the broker stops", 0, 0, func(h *house, _ *client) { _ = h.stop() }, false, false},
		{"the broker stops, delayed", 60, 60, func(h *house, _ *client) { _ = h.stop() }, false, false},
		{"the broker stops within the delay", 60, 60, goneAnd(func(h *house, _ *client) { _ = h.stop() }), true, true},
	} {
		for v, want := range map[byte]bool{4: c.v3, 5: c.v5} {
			if v == 4 && (c.name[:3] == "DIS" && want) {
				continue // not in MQTT 3
			}
			t.Run(fmt.Sprintf("%s, version %d", c.name, v), func(t *testing.T) {
				t.Parallel()
				h := open(t)
				watch := connect(t, h, kitchen, 5, withID("demo/kitchen/watch"))
				watch.subscribe(1, all)
				cl := connect(t, h, kitchen, v, withWill(status, "offline", c.delay, c.expiry), func(pk *packets.Packet) {
					if c.name == "no ping" {
						pk.Connect.Keepalive = 1
					}
				})
				began := time.Now()
				c.end(h, cl)
				if want {
					in := h.consumer.next(t)
					if in.Kind != topic.Status || in.Device != kitchen || string(in.Payload) != "offline" || in.Received.IsZero() {
						t.Errorf("consumed %+v", in)
					}
					in.Ack()
					if c.name == "delayed" && v == 5 && time.Since(began) < time.Second {
						t.Errorf("after %v", time.Since(began))
					}
				}
				eventually(t, "over", func() bool { n := h.Stats(); return n.Connections <= 1 || n.Accepted == 3 })
				h.consumer.none(t)
				_ = h.stop()
				h.consumer.none(t)
				if pk, err := watch.read(patience); err == nil && pk.FixedHeader.Type != packets.Disconnect {
					t.Errorf("a subscriber got %+v", pk)
				}
			})
		}
	}
}

// All that a will may say reaches the consumer, and what it must not say is
// refused at CONNECT.
func TestWillProperties(t *testing.T) {
	h := open(t)
	say := func(answer string) func(*packets.Packet) {
		return func(pk *packets.Packet) {
			withWill(utterance, "help", 0, 0)(pk)
			p := &pk.Connect.WillProperties
			p.ResponseTopic, p.CorrelationData, p.MessageExpiryInterval = answer, []byte{7}, 30
		}
	}
	if ack := dial(t, h, 5).connect(connectPacket(kitchen, 5), say("hark/demo/bedroom/reply")); ack.ReasonCode != packets.ErrNotAuthorized.Code {
		t.Errorf("CONNACK %#x", ack.ReasonCode)
	}
	c := connect(t, h, kitchen, 5, say("hark/demo/kitchen/answer"))
	_ = c.conn.Close()
	in := h.consumer.next(t)
	if in.Kind != topic.Utterance || in.ResponseTopic != "hark/demo/kitchen/answer" || string(in.Correlation) != "\x07" || in.Expires.Sub(in.Received) != 30*time.Second {
		t.Errorf("consumed %+v", in)
	}
	in.Ack()
}

// A will on a topic of the device's own goes to its other connections, and is
// retained.
func TestWillOnOwnTopic(t *testing.T) {
	for _, v := range []byte{4, 5} {
		h := open(t)
		other := connect(t, h, kitchen, 5, withID("demo/kitchen/other"))
		other.subscribe(1, all)
		other.quiet() // what is retained follows the SUBACK: a will published between the two would come so, too
		c := connect(t, h, kitchen, v, withWill("hark/demo/kitchen/note", "gone", 0, 0))
		_ = c.conn.Close()
		if pk := other.wantPublish("gone"); pk.FixedHeader.Retain || pk.FixedHeader.Qos != 1 {
			t.Errorf("version %d: %+v", v, pk.FixedHeader)
		}
		late := connect(t, h, kitchen, v, withID("demo/kitchen/late"))
		late.subscribe(1, all)
		if pk := late.wantPublish("gone"); !pk.FixedHeader.Retain {
			t.Errorf("version %d: %+v", v, pk.FixedHeader)
		}
		h.consumer.none(t)
	}
}

// However connections of one client id chase each other, the consumer sees what
// each published, then its will, then the next.
func TestWillsInOrder(t *testing.T) {
	h := open(t)
	const n = 40
	for i := range n {
		c := connect(t, h, kitchen, byte(4+i%2), withWill(status, fmt.Sprint(i, " offline"), 0, 0))
		for range 10 {
			_, _ = c.conn.Write(encode(t, publishPacketOf(c.v, status, fmt.Sprint(i, " online"))))
		}
	}
	last := 0
	for last < n-1 {
		in := h.consumer.next(t)
		in.Ack()
		var i int
		var what string
		if _, err := fmt.Sscan(string(in.Payload), &i, &what); err != nil {
			t.Fatal(err)
		}
		if i != last {
			t.Fatalf("%q while connection %d lives", in.Payload, last)
		}
		if what == "offline" {
			last++
		}
	}
}

// publishPacketOf is a message at QoS 0.
func publishPacketOf(version byte, name, payload string) packets.Packet {
	pk := publishPacket(name, payload, 0, 0)
	pk.ProtocolVersion = version
	return pk
}

// A real client that is killed leaves its will; one that ends does not.
func TestMosquittoWill(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"311", "5"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			will := []string{"-V", version, "-q", "1", "-t", kitchen.Topic(topic.Reply), "--will-topic", status, "--will-payload", "offline", "--will-qos", "1", "--will-retain"}
			ends := mosquitto(t, h, "mosquitto_sub", append(will, "-C", "1")...)
			lines := startSub(t, h, ends)
			h.DeliverTransient(reply("bye"))
			if got := message(t, lines); got != "bye" {
				t.Errorf("got %q", got)
			}
			eventually(t, "ended", func() bool { return h.Stats().Connections == 0 })
			h.consumer.none(t)

			killed := mosquitto(t, h, "mosquitto_sub", will...)
			lines = startSub(t, h, killed)
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			in := h.consumer.next(t)
			if in.Kind != topic.Status || string(in.Payload) != "offline" {
				t.Errorf("consumed %+v", in)
			}
			in.Ack()
			for lines.Scan() {
				continue
			}
		})
	}
}
