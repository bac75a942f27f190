package broker_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// What a device must not publish is acknowledged, so that it is not sent again,
// and delivered to nobody.
func TestForbiddenPublish(t *testing.T) {
	forbidden := []string{
		"hark/demo/kitchen/reply", "hark/demo/kitchen/command", "hark/demo/kitchen/say", "hark/demo/kitchen/welcome",
		"hark/demo/bedroom/utterance", "hark/demo/bedroom/state", "hark/other/kitchen/utterance", "hark/demo/kitchen2/state",
		"hark/demo/kitchen", "hark/demo", "hark", "/hark/demo/kitchen/state", "hark/demo/kitchen/", "x", "$SYS/broker/version", "$share/g/x",
		"HARK/demo/kitchen/state", "hark/demo/kitchen/" + strings.Repeat("a/", 20), "hark/demo/kitchen/" + strings.Repeat("a", 300),
	}
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", v), func(t *testing.T) {
			h := open(t)
			for _, d := range []topic.Device{bedroom, foreign} {
				other := connect(t, h, d, 4)
				other.subscribe(1, packets.Subscription{Filter: "hark/" + d.String() + "/#", Qos: 1})
				defer other.quiet()
			}
			own := connect(t, h, kitchen, 4, withID("demo/kitchen/other"))
			own.subscribe(1, packets.Subscription{Filter: "hark/demo/kitchen/#", Qos: 1})
			c := connect(t, h, kitchen, v)
			reason := byte(0)
			if v == 5 {
				reason = packets.ErrNotAuthorized.Code
			}
			for i, name := range forbidden {
				id := uint16(i + 1)
				c.publish(name, "x", 1, id)
				c.wantPuback(id, reason)
				c.publish(name, "x", 0, 0)
				c.publish(name, "x", 2, id)
				if ack := c.want(packets.Pubrec); ack.PacketID != id || ack.ReasonCode != reason {
					t.Errorf("%s: PUBREC of %d, reason %#x", name, ack.PacketID, ack.ReasonCode)
				}
			}
			c.quiet()
			own.quiet()
			h.consumer.none(t)
			if n := h.Stats().Refused["topic"]; n != uint64(3*len(forbidden)) {
				t.Errorf("%d refused, want %d", n, 3*len(forbidden))
			}
			c.publish("hark/demo/kitchen/note", "on", 1, 1)
			c.wantPuback(1, 0)
			own.wantPublish("on")
		})
	}
}

func TestSubscribe(t *testing.T) {
	for _, c := range []struct {
		filter  string
		allowed bool
	}{
		{"hark/demo/kitchen/#", true},
		{"hark/demo/kitchen/+", true},
		{"hark/demo/kitchen/reply", true},
		{"hark/demo/kitchen/+/x", true},
		{"$share/g/hark/demo/kitchen/#", true},
		{"hark/demo/kitchen", false},
		{"hark/demo/+/reply", false},
		{"hark/+/kitchen/reply", false},
		{"hark/demo/#", false},
		{"hark/#", false},
		{"#", false},
		{"+/demo/kitchen/reply", false},
		{"hark/demo/bedroom/reply", false},
		{"hark/demo/kitchen2/#", false},
		{"$share/g/hark/demo/bedroom/#", false},
		{"$share/g/#", false},
		{"$share/hark/demo/kitchen/#", false},
		{"$share/g/$share/g/hark/demo/bedroom/#", false},
		{"$SYS/#", false},
		{"$SYS/broker/version", false},
		{"hark/demo/kitchen/#/x", false},
		{"hark/demo/kitchen/" + strings.Repeat("+/", 20) + "#", false},
	} {
		t.Run(c.filter, func(t *testing.T) {
			h := open(t)
			for v, refused := range map[byte][]byte{4: {0x80}, 5: {0x87, 0x8F}} {
				cl := connect(t, h, kitchen, v)
				ack := cl.subscribe(7, packets.Subscription{Filter: c.filter, Qos: 1})
				granted := len(ack.ReasonCodes) == 1 && ack.ReasonCodes[0] == 1
				if granted != c.allowed || !granted && !strings.Contains(string(refused), string(ack.ReasonCodes)) {
					t.Errorf("version %d: SUBACK %#x", v, ack.ReasonCodes)
				}
				cl.quiet()
			}
		})
	}
}

