package broker_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker"
	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// FuzzPackets sends bytes to a running broker, as a stranger and as a device, and
// checks that others are served on.
func FuzzPackets(f *testing.F) {
	request := func(kind byte, filter string) []byte {
		return encode(f, packets.Packet{
			FixedHeader: packets.FixedHeader{Type: kind, Qos: 1}, ProtocolVersion: 5, PacketID: 1,
			Filters: packets.Subscriptions{{Filter: filter, Qos: 1}},
		})
	}
	f.Add(byte(5), []byte{0x82, 0x06, 0, 1, 0, 0, 1, 'a'}) // SUBSCRIBE without the options byte
	f.Add(byte(4), []byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F})   // PUBLISH of 256 MiB
	f.Add(byte(5), []byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01})
	f.Add(byte(5), []byte{0x32, 0x05, 0, 1, 'a', 0, 0}) // packet id 0
	f.Add(byte(5), []byte{0x62, 0x02, 0, 1})            // PUBREL of nothing
	f.Add(byte(5), []byte{0x50, 0x02, 0, 1})            // PUBREC of nothing
	f.Add(byte(5), []byte{0x40, 0x02, 0, 0})            // PUBACK of nothing
	f.Add(byte(5), []byte{0xF0, 0x00})                  // AUTH
	f.Add(byte(4), []byte{0x20, 0x02, 0, 0})            // CONNACK
	f.Add(byte(5), request(packets.Subscribe, "hark/demo/kitchen/#"))
	f.Add(byte(5), request(packets.Unsubscribe, "#"))
	f.Add(byte(4), encode(f, publishPacket(utterance, "x", 2, 1)))
	f.Add(byte(0), encode(f, connectPacket(kitchen, 4)))
	f.Add(byte(0), encode(f, connectPacket(kitchen, 5)))

	h := open(f, func(o *broker.Options) { o.Log = slog.New(slog.DiscardHandler) })
	go func() {
		for in := range h.consumer.got {
			in.Ack()
		}
	}()
	f.Cleanup(func() { _ = h.stop(); close(h.consumer.got) })
	well := connect(f, h, bedroom, 4)
	well.subscribe(1, packets.Subscription{Filter: bedroom.Topic(topic.Reply), Qos: 1})
	n := 0
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		conn, err := net.DialTimeout("tcp", h.addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if version == 4 || version == 5 {
			data = append(encode(t, connectPacket(kitchen, version)), data...)
		}
		_, _ = conn.Write(data)
		_ = conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); err != nil && isTimeout(err) {
			t.Error("the connection stays open")
		}
		well.t = t
		n++
		h.DeliverTransient(topic.Outbound{ID: fmt.Sprint(n), Device: bedroom, Topic: bedroom.Topic(topic.Reply), Payload: []byte("x")})
		well.puback(well.wantPublish("x").PacketID)
	})
}

// A packet on which the library panics ends its own connection alone, and leaves
// nothing behind.
func TestPanic(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 5, func(pk *packets.Packet) {
		pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 60, true
	})
	c.subscribe(1, all)
	if _, err := c.conn.Write([]byte{0x82, 0x06, 0, 1, 0, 0, 1, 'a'}); err != nil {
		t.Fatal(err)
	}
	c.closed()
	eventually(t, "gone", func() bool { s := h.Stats(); return s.Connections == 0 && s.Refused["panic"] == 1 })
	if ack := dial(t, h, 5).connect(connectPacket(kitchen, 5), func(pk *packets.Packet) { pk.Connect.Clean = false }); ack.SessionPresent {
		t.Error("a session was left behind")
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
