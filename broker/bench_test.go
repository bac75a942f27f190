package broker_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/hark-voice/hark/broker"
	"github.com/mochi-mqtt/server/v2/packets"
)

// BenchmarkOutgoing measures messages down to one client, by the number that may
// be unacknowledged.
func BenchmarkOutgoing(b *testing.B) {
	for _, window := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint("window ", window), func(b *testing.B) {
			h := open(b, func(o *broker.Options) { o.Outgoing = window; o.Log = slog.New(slog.DiscardHandler) })
			c := connect(b, h, kitchen, 4)
			c.subscribe(1, replies)
			b.ResetTimer()
			sent := 0
			for i := range b.N {
				for ; sent < b.N && sent < i+500; sent++ {
					h.DeliverTransient(reply(fmt.Sprint(sent)))
				}
				c.puback(c.want(packets.Publish).PacketID)
			}
		})
	}
}

// BenchmarkInbound measures publishes of one client at QoS 1, 20 of them in
// flight, as mosquitto_pub has.
func BenchmarkInbound(b *testing.B) {
	h := open(b, func(o *broker.Options) { o.Log = slog.New(slog.DiscardHandler) })
	go func() {
		for in := range h.consumer.got {
			in.Ack()
		}
	}()
	defer close(h.consumer.got)
	c := connect(b, h, kitchen, 4)
	b.ResetTimer()
	sent := 0
	for i := range b.N {
		for ; sent < b.N && sent < i+20; sent++ {
			c.publish(utterance, `{"id":"1","text":"what time is it"}`, 1, uint16(sent%60000+1))
		}
		c.wantPuback(uint16(i%60000+1), 0)
	}
}
