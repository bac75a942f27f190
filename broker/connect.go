package broker

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/auth"
	"github.com/hark-voice/hark/broker/topic"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// refusal is why a client is not let in. The code is one of MQTT 5; encoded
// translates it for a client of MQTT 3.
type refusal struct {
	code   packets.Code
	reason string // as counted
	cause  error
}

func (r *refusal) Error() string { return r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

// connect decides on a client whose CONNECT is well formed. It returns with the
// lock of the client id held if it lets the client in; otherwise the client has
// been told why, and the connection ends.
func (p *peer) connect(cl *mqtt.Client, pk packets.Packet) error {
	p.cl, p.ids.cl = cl, cl
	p.sock.speaksV3(cl.Properties.ProtocolVersion < 5)
	if pk.Connect.ClientIdentifier == "" { // MQTT 5, 3.1.3.1: the server assigns one
		cl.ID = auth.AssignClientID(string(pk.Connect.Username))
		cl.Properties.Props.AssignedClientID = cl.ID
	}
	if r := p.admit(cl, pk); r != nil {
		p.refused = true
		p.b.counts.add(r.reason)
		p.b.log.Info("connection refused", "username", string(pk.Connect.Username), "client", cl.ID,
			"remote", cl.Net.Remote, "reason", r.reason, "error", r.cause)
		_ = cl.WritePacket(packets.Packet{ // it may be gone
			FixedHeader: packets.FixedHeader{Type: packets.Connack},
			ReasonCode:  r.code.Code,
			Properties:  packets.Properties{ReasonString: r.cause.Error()},
		})
		return r
	}
	p.limitKeepAlive()
	p.will, cl.Properties.Will = newWill(pk), mqtt.Will{} // see wills
	return nil
}

func (p *peer) admit(cl *mqtt.Client, pk packets.Packet) *refusal {
	select {
	case <-p.b.stopping:
		return &refusal{packets.ErrServerUnavailable, refusedStopping, errors.New("the server is stopping")}
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.b.opts.ConnectTimeout)
	defer cancel()
	username := string(pk.Connect.Username)
	if d, ok := topic.ParseUsername(username); ok {
		p.b.guests.arrive(p, d)
	}
	d, expires, err := p.b.verifier.Verify(ctx, username, cl.ID, pk.Connect.Password)
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		p.b.log.Warn("credentials cannot be read", "error", err)
		return &refusal{packets.ErrServerUnavailable, refusedUnavailable, auth.ErrUnavailable}
	case errors.Is(err, auth.ErrClientID):
		return &refusal{packets.ErrClientIdentifierNotValid, refusedClientID, auth.ErrClientID}
	case err != nil:
		return &refusal{packets.ErrBadUsernameOrPassword, refusedCredentials, auth.ErrCredentials}
	}
	if pk.Connect.WillFlag && !mayBeWill(d, pk.Connect) {
		return &refusal{packets.ErrNotAuthorized, refusedWill, errors.New("the will's topic or response topic is not the device's")}
	}
	if !p.lock(ctx.Done()) {
		return &refusal{packets.ErrServerBusy, refusedBusy, errors.New("another connection of this client id is just being made")}
	}
	if !p.b.sessions.add(d, cl.ID, p.b.opts.MaxSessions) {
		return &refusal{packets.ErrQuotaExceeded, refusedSessions, errors.New("the device has too many sessions; use fewer client ids")}
	}
	p.device, p.expires = d, expires
	return nil
}

// mayBeWill tells whether the device might publish its will itself.
func mayBeWill(d topic.Device, c packets.ConnectParams) bool {
	_, ok := auth.MayPublish(d, c.WillTopic)
	return ok && mayAskFor(d, c.WillTopic, c.WillProperties.ResponseTopic)
}

// limitKeepAlive tells a client of MQTT 5 to ping often enough. MQTT 3 knows no
// such thing, there TCP's own keep-alive finds dead peers.
func (p *peer) limitKeepAlive() {
	limit := uint16(min(p.b.opts.MaxKeepAlive/time.Second, math.MaxUint16)) //nolint:gosec // bounded
	if s := &p.cl.State; p.cl.Properties.ProtocolVersion == 5 && (s.Keepalive == 0 || s.Keepalive > limit) {
		s.Keepalive, s.ServerKeepalive = limit, true
	}
}

// v3Code translates a reason code of CONNACK for MQTT 3.1.1, 3.2.2.3.
func v3Code(code byte) byte {
	switch code {
	case packets.ErrUnsupportedProtocolVersion.Code:
		return packets.Err3UnsupportedProtocolVersion.Code
	case packets.ErrClientIdentifierNotValid.Code, packets.ErrUnspecifiedError.Code: // the latter: empty, without clean session
		return packets.Err3ClientIdentifierNotValid.Code
	case packets.ErrBadUsernameOrPassword.Code:
		return packets.ErrMalformedUsernameOrPassword.Code
	case packets.ErrNotAuthorized.Code:
		return packets.Err3NotAuthorized.Code
	}
	if code >= packets.ErrUnspecifiedError.Code {
		return packets.Err3ServerUnavailable.Code
	}
	return code
}

// sessions counts the client ids of each device that the library keeps.
type sessions struct {
	mu  sync.Mutex
	ids map[topic.Device]map[string]bool
}

func (s *sessions) add(d topic.Device, id string, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = make(map[topic.Device]map[string]bool)
	}
	ids := s.ids[d]
	if ids == nil {
		ids = make(map[string]bool)
		s.ids[d] = ids
	}
	if !ids[id] && len(ids) >= limit {
		return false
	}
	ids[id] = true
	return true
}

func (s *sessions) remove(d topic.Device, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids[d], id)
	if len(s.ids[d]) == 0 {
		delete(s.ids, d)
	}
}
