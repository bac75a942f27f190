package broker

import (
	"math"
	"slices"
	"sync"

	"github.com/hark-voice/hark/broker/session"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// spareIDs is how many packet ids a connection keeps for its next messages. With
// more than one, an acknowledgement that a client sends twice does not count for
// the message after.
const spareIDs = 4

// packetIDs holds the packet ids of messages from Hark to one client. They stand
// in the library's own table, so that it uses them for nothing else. An entry there
// is a whole packet and costs accordingly, so some ids stay in it for later.
type packetIDs struct {
	cl *mqtt.Client

	mu     sync.Mutex
	flying []uint16 // of messages that are not acknowledged
	spare  []uint16 // the one that was used longest ago first
}

// take returns a packet id. With a limit other than zero, so many messages at most
// may be unacknowledged, those of the library included. Else the client is busy.
func (p *packetIDs) take(limit int) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if limit > 0 && p.cl.State.Inflight.Len()-len(p.spare) >= limit {
		return 0, session.ErrBusy
	}
	if len(p.spare) == spareIDs {
		id := p.spare[0]
		p.spare = slices.Delete(p.spare, 0, 1)
		p.flying = append(p.flying, id)
		return id, nil
	}
	next, err := p.cl.NextPacketID()
	if err != nil {
		return 0, session.ErrBusy
	}
	id := uint16(next) //nolint:gosec // at most 65,535
	p.cl.State.Inflight.Set(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1},
		PacketID:    id,
		Created:     math.MaxInt64, // the library forgets what is older than its message expiry
	})
	p.flying = append(p.flying, id)
	return id, nil
}

// release takes an acknowledgement. It tells whether the id is one of those here,
// flying or not.
func (p *packetIDs) release(id uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.flying, id)
	if i < 0 {
		return slices.Contains(p.spare, id)
	}
	p.flying = slices.Delete(p.flying, i, i+1)
	if len(p.spare) < spareIDs {
		p.spare = append(p.spare, id)
	} else {
		p.cl.State.Inflight.Delete(id)
	}
	return true
}

// messages counts the messages that the client has yet to acknowledge, those of the
// library included.
func (p *packetIDs) messages() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cl.State.Inflight.Len() - len(p.spare)
}

// clear gives all ids back to the library.
func (p *packetIDs) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range slices.Concat(p.flying, p.spare) {
		p.cl.State.Inflight.Delete(id)
	}
	p.flying, p.spare = nil, nil
}
