package broker

import (
	"maps"
	"math/rand/v2"
	"slices"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// OnSelectSubscribers chooses who of each shared subscription gets a message: any
// of those connected, with equal chances. The library would prefer some, and
// choose those that are away. It is called on the publisher's goroutine.
func (h *hook) OnSelectSubscribers(subs *mqtt.Subscribers, _ packets.Packet) *mqtt.Subscribers {
	subs.SharedSelected = make(map[string]packets.Subscription)
	for _, members := range subs.Shared {
		ids := slices.Collect(maps.Keys(members))
		if here := slices.DeleteFunc(slices.Clone(ids), h.away); len(here) > 0 {
			ids = here
		}
		id := ids[rand.IntN(len(ids))] //nolint:gosec // a fair share needs no secrecy
		sub := members[id]
		if other, ok := subs.SharedSelected[id]; ok {
			sub = other.Merge(sub)
		}
		subs.SharedSelected[id] = sub
	}
	return subs
}

func (h *hook) away(id string) bool {
	cl, ok := h.b.server.Clients.Get(id)
	return !ok || cl.Closed()
}
