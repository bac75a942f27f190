package assistant

import (
	"context"
	"maps"
	"time"
)

// Entity is a thing in a home that can be named, asked and acted on: a lamp, a
// switch, a temperature.
type Entity struct {
	Home   string `json:"home"`
	ID     string `json:"id"`
	Domain string `json:"domain"`         // light, switch, cover, sensor...
	Name   string `json:"name,omitempty"` // as people call it
	Area   string `json:"area,omitempty"`
	Device string `json:"device,omitempty"` // that answers for it: gets its commands, reports its state

	// State is what is known of it, "state" above all: {"state":"on","brightness":40}.
	State map[string]any `json:"state,omitempty"`
	// Updated is when the state was reported; zero: never.
	Updated time.Time `json:"updated,omitzero"`
	// Offline: its device has said goodbye. It is worked out, not kept.
	Offline bool `json:"offline,omitempty"`
}

// Reading is one measurement of a device.
type Reading struct {
	Home   string             `json:"home"`
	Device string             `json:"device"`
	At     time.Time          `json:"at"`  // by the device's clock, or of arrival
	Key    string             `json:"key"` // of this reading among the device's: sent again, it has the same
	Values map[string]float64 `json:"values"`
}

// Presence is what a device says of itself.
type Presence string

// The presences. A device that never said either is taken to be there.
const (
	PresenceUnknown Presence = ""
	Online          Presence = "online"
	Offline         Presence = "offline"
)

// StateReport is news of an entity's state.
type StateReport struct {
	Entity string         // its id
	State  map[string]any // merged into what is known; a nil value removes a key
	At     time.Time      // older news than what is known is dropped
	// Create is stored first where there is no such entity; nil: the news is dropped.
	Create *Entity
}

// Report is what one message of a device brings besides utterances: all of it
// becomes durable together, and again without harm when the message comes again.
// It reaches the device's own entities and no others.
type Report struct {
	Home   string
	Device string  // that reports
	Facts  *Device // about itself; empty fields stay as they are
	// Entities are those that the device has, as it says in its hello. What is
	// known of their states is kept, and where the hello names none, so are name
	// and area.
	Entities []Entity
	States   []StateReport // in order
	Readings []Reading
}

// EntityStore keeps what is in a home and what it measured.
type EntityStore interface {
	// Record makes a report durable. Reports that wait at the same time share one write.
	Record(ctx context.Context, r *Report) error
	// PutEntity makes or replaces an entity by hand; a state that is known is kept.
	PutEntity(ctx context.Context, e Entity) error
	Entity(ctx context.Context, home, id string) (Entity, error) // ErrNotFound
	Entities(ctx context.Context, home string) ([]Entity, error) // by id
	// Readings returns the readings of a home, of one device if it is named, newest
	// first, at most limit.
	Readings(ctx context.Context, home, device string, limit int) ([]Reading, error)
	CountReadings(ctx context.Context, home string) (int64, error)
}

// Assumed is the state that an entity is taken to be in once its device says
// that a command was carried out, and nothing more.
func (c *Command) Assumed() map[string]any {
	state := maps.Clone(c.Args)
	if state == nil {
		state = make(map[string]any)
	}
	switch c.Service {
	case "turn_on":
		state["state"] = "on"
	case "turn_off":
		state["state"] = "off"
	}
	return state
}
