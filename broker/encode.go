package broker

import (
	"encoding/binary"

	"github.com/hark-voice/hark/broker/session"
	"github.com/mochi-mqtt/server/v2/packets"
)

// What each message and its reply take is encoded here. The library would make a
// large structure of each packet and copy it at every step, which costs several
// times as much.

// appendPublish appends a PUBLISH (MQTT 3.1.1 and 5, 3.3) to b.
func appendPublish(b []byte, version byte, id uint16, m session.Publish) []byte {
	size := 2 + len(m.Topic) + len(m.Payload)
	if m.QoS > 0 {
		size += 2
	}
	var room [64]byte
	var props []byte
	if version >= 5 {
		props = appendProperties(room[:0], m)
		size += uvarintSize(len(props)) + len(props)
	}
	b = append(b, packets.Publish<<4|m.QoS<<1)
	b = binary.AppendUvarint(b, uint64(size)) // the same encoding as MQTT's, 1.5.5
	b = appendString(b, m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if version >= 5 {
		b = binary.AppendUvarint(b, uint64(len(props)))
		b = append(b, props...)
	}
	return append(b, m.Payload...)
}

// appendProperties appends the properties of a PUBLISH (MQTT 5, 3.3.2.3).
func appendProperties(b []byte, m session.Publish) []byte {
	if m.Expiry > 0 {
		b = append(b, packets.PropMessageExpiryInterval)
		b = binary.BigEndian.AppendUint32(b, m.Expiry)
	}
	if len(m.Correlation) > 0 {
		b = append(b, packets.PropCorrelationData)
		b = appendString(b, m.Correlation)
	}
	for _, id := range m.SubscriptionIDs {
		b = append(b, packets.PropSubscriptionIdentifier)
		b = binary.AppendUvarint(b, uint64(id)) //nolint:gosec // positive, and at most 268,435,455
	}
	return b
}

// appendAck appends a PUBACK or PUBREC (MQTT 3.1.1 and 5, 3.4 and 3.5) to b.
func appendAck(b []byte, version byte, a session.Ack) []byte {
	kind := packets.Puback << 4
	if a.QoS == 2 {
		kind = packets.Pubrec << 4
	}
	if version < 5 || a.Reason == 0 {
		return binary.BigEndian.AppendUint16(append(b, kind, 2), a.PacketID)
	}
	return append(binary.BigEndian.AppendUint16(append(b, kind, 3), a.PacketID), a.Reason)
}

// appendString appends a string or binary data (MQTT 5, 1.5.4 and 1.5.6), at most
// 65,535 bytes of them.
func appendString[T string | []byte](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s))) //nolint:gosec // all that is written is shorter
	return append(b, s...)
}

func uvarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}
