package broker

import (
	"maps"
	"sync"
	"sync/atomic"
)

// The reasons under which Stats counts refusals and drops.
const (
	refusedCredentials = "credentials"
	refusedClientID    = "client_id"
	refusedWill        = "will"
	refusedUnavailable = "unavailable"
	refusedBusy        = "busy"
	refusedSessions    = "sessions"
	refusedStopping    = "stopping"
	refusedMalformed   = "malformed"
	refusedPanic       = "panic"
	refusedTopic       = "topic"
	refusedResponse    = "response_topic"
	refusedFilter      = "filter"

	droppedSlow     = "slow_client"
	droppedFanOut   = "fan_out"
	droppedRetained = "retained"
	droppedRepeated = "repeated"
)

// Stats is a snapshot of the broker's counters, since the start unless said
// otherwise.
type Stats struct {
	Connections int64  // clients connected now
	Subscribers int    // of them, those subscribed to something
	Accepted    uint64 // clients that were let in
	Unacked     int    // publishes of devices taken in and not yet acknowledged, now
	In          uint64 // publishes of devices, those refused and wills that came due included
	Consumed    uint64 // of them, those given to the consumer
	Sent        uint64 // messages from Hark written, one for each connection
	Done        uint64 // of them, those that a device has
	Expired     uint64 // messages from Hark that became too old to be sent
	Undelivered uint64 // messages from Hark that were dropped: see session.Stats
	// Refused counts what was refused: connections (credentials, client_id, will,
	// unavailable, busy, sessions, stopping, malformed, panic), publishes (topic,
	// response_topic) and subscriptions (filter).
	Refused map[string]uint64
	// Dropped counts connections that read too slowly (slow_client), messages
	// between connections of a device without room (fan_out), retained flags beyond
	// the limit (retained) and publishes that were still being handled (repeated).
	Dropped map[string]uint64
}

// counts holds the counters.
type counts struct {
	connections            atomic.Int64
	accepted, in, consumed atomic.Uint64

	mu     sync.Mutex
	byName map[string]uint64
}

func (c *counts) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = make(map[string]uint64)
	}
	c.byName[name]++
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	sent := b.sender.Stats()
	s := Stats{
		Connections: b.counts.connections.Load(), Accepted: b.counts.accepted.Load(),
		Unacked: b.unacked(), In: b.counts.in.Load(), Consumed: b.counts.consumed.Load(),
		Subscribers: sent.Subscribers, Sent: sent.Sent, Done: sent.Done, Expired: sent.Expired, Undelivered: sent.Dropped,
		Dropped: make(map[string]uint64),
	}
	b.counts.mu.Lock()
	s.Refused = maps.Clone(b.counts.byName)
	b.counts.mu.Unlock()
	for _, name := range []string{droppedSlow, droppedFanOut, droppedRetained, droppedRepeated} {
		if n := s.Refused[name]; n > 0 {
			s.Dropped[name] = n
			delete(s.Refused, name)
		}
	}
	return s
}
