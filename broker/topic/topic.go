// Package topic holds what the door and the road share: the topic tree
// hark/{home}/{device}/{kind}, messages, credentials, and the store interfaces
// of the broker. It knows topics, never intents, and imports the standard
// library alone.
package topic

import (
	"context"
	"strings"
	"time"
)

// Root is the first level of every topic of the contract.
const Root = "hark"

// Kind is the last level of a topic.
type Kind string

// The topics that a device publishes and Hark consumes.
const (
	Hello     Kind = "hello"
	Utterance Kind = "utterance"
	Intent    Kind = "intent"
	Reading   Kind = "reading"
	State     Kind = "state"
	Status    Kind = "status"
	Ack       Kind = "ack"
)

// Consumed tells whether Hark takes messages of the kind in. The broker
// acknowledges such a message when it is durable, and delivers it to nobody else.
func (k Kind) Consumed() bool {
	switch k {
	case Hello, Utterance, Intent, Reading, State, Status, Ack:
		return true
	default:
		return false
	}
}

// Device names a device within a home. Its username is "{home}/{device}".
type Device struct{ Home, ID string }

func (d Device) String() string { return d.Home + "/" + d.ID }

// Topic returns the device's topic of a kind.
func (d Device) Topic(k Kind) string {
	return Root + "/" + d.Home + "/" + d.ID + "/" + string(k)
}

// Parse splits a topic name of the contract; ok is false for any other, and for
// one with an empty level.
func Parse(name string) (d Device, k Kind, ok bool) {
	rest, inTree := strings.CutPrefix(name, Root+"/")
	home, rest, _ := strings.Cut(rest, "/")
	id, kind, _ := strings.Cut(rest, "/")
	if !inTree || home == "" || id == "" || kind == "" || strings.Contains(kind, "/") {
		return Device{}, "", false
	}
	return Device{Home: home, ID: id}, Kind(kind), true
}

// ParseUsername splits "{home}/{device}".
func ParseUsername(username string) (Device, bool) {
	home, id, ok := strings.Cut(username, "/")
	if !ok || home == "" || id == "" || strings.Contains(id, "/") {
		return Device{}, false
	}
	return Device{Home: home, ID: id}, true
}

// Inbound is a message of a device on a consumed topic, or its will.
type Inbound struct {
	Device        Device // proved by the connection's credentials, and equal to the topic's
	Kind          Kind
	Payload       []byte // the receiver may keep it
	Received      time.Time
	Expires       time.Time // MQTT 5 message expiry; zero: none
	ResponseTopic string    // MQTT 5; within the device's own subtree
	Correlation   []byte    // MQTT 5
	// Ack is called once, from any goroutine, when the message is durable or
	// refused for good. The broker then acknowledges it in arrival order. A message
	// that is never acked holds its place in the device's window. For a will it does
	// nothing: its connection is gone.
	Ack func()
}

// Consumer takes inbound messages. Consume must not block: the broker calls it
// on the connection's read loop, and for a will on any goroutine. What a device
// published comes in order: a will after all of its own connection, and before all
// of a connection that takes the session over. The broker bounds what is
// unacknowledged per connection, and so what a consumer holds.
type Consumer interface {
	Consume(m Inbound)
}

// Outbound is a message down to a device at QoS 1.
type Outbound struct {
	ID          string // unique; Outbox.Settle gets it back
	Device      Device
	Topic       string // within the device's subtree
	Payload     []byte
	Expires     time.Time // zero: never
	Correlation []byte    // MQTT 5
}

// Outbox is the durable list of what is owed to each device, oldest first. It
// is the only source of what is sent again.
type Outbox interface {
	Owed(ctx context.Context, d Device, limit int) ([]Outbound, error)
	// Settle removes messages that the device has acknowledged, or that expired.
	Settle(ctx context.Context, ids ...string) error
}

// Credential lets a device in. The secret itself is nowhere stored.
type Credential struct {
	Device  Device
	ID      string    // of this credential, for revocation
	Hash    [32]byte  // SHA-256 of the password, which has 128 bits or more
	Expires time.Time // zero: never
}

// CredentialStore keeps credentials.
type CredentialStore interface {
	// Credentials returns those of a device, expired ones included, none for an
	// unknown device.
	Credentials(ctx context.Context, d Device) ([]Credential, error)
	// PutCredential adds a credential.
	PutCredential(ctx context.Context, c Credential) error
	// ReplaceCredentials makes c the only lasting credential of its device;
	// temporary ones (with an expiry) stay.
	ReplaceCredentials(ctx context.Context, c Credential) error
}
