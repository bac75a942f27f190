package broker

import (
	"context"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/mochi-mqtt/server/v2/packets"
)

// expireEvery is how late a connection may be closed whose credential has expired.
const expireEvery = 250 * time.Millisecond

// guests knows which connections may have to be shown out.
type guests struct {
	mu        sync.Mutex
	arriving  map[*peer]topic.Device // their credentials are being read, or were and they are not yet among the clients
	temporary map[*peer]time.Time    // joined; when the credential that let them in expires
}

// arrive notes a connection before the credentials of its device are read.
func (g *guests) arrive(p *peer, d topic.Device) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.arriving == nil {
		g.arriving, g.temporary = make(map[*peer]topic.Device), make(map[*peer]time.Time)
	}
	g.arriving[p] = d
}

// join notes that a connection is among the clients. It tells whether the
// credentials of the device were withdrawn since they may have been read.
func (g *guests) join(p *peer) (revoked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.arriving, p)
	if !p.expires.IsZero() {
		g.temporary[p] = p.expires
	}
	return p.revoked
}

// leave forgets a connection.
func (g *guests) leave(p *peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.arriving, p)
	delete(g.temporary, p)
}

// revoke marks the arriving connections of a device.
func (g *guests) revoke(d topic.Device) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p, device := range g.arriving {
		if device == d {
			p.revoked = true
		}
	}
}

// expired removes and returns the connections whose credential has expired.
func (g *guests) expired(now time.Time) []*peer {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*peer
	for p, expires := range g.temporary {
		if !now.Before(expires) {
			delete(g.temporary, p)
			out = append(out, p)
		}
	}
	return out
}

// closeExpired closes connections when the credential that let them in expires,
// until ctx ends.
func (b *Broker) closeExpired(ctx context.Context) error {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, p := range b.guests.expired(b.opts.Clock.Now()) {
			b.log.Debug("closing a connection whose credential has expired", "client", p.cl.ID)
			_ = b.server.DisconnectClient(p.cl, packets.ErrMaxConnectTime) // its error is the code itself
		}
	}
}

// presence counts the connections of each device.
type presence struct {
	changed func(topic.Device, int) // may be nil; called while mu is held, so in order

	mu     sync.Mutex
	counts map[topic.Device]int
	closed bool
}

func (c *presence) add(d topic.Device, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil || c.closed {
		return
	}
	if c.counts == nil {
		c.counts = make(map[topic.Device]int)
	}
	n += c.counts[d]
	c.counts[d] = n
	if n == 0 {
		delete(c.counts, d)
	}
	c.changed(d, n)
}

// close ends the calls of changed.
func (c *presence) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}