func TestSubscriptionLimit(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 5)
	var subs []packets.Subscription
	for i := range 40 {
		subs = append(subs, packets.Subscription{Filter: fmt.Sprint("hark/demo/kitchen/", i), Qos: 2})
	}
	ack := c.subscribe(1, subs...)
	for i, code := range ack.ReasonCodes {
		if want := map[bool]byte{true: 1, false: packets.ErrNotAuthorized.Code}[i < 32]; code != want {
			t.Errorf("filter %d: %#x", i, code)
		}
	}
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe}, PacketID: 9, Filters: subs[:1]})
	if pk := c.want(packets.Unsuback); pk.PacketID != 9 {
		t.Errorf("UNSUBACK of %d", pk.PacketID)
	}
	if ack := c.subscribe(2, subs[39]); ack.ReasonCodes[0] != 1 {
		t.Errorf("after UNSUBSCRIBE: %#x", ack.ReasonCodes)
	}
}

func TestRetained(t *testing.T) {
	h := open(t)
	c := connect(t, h, kitchen, 4)
	for i := range 70 {
		pk := publishPacket(fmt.Sprint("hark/demo/kitchen/state/", i), "on", 1, 1)
		pk.FixedHeader.Retain = true
		c.send(pk)
		c.wantPuback(1, 0)
	}
	c.subscribe(1, packets.Subscription{Filter: "hark/demo/kitchen/#", Qos: 0})
	for range 64 {
		if pk := c.wantPublish("on"); !pk.FixedHeader.Retain {
			t.Error("not marked as retained")
		}
	}
	c.quiet()
	if n := h.Stats().Dropped["retained"]; n != 6 {
		t.Errorf("%d retained flags dropped", n)
	}
}

// No Local and the will work through the inline client.
func TestNoLocalAndWill(t *testing.T) {
	h := open(t)
	a := connect(t, h, kitchen, 5, func(pk *packets.Packet) {
		pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, "hark/demo/kitchen/note", []byte("offline")
	})
	b := connect(t, h, kitchen, 5, withID("demo/kitchen/b"))
	for _, c := range []*client{a, b} {
		c.subscribe(1, packets.Subscription{Filter: "hark/demo/kitchen/#", Qos: 1, NoLocal: true})
	}
	a.publish("hark/demo/kitchen/note", "online", 1, 1)
	a.wantPuback(1, 0)
	a.quiet()
	if pk := b.wantPublish("online"); pk.FixedHeader.Qos != 1 {
		t.Errorf("QoS %d", pk.FixedHeader.Qos)
	}
	_ = a.conn.Close()
	b.wantPublish("offline")
}

// Members of a shared subscription get about equal shares, and one that is away
// gets none.
func TestShared(t *testing.T) {
	h := open(t)
	members := make(map[string]*client)
	for _, id := range []string{"a", "b", "away"} {
		c := connect(t, h, kitchen, 5, withID("demo/kitchen/"+id), func(pk *packets.Packet) {
			pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 60, true
		})
		c.subscribe(1, packets.Subscription{Filter: "$share/g/hark/demo/kitchen/note", Qos: 0})
		members[id] = c
	}
	_ = members["away"].conn.Close()
	eventually(t, "away", func() bool { return h.Stats().Connections == 2 })
	delete(members, "away")
	const n = 50
	got := make(chan string, n)
	var readers sync.WaitGroup
	for id, m := range members {
		readers.Go(func() {
			for {
				if _, err := m.read(patience); err != nil {
					return
				}
				got <- id
			}
		})
	}
	c := connect(t, h, kitchen, 4)
	for i := range uint16(n) {
		c.publish("hark/demo/kitchen/note", "x", 1, i+1)
		c.wantPuback(i+1, 0)
	}
	shares := make(map[string]int)
	for range n {
		shares[<-got]++
	}
	if shares["a"] < n/10 || shares["b"] < n/10 { // less has a chance of one in 10^8
		t.Errorf("shares: %v", shares)
	}
	for _, m := range members {
		_ = m.conn.Close()
	}
	readers.Wait()
}
