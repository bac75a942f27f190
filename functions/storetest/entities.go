//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// EntityStore is what a store does for entities and readings, with the homes
// that a report may change.
type EntityStore interface {
	assistant.EntityStore
	Device(ctx context.Context, home, id string) (assistant.Device, error)
	PutDevice(ctx context.Context, d assistant.Device) error
}

// RunEntities holds a store to the contract of EntityStore, as Run does.
func RunEntities(t *testing.T, open func(t *testing.T) EntityStore) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s EntityStore)
	}{
		{"PutEntity", testPutEntity},
		{"Hello", testHello},
		{"HelloOfAnother", testHelloOfAnother},
		{"News", testNews},
		{"Create", testCreate},
		{"Facts", testFacts},
		{"Readings", testReadings},
		{"ReadingsAtOnce", testReadingsAtOnce},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func lamp() assistant.Entity {
	return assistant.Entity{Home: "home", ID: "light.desk", Domain: "light", Name: "desk lamp", Area: "study", Device: "lamp"}
}

func record(t *testing.T, s EntityStore, r *assistant.Report) {
	t.Helper()
	if r.Home == "" {
		r.Home, r.Device = "home", "lamp"
	}
	if err := s.Record(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func news(d time.Duration, state map[string]any) *assistant.Report {
	return &assistant.Report{States: []assistant.StateReport{{Entity: "light.desk", State: state, At: at(d)}}}
}

func wantEntity(t *testing.T, s EntityStore, what string, want assistant.Entity) {
	t.Helper()
	if want.State == nil {
		want.State = map[string]any{}
	}
	wantSame(t, what, must[assistant.Entity](t)(s.Entity(t.Context(), want.Home, want.ID)), want)
}

func testPutEntity(t *testing.T, s EntityStore) {
	if _, err := s.Entity(t.Context(), "home", "light.desk"); !errors.Is(err, assistant.ErrNotFound) {
		t.Errorf("an entity that is not there: %v", err)
	}
	e := lamp()
	if err := s.PutEntity(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	wantEntity(t, s, "as put", e)
	record(t, s, news(time.Second, map[string]any{"state": "on"}))
	e.Name, e.Area = "lamp", ""
	if err := s.PutEntity(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	e.State, e.Updated = map[string]any{"state": "on"}, at(time.Second)
	wantEntity(t, s, "replaced, with the state that is known", e)
	other := lamp()
	other.Home = "other"
	if err := s.PutEntity(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if list := must[[]assistant.Entity](t)(s.Entities(t.Context(), "home")); len(list) != 1 || list[0].Name != "lamp" {
		t.Errorf("entities of the home: %+v", list)
	}
}

func testHello(t *testing.T, s EntityStore) {
	record(t, s, &assistant.Report{Entities: []assistant.Entity{lamp(), {ID: "light.floor", Domain: "light", Name: "floor lamp"}}})
	record(t, s, news(time.Second, map[string]any{"state": "on"}))
	record(t, s, &assistant.Report{Entities: []assistant.Entity{{ID: "light.desk", Domain: "light", Name: "reading lamp"}}})
	want := lamp()
	want.Name, want.State, want.Updated = "reading lamp", map[string]any{"state": "on"}, at(time.Second)
	wantEntity(t, s, "a second hello keeps the area and the state", want)
	list := must[[]assistant.Entity](t)(s.Entities(t.Context(), "home"))
	if len(list) != 2 || list[0].ID != "light.desk" || list[1].ID != "light.floor" || list[1].Device != "lamp" {
		t.Errorf("entities: %+v", list)
	}
}

func testHelloOfAnother(t *testing.T, s EntityStore) {
	record(t, s, &assistant.Report{Entities: []assistant.Entity{lamp()}})
	thief := &assistant.Report{Home: "home", Device: "thief", Entities: []assistant.Entity{{ID: "light.desk", Domain: "light", Name: "mine"}}}
	thief.States = []assistant.StateReport{{Entity: "light.desk", State: map[string]any{"state": "off"}, At: at(time.Hour)}}
	record(t, s, thief)
	wantEntity(t, s, "it stays whose it was", lamp())

	free := lamp()
	free.ID, free.Device = "light.free", ""
	if err := s.PutEntity(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	record(t, s, &assistant.Report{Entities: []assistant.Entity{{ID: "light.free", Domain: "light"}}})
	free.Device = "lamp"
	wantEntity(t, s, "nobody's is taken, with its name", free)
}

func testNews(t *testing.T, s EntityStore) {
	record(t, s, news(0, map[string]any{"state": "on"})) // of nothing: no harm
	record(t, s, &assistant.Report{Entities: []assistant.Entity{lamp()}})
	want := lamp()
	for _, c := range []struct {
		what  string
		at    time.Duration
		state map[string]any
		want  map[string]any
		upd   time.Duration
	}{
		{"first", time.Second, map[string]any{"state": "on", "brightness": 40.0}, map[string]any{"state": "on", "brightness": 40.0}, time.Second},
		{"merged", 2 * time.Second, map[string]any{"brightness": 50.0}, map[string]any{"state": "on", "brightness": 50.0}, 2 * time.Second},
		{"older", time.Second, map[string]any{"state": "off"}, map[string]any{"state": "on", "brightness": 50.0}, 2 * time.Second},
		{"as old", 2 * time.Second, map[string]any{"state": "off"}, map[string]any{"state": "off", "brightness": 50.0}, 2 * time.Second},
		{"removed", 3 * time.Second, map[string]any{"brightness": nil}, map[string]any{"state": "off"}, 3 * time.Second},
		{"odd keys", 4 * time.Second, map[string]any{"a.b": "灯", "$c": true}, map[string]any{"state": "off", "a.b": "灯", "$c": true}, 4 * time.Second},
	} {
		record(t, s, news(c.at, c.state))
		want.State, want.Updated = c.want, at(c.upd)
		wantEntity(t, s, c.what, want)
	}
}

func testCreate(t *testing.T, s EntityStore) {
	r := &assistant.Report{States: []assistant.StateReport{{
		Entity: "sensor.lamp_temperature", State: map[string]any{"state": 21.5, "metric": "temperature"}, At: at(0),
		Create: &assistant.Entity{Domain: "sensor", Area: "study"},
	}}}
	record(t, s, r)
	want := assistant.Entity{
		Home: "home", ID: "sensor.lamp_temperature", Domain: "sensor", Area: "study", Device: "lamp",
		State: map[string]any{"state": 21.5, "metric": "temperature"}, Updated: at(0),
	}
	wantEntity(t, s, "made by its first news", want)
	r.States[0].State, r.States[0].At, r.States[0].Create.Area = map[string]any{"state": 22.0}, at(time.Second), "attic"
	record(t, s, r)
	want.State["state"], want.Updated = 22.0, at(time.Second)
	wantEntity(t, s, "what is there is not made again", want)
}

func testFacts(t *testing.T, s EntityStore) {
	record(t, s, &assistant.Report{Facts: &assistant.Device{Model: "L1", Presence: assistant.Online}})
	wantSame(t, "a new device", must[assistant.Device](t)(s.Device(t.Context(), "home", "lamp")),
		assistant.Device{Home: "home", ID: "lamp", Model: "L1", Presence: assistant.Online})
	if err := s.PutDevice(t.Context(), assistant.Device{Home: "home", ID: "lamp", Area: "study", Lang: "en", Model: "L1"}); err != nil {
		t.Fatal(err)
	}
	record(t, s, &assistant.Report{Facts: &assistant.Device{Firmware: "2", Presence: assistant.Offline}})
	wantSame(t, "what it does not say stays", must[assistant.Device](t)(s.Device(t.Context(), "home", "lamp")),
		assistant.Device{Home: "home", ID: "lamp", Area: "study", Lang: "en", Model: "L1", Firmware: "2", Presence: assistant.Offline})
}

func reading(home, device, key string, d time.Duration, v float64) assistant.Reading {
	return assistant.Reading{Home: home, Device: device, Key: key, At: at(d), Values: map[string]float64{"temperature": v}}
}

func testReadings(t *testing.T, s EntityStore) {
	first, second := reading("home", "lamp", "a", 0, 20), reading("home", "lamp", "b", time.Second, 21)
	third := reading("home", "door", "a", 2*time.Second, 22)
	r := &assistant.Report{Home: "home", Device: "lamp", Readings: []assistant.Reading{first, second}}
	record(t, s, r)
	record(t, s, r) // it comes again
	record(t, s, &assistant.Report{Home: "home", Device: "door", Readings: []assistant.Reading{third}})
	record(t, s, &assistant.Report{Home: "other", Device: "lamp", Readings: []assistant.Reading{reading("other", "lamp", "a", 0, 1)}})
	if n := must[int64](t)(s.CountReadings(t.Context(), "home")); n != 3 {
		t.Errorf("%d readings, want 3", n)
	}
	wantSame(t, "all, newest first", must[[]assistant.Reading](t)(s.Readings(t.Context(), "home", "", 10)), []assistant.Reading{third, second, first})
	wantSame(t, "of one device, one", must[[]assistant.Reading](t)(s.Readings(t.Context(), "home", "lamp", 1)), []assistant.Reading{second})
}

func testReadingsAtOnce(t *testing.T, s EntityStore) {
	const devices, each = 20, 10
	var wait sync.WaitGroup
	for d := range devices {
		wait.Go(func() {
			name := fmt.Sprint("d", d)
			for i := range each {
				r := &assistant.Report{Home: "home", Device: name, Readings: []assistant.Reading{reading("home", name, fmt.Sprint(i), 0, float64(i))}}
				r.States = []assistant.StateReport{{
					Entity: "sensor." + name, State: map[string]any{"state": float64(i)}, At: at(time.Duration(i) * time.Second),
					Create: &assistant.Entity{Domain: "sensor"},
				}}
				if err := s.Record(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := must[int64](t)(s.CountReadings(t.Context(), "home")); n != devices*each {
		t.Errorf("%d readings, want %d", n, devices*each)
	}
	for _, e := range must[[]assistant.Entity](t)(s.Entities(t.Context(), "home")) {
		if e.State["state"] != float64(each-1) {
			t.Errorf("%s is %v", e.ID, e.State)
		}
	}
}
