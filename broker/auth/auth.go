// Package auth decides who a device is and which topics it may touch.
//
// In come a username, a client id and a password, and topics; out go a device or
// a refusal. It must not know MQTT packets or any broker library.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/topic"
)

// The refusals of Verify.
var (
	ErrCredentials = errors.New("username or password is wrong, or the credential has expired")
	ErrClientID    = errors.New("client id is neither the username nor begins with it and a slash")
	ErrUnavailable = errors.New("credentials cannot be read")
)

const (
	maxClientIDLength = 192 // two names of 63, slashes, and as much again
	defaultTTL        = 5 * time.Second
	maxCached         = 16384 // devices
)

// Options of a Verifier.
type Options struct {
	Store topic.CredentialStore
	Clock topic.Clock
	// TTL is how long the credentials of a device are remembered, 5 s for zero. A
	// password that is not among them is looked up anew at once, so only a
	// withdrawal is late by as much, and Invalidate spares that too.
	TTL time.Duration
}

// Verifier checks credentials. It is safe for concurrent use.
type Verifier struct {
	store topic.CredentialStore
	clock topic.Clock
	ttl   time.Duration

	mu     sync.Mutex
	cached map[topic.Device]cached
	epoch  uint64 // counts Invalidate calls, so that a read from before one is not kept
}

type cached struct {
	credentials []topic.Credential
	read        time.Time // monotonic
}

// New returns a Verifier.
func New(o Options) (*Verifier, error) {
	if o.Store == nil || o.Clock == nil {
		return nil, errors.New("auth: a credential store and a clock are needed")
	}
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	return &Verifier{store: o.Store, clock: o.Clock, ttl: o.TTL, cached: make(map[topic.Device]cached)}, nil
}

// Verify returns the device that a username and password prove, and until when
// they do; zero is for ever. The client id must be the username, or begin with it
// and a slash. The error is one of ErrCredentials, ErrClientID and ErrUnavailable,
// wrapped.
func (v *Verifier) Verify(ctx context.Context, username, clientID string, password []byte) (d topic.Device, expires time.Time, err error) {
	d, ok := topic.ParseUsername(username)
	if !ok {
		return topic.Device{}, time.Time{}, fmt.Errorf("verify: %w", ErrCredentials)
	}
	hash := sha256.Sum256(password)
	now := v.clock.Now()
	credentials, fresh, err := v.credentials(ctx, d)
	if err == nil && !fresh {
		if _, ok := proved(credentials, hash, now); !ok {
			credentials, err = v.read(ctx, d)
		}
	}
	if err != nil {
		return topic.Device{}, time.Time{}, fmt.Errorf("verify %s: %w: %w", d, ErrUnavailable, err)
	}
	expires, ok = proved(credentials, hash, now)
	if !ok {
		return topic.Device{}, time.Time{}, fmt.Errorf("verify %s: %w", d, ErrCredentials)
	}
	if !validClientID(username, clientID) {
		return topic.Device{}, time.Time{}, fmt.Errorf("verify %s: %w", d, ErrClientID)
	}
	return d, expires, nil
}

// Invalidate forgets the credentials of a device.
func (v *Verifier) Invalidate(d topic.Device) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.cached, d)
	v.epoch++
}

// AssignClientID returns a client id for a device that sent none.
func AssignClientID(username string) string {
	return username + "/" + strings.ToLower(rand.Text()[:16])
}

func validClientID(username, clientID string) bool {
	rest, ok := strings.CutPrefix(clientID, username)
	return ok && len(clientID) <= maxClientIDLength && (rest == "" || len(rest) > 1 && rest[0] == '/')
}

// credentials returns those of a device; fresh tells that they were read just now.
func (v *Verifier) credentials(ctx context.Context, d topic.Device) (_ []topic.Credential, fresh bool, _ error) {
	v.mu.Lock()
	c, ok := v.cached[d]
	v.mu.Unlock()
	if ok && time.Since(c.read) < v.ttl {
		return c.credentials, false, nil
	}
	credentials, err := v.read(ctx, d)
	return credentials, true, err
}

func (v *Verifier) read(ctx context.Context, d topic.Device) ([]topic.Credential, error) {
	v.mu.Lock()
	epoch := v.epoch
	v.mu.Unlock()
	credentials, err := v.store.Credentials(ctx, d)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if epoch == v.epoch && len(credentials) > 0 { // unknown names would fill the cache
		if len(v.cached) >= maxCached {
			clear(v.cached)
		}
		v.cached[d] = cached{credentials: credentials, read: time.Now()}
	}
	return credentials, nil
}

// proved tells until when credentials let a password in; zero is for ever. It
// compares with every one, so that the time taken tells nothing.
func proved(credentials []topic.Credential, hash [sha256.Size]byte, now time.Time) (expires time.Time, ok bool) {
	for _, c := range credentials {
		live := c.Expires.IsZero() || now.Before(c.Expires)
		same := subtle.ConstantTimeCompare(c.Hash[:], hash[:]) == 1
		if !live || !same {
			continue
		}
		if !ok || c.Expires.IsZero() || !expires.IsZero() && c.Expires.After(expires) {
			expires, ok = c.Expires, true
		}
	}
	return expires, ok
}
