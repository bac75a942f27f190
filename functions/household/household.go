// Package household is what Hark knows of each home: its rooms, devices and
// entities, and what the devices report of them. Reports and acknowledgements
// come in and become durable; views of a home go out. It must not know how a
// report is written on a wire, or what a skill does with an entity.
package household

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// Store is what the package needs of the store.
type Store interface {
	assistant.EntityStore
	assistant.HomeStore
	FindTurn(ctx context.Context, ids ...string) (*assistant.Turn, error)
}

// Options of a Household. Store and Clock must be set.
type Options struct {
	Store  Store
	Clock  assistant.Clock
	Logger *slog.Logger
	// FreshFor is how long a view is used although another process may have changed
	// the home; 2 s. What this process changes is seen at once.
	FreshFor time.Duration
	// Homes bounds how many views are kept; 10,000.
	Homes int
}

// Household keeps the homes. It is safe for concurrent use.
type Household struct {
	Options

	mu    sync.Mutex
	views map[string]*View
	// changes counts what this process has changed in a home while it was read, so
	// that a view read before the change is not kept.
	changes map[string]int
	// sensors are those that are known to be in the store, by home and id.
	sensors map[sensor]bool
}

type sensor struct{ home, id string }

// maxSensors bounds those that are remembered; others are looked at once more.
const maxSensors = 100_000

// New returns a Household.
func New(o Options) (*Household, error) {
	if o.Store == nil || o.Clock == nil {
		return nil, errors.New("household: Store and Clock must be set")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FreshFor == 0 {
		o.FreshFor = 2 * time.Second
	}
	if o.Homes == 0 {
		o.Homes = 10_000
	}
	return &Household{Options: o, views: make(map[string]*View), changes: make(map[string]int), sensors: make(map[sensor]bool)}, nil
}

// Report makes durable what a device reports.
func (h *Household) Report(ctx context.Context, r *assistant.Report) error {
	if len(r.Readings) > 0 {
		if err := h.sense(ctx, r); err != nil {
			return err
		}
	}
	if err := h.Store.Record(ctx, r); err != nil {
		return err
	}
	if len(r.States) > 0 || len(r.Entities) > 0 || r.Facts != nil {
		h.Changed(r.Home)
	}
	h.remember(r)
	return nil
}

// sense lets the sensors of a device follow its readings: `temperature` of
// device D is the state of sensor.D_temperature, in D's room.
func (h *Household) sense(ctx context.Context, r *assistant.Report) error {
	latest := make(map[string]int) // metric -> its newest reading
	for i, reading := range r.Readings {
		for metric := range reading.Values {
			if known, ok := latest[metric]; !ok || !reading.At.Before(r.Readings[known].At) {
				latest[metric] = i
			}
		}
	}
	for metric, i := range latest {
		n := assistant.StateReport{
			Entity: SensorID(r.Device, metric), At: r.Readings[i].At,
			State: map[string]any{"state": r.Readings[i].Values[metric], "metric": metric},
		}
		if !h.knows(sensor{r.Home, n.Entity}) {
			view, err := h.View(ctx, r.Home)
			if err != nil {
				return err
			}
			n.Create = &assistant.Entity{Domain: "sensor", Area: view.Devices[r.Device].Area}
		}
		r.States = append(r.States, n)
	}
	return nil
}

func (h *Household) knows(s sensor) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sensors[s]
}

// remember notes the sensors that a report has made.
func (h *Household) remember(r *assistant.Report) {
	for _, n := range r.States {
		if n.Create == nil {
			continue
		}
		h.mu.Lock()
		if len(h.sensors) >= maxSensors {
			clear(h.sensors)
		}
		h.sensors[sensor{r.Home, n.Entity}] = true
		h.mu.Unlock()
	}
}

// SensorID is the id of the entity that a device's readings of a metric go to.
func SensorID(device, metric string) string { return "sensor." + device + "_" + metric }

// Ack is what a device says of a command.
type Ack struct {
	Home, Device string
	ID           string // of the command
	OK           bool
	State        map[string]any // nil: as the command asked
	Error        string
	Received     time.Time
}

// Acknowledge lets an entity's state follow what its device says of a command.
// An acknowledgement of a command that this device never got changes nothing.
func (h *Household) Acknowledge(ctx context.Context, a *Ack) error {
	turn, _, _ := strings.Cut(a.ID, ".")
	t, err := h.Store.FindTurn(ctx, turn)
	if errors.Is(err, assistant.ErrNotFound) {
		h.Logger.Info("acknowledgement of an unknown command", "device", a.Home+"/"+a.Device, "command", a.ID)
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the command %s: %w", a.ID, err)
	}
	for _, c := range t.Commands {
		if c.ID != a.ID || c.Device != a.Device || t.Home != a.Home {
			continue
		}
		if !a.OK {
			h.Logger.Info("a device could not carry out a command", "device", a.Home+"/"+a.Device, "command", a.ID,
				"entity", c.Entity, "service", c.Service, "error", a.Error)
		}
		state := a.State
		if state == nil && a.OK {
			state = c.Assumed()
		}
		if state == nil {
			return nil
		}
		return h.Report(ctx, &assistant.Report{
			Home: a.Home, Device: a.Device,
			States: []assistant.StateReport{{Entity: c.Entity, State: state, At: a.Received}},
		})
	}
	h.Logger.Info("acknowledgement of a command that went elsewhere", "device", a.Home+"/"+a.Device, "command", a.ID)
	return nil
}
