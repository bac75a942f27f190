package broker

import (
	"bytes"
	"testing"

	"github.com/hark-voice/hark/broker/session"
	"github.com/mochi-mqtt/server/v2/packets"
	"pgregory.net/rapid"
)

// What is encoded here is, byte by byte, what the library would encode.
func TestEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.SampledFrom([]byte{3, 4, 5}).Draw(t, "version")
		id := rapid.Uint16Min(1).Draw(t, "id")
		m := session.Publish{
			Topic:           rapid.StringN(1, 100, 300).Draw(t, "topic"),
			Payload:         make([]byte, rapid.SampledFrom([]int{0, 1, 100, 127, 128, 16_384, 2_100_000}).Draw(t, "payload")),
			QoS:             rapid.ByteMax(1).Draw(t, "QoS"),
			Expiry:          rapid.Uint32().Draw(t, "expiry"),
			Correlation:     rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "correlation"),
			SubscriptionIDs: rapid.SliceOfN(rapid.IntRange(1, 268_435_455), 0, 5).Draw(t, "subscription ids"),
		}
		pk := packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: m.QoS}, ProtocolVersion: version, PacketID: id,
			TopicName: m.Topic, Payload: m.Payload, Mods: packets.Mods{AllowResponseInfo: true},
			Properties: packets.Properties{MessageExpiryInterval: m.Expiry, CorrelationData: m.Correlation, SubscriptionIdentifier: m.SubscriptionIDs},
		}
		var want bytes.Buffer
		if err := pk.PublishEncode(&want); err != nil {
			t.Fatal(err)
		}
		if got := appendPublish(nil, version, id, m); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("PUBLISH is %.200x, want %.200x", got, want.Bytes())
		}

		a := session.Ack{PacketID: id, QoS: rapid.ByteRange(1, 2).Draw(t, "acknowledged QoS")}
		a.Reason = rapid.SampledFrom([]byte{0, packets.ErrNotAuthorized.Code}).Draw(t, "reason")
		want.Reset()
		pk = packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, ProtocolVersion: version, PacketID: id, ReasonCode: a.Reason}
		if a.QoS == 2 {
			pk.FixedHeader.Type = packets.Pubrec
		}
		if err := pk.PubackEncode(&want); err != nil {
			t.Fatal(err)
		}
		if got := appendAck(nil, version, a); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("acknowledgement is %x, want %x", got, want.Bytes())
		}
	})
}
