package broker_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// client is an MQTT client that does what the test says, and nothing by itself.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	v    byte
}

func dial(tb testing.TB, h *house, version byte) *client {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", h.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return &client{t: tb, conn: conn, r: bufio.NewReader(conn), v: version}
}

// connectPacket is a CONNECT of a device with a clean session.
func connectPacket(d topic.Device, version byte) packets.Packet {
	return packets.Packet{
		FixedHeader:     packets.FixedHeader{Type: packets.Connect},
		ProtocolVersion: version,
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: d.String(),
			UsernameFlag: true, Username: []byte(d.String()), PasswordFlag: true, Password: []byte(password),
		},
	}
}

// connect dials and connects, and expects to be let in.
func connect(tb testing.TB, h *house, d topic.Device, version byte, change ...func(*packets.Packet)) *client {
	tb.Helper()
	c := dial(tb, h, version)
	if ack := c.connect(connectPacket(d, version), change...); ack.ReasonCode != 0 {
		tb.Fatalf("%s refused: %#x", d, ack.ReasonCode)
	}
	return c
}

func (c *client) connect(pk packets.Packet, change ...func(*packets.Packet)) packets.Packet {
	c.t.Helper()
	for _, f := range change {
		f(&pk)
	}
	c.send(pk)
	return c.want(packets.Connack)
}

func withID(id string) func(*packets.Packet) {
	return func(pk *packets.Packet) { pk.Connect.ClientIdentifier = id }
}

func encode(tb testing.TB, pk packets.Packet) []byte {
	tb.Helper()
	var buf bytes.Buffer
	var err error
	switch pk.FixedHeader.Type {
	case packets.Connect:
		err = pk.ConnectEncode(&buf)
	case packets.Publish:
		err = pk.PublishEncode(&buf)
	case packets.Puback:
		err = pk.PubackEncode(&buf)
	case packets.Pubrel:
		pk.FixedHeader.Qos = 1
		err = pk.PubrelEncode(&buf)
	case packets.Subscribe:
		pk.FixedHeader.Qos = 1
		err = pk.SubscribeEncode(&buf)
	case packets.Unsubscribe:
		pk.FixedHeader.Qos = 1
		err = pk.UnsubscribeEncode(&buf)
	case packets.Pingreq:
		err = pk.PingreqEncode(&buf)
	case packets.Disconnect:
		err = pk.DisconnectEncode(&buf)
	default:
		tb.Fatalf("a client sends no packet of type %d", pk.FixedHeader.Type)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func (c *client) send(pk packets.Packet) {
	c.t.Helper()
	pk.ProtocolVersion = c.v
	pk.Mods.AllowResponseInfo = true
	if _, err := c.conn.Write(encode(c.t, pk)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next packet.
func (c *client) read(patience time.Duration) (packets.Packet, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	var pk packets.Packet
	first, err := c.r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	n, _, err := packets.DecodeLength(c.r)
	if err != nil {
		return pk, err
	}
	pk.FixedHeader.Remaining = n
	pk.ProtocolVersion = c.v
	body := make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return pk, err
	}
	switch pk.FixedHeader.Type {
	case packets.Connack:
		err = pk.ConnackDecode(body)
	case packets.Publish:
		err = pk.PublishDecode(body)
	case packets.Puback:
		err = pk.PubackDecode(body)
	case packets.Pubrec:
		err = pk.PubrecDecode(body)
	case packets.Pubcomp:
		err = pk.PubcompDecode(body)
	case packets.Suback:
		err = pk.SubackDecode(body)
	case packets.Unsuback:
		err = pk.UnsubackDecode(body)
	case packets.Disconnect:
		err = pk.DisconnectDecode(body)
	case packets.Pingresp:
	default:
		err = errors.New("a server sends no such packet")
	}
	return pk, err
}

// want returns the next packet, which must be of a type.
func (c *client) want(kind byte) packets.Packet {
	c.t.Helper()
	pk, err := c.read(patience)
	if err != nil {
		c.t.Fatalf("waiting for %s: %v", packets.PacketNames[kind], err)
	}
	if pk.FixedHeader.Type != kind {
		c.t.Fatalf("got %s %+v, want %s", packets.PacketNames[pk.FixedHeader.Type], pk, packets.PacketNames[kind])
	}
	return pk
}

// quiet checks that the server has sent nothing up to its answer to a ping, which
// it gives in order.
func (c *client) quiet() {
	c.t.Helper()
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	c.want(packets.Pingresp)
}

// closed waits for the end of the connection.
func (c *client) closed() {
	c.t.Helper()
	for {
		if _, err := c.read(patience); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				c.t.Fatal("the connection is still open")
			}
			return
		}
	}
}

func publishPacket(name, payload string, qos byte, id uint16) packets.Packet {
	return packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos},
		TopicName:   name, Payload: []byte(payload), PacketID: id,
	}
}

func (c *client) publish(name, payload string, qos byte, id uint16) {
	c.t.Helper()
	c.send(publishPacket(name, payload, qos, id))
}

func (c *client) subscribe(id uint16, subs ...packets.Subscription) packets.Packet {
	c.t.Helper()
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: id, Filters: subs})
	ack := c.want(packets.Suback)
	if ack.PacketID != id {
		c.t.Fatalf("SUBACK of %d, want %d", ack.PacketID, id)
	}
	return ack
}

func (c *client) puback(id uint16) {
	c.t.Helper()
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: id})
}

// wantPublish returns the next packet, which must be this message.
func (c *client) wantPublish(payload string) packets.Packet {
	c.t.Helper()
	pk := c.want(packets.Publish)
	if string(pk.Payload) != payload {
		c.t.Fatalf("got %q, want %q", pk.Payload, payload)
	}
	return pk
}

// wantPuback expects the acknowledgement of a publish.
func (c *client) wantPuback(id uint16, reason byte) {
	c.t.Helper()
	if ack := c.want(packets.Puback); ack.PacketID != id || ack.ReasonCode != reason {
		c.t.Fatalf("PUBACK of %d, reason %#x; want %d, %#x", ack.PacketID, ack.ReasonCode, id, reason)
	}
}
