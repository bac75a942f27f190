package household_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/sqlite"
)

type home struct {
	*household.Household
	store *sqlite.Store
	clock *assistant.ManualClock
}

// newHome is a home with a lamp in the study, on a real store. Its views are
// kept for long, so that only what changes it makes them new.
func newHome(t *testing.T) *home {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "hark.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	h := &home{store: store, clock: assistant.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	if h.Household, err = household.New(household.Options{Store: store, Clock: h.clock, FreshFor: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := store.PutDevice(t.Context(), assistant.Device{Home: "home", ID: "lamp", Area: "study"}); err != nil {
		t.Fatal(err)
	}
	h.report(t, &assistant.Report{Entities: []assistant.Entity{{ID: "light.desk", Domain: "light", Name: "desk lamp", Area: "study"}}})
	return h
}

func (h *home) report(t *testing.T, r *assistant.Report) {
	t.Helper()
	r.Home, r.Device = "home", "lamp"
	if err := h.Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (h *home) view(t *testing.T) *household.View {
	t.Helper()
	v, err := h.View(t.Context(), "home")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *home) entity(t *testing.T, id string) assistant.Entity {
	t.Helper()
	for _, e := range h.view(t).Entities {
		if e.ID == id {
			return e
		}
	}
	t.Fatalf("there is no %s", id)
	return assistant.Entity{}
}

func TestSensorsFollowReadings(t *testing.T) {
	h := newHome(t)
	now := h.clock.Now()
	reading := func(ago time.Duration, values map[string]float64) assistant.Reading {
		return assistant.Reading{Home: "home", Device: "lamp", At: now.Add(-ago), Key: ago.String(), Values: values}
	}
	h.report(t, &assistant.Report{Readings: []assistant.Reading{
		reading(time.Minute, map[string]float64{"temperature": 20, "humidity": 40}),
		reading(time.Second, map[string]float64{"temperature": 22}),
		reading(time.Hour, map[string]float64{"temperature": 18}),
	}})
	temperature := h.entity(t, "sensor.lamp_temperature")
	if temperature.State["state"] != 22.0 || temperature.Area != "study" || temperature.Domain != "sensor" || !temperature.Updated.Equal(now.Add(-time.Second)) {
		t.Errorf("got %+v", temperature)
	}
	if humidity := h.entity(t, "sensor.lamp_humidity"); humidity.State["state"] != 40.0 || humidity.State["metric"] != "humidity" {
		t.Errorf("got %+v", humidity)
	}
	if n, err := h.store.CountReadings(t.Context(), "home"); err != nil || n != 3 {
		t.Errorf("%d readings, %v", n, err)
	}
}

func TestAViewSeesWhatThisProcessChanges(t *testing.T) {
	h := newHome(t)
	if h.entity(t, "light.desk").Offline {
		t.Error("a device that never said so is offline")
	}
	h.report(t, &assistant.Report{Facts: &assistant.Device{Presence: assistant.Offline}})
	if !h.entity(t, "light.desk").Offline {
		t.Error("an offline device's entity is not offline")
	}
	h.report(t, &assistant.Report{Facts: &assistant.Device{Presence: assistant.Online}})
	if h.entity(t, "light.desk").Offline {
		t.Error("a device that came back is still offline")
	}
	if err := h.store.PutHome(t.Context(), assistant.Home{ID: "home", Zone: "Asia/Shanghai"}); err != nil {
		t.Fatal(err)
	}
	h.Changed("home")
	if h.view(t).Home.Zone != "Asia/Shanghai" {
		t.Errorf("the home is %+v", h.view(t).Home)
	}
}

func TestAViewIsUsedAgainUntilItChanges(t *testing.T) {
	h := newHome(t)
	first := h.view(t)
	if h.view(t) != first {
		t.Error("a fresh view was read again")
	}
	lists, err := first.Lists("en")
	if err != nil {
		t.Fatal(err)
	}
	h.report(t, &assistant.Report{States: []assistant.StateReport{{Entity: "light.desk", State: map[string]any{"state": "on"}, At: h.clock.Now()}}})
	if again, err := h.view(t).Lists("en"); err != nil || again != lists {
		t.Errorf("the names were compiled again though none changed: %v", err)
	}
	h.report(t, &assistant.Report{Entities: []assistant.Entity{{ID: "light.desk", Domain: "light", Name: "reading lamp"}}})
	if again, err := h.view(t).Lists("en"); err != nil || again == lists {
		t.Errorf("a new name was not taken up: %v", err)
	}
}

func TestStateFollowsTheAcknowledgement(t *testing.T) {
	h := newHome(t)
	issued := assistant.Issued{ID: "t1.1", Device: "lamp", Command: assistant.Command{Entity: "light.desk", Service: "turn_on", Args: map[string]any{"brightness": 40.0}}}
	turn := &assistant.Turn{ID: "t1", Home: "home", Received: h.clock.Now(), Commands: []assistant.Issued{issued}}
	if err := h.store.Commit(t.Context(), &assistant.Commit{Turn: turn}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what  string
		ack   household.Ack
		state any
	}{
		{"of a command that never was", household.Ack{ID: "t9.1", OK: true}, nil},
		{"of another of the turn's effects", household.Ack{ID: "t1.2", OK: true}, nil},
		{"by another device", household.Ack{ID: "t1.1", Device: "thief", OK: true}, nil},
		{"by another home", household.Ack{ID: "t1.1", Home: "other", OK: true}, nil},
		{"refused", household.Ack{ID: "t1.1", OK: false}, nil},
		{"as asked", household.Ack{ID: "t1.1", OK: true}, "on"},
		{"with the state as it is", household.Ack{ID: "t1.1", OK: true, State: map[string]any{"state": "dimmed"}}, "dimmed"},
	} {
		ack := c.ack
		if ack.Home == "" {
			ack.Home = "home"
		}
		if ack.Device == "" {
			ack.Device = "lamp"
		}
		ack.Received = h.clock.Now()
		if err := h.Acknowledge(t.Context(), &ack); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if got := h.entity(t, "light.desk").State["state"]; got != c.state {
			t.Errorf("%s: the state is %v, want %v", c.what, got, c.state)
		}
	}
	if got := h.entity(t, "light.desk").State["brightness"]; got != 40.0 {
		t.Errorf("the brightness is %v", got)
	}
}
