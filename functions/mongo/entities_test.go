package mongo

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver" //nolint:depguard // the server that this room's tests need is no part of the road
	"github.com/hark-voice/hark/functions/assistant"
)

// TestPatched holds merging to examples of RFC 7396, appendix A.
func TestPatched(t *testing.T) {
	type object = map[string]any
	for _, c := range []struct {
		name               string
		known, patch, want object
	}{
		{"replace", object{"a": "b"}, object{"a": "c"}, object{"a": "c"}},
		{"add", object{"a": "b"}, object{"b": "c"}, object{"a": "b", "b": "c"}},
		{"remove", object{"a": "b", "b": "c"}, object{"a": nil}, object{"b": "c"}},
		{"list", object{"a": []any{"b"}}, object{"a": "c"}, object{"a": "c"}},
		{"deep", object{"a": object{"b": "c"}}, object{"a": object{"b": "d", "c": nil}}, object{"a": object{"b": "d"}}},
		{"object for a value", object{"a": "b"}, object{"a": object{"b": object{"c": nil}}}, object{"a": object{"b": object{}}}},
		{"of nothing", nil, object{"a": "b"}, object{"a": "b"}},
		{"by nothing", object{"a": "b"}, nil, object{"a": "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := patched(c.known, c.patch); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func reportOf(device string, states []assistant.StateReport, readings ...assistant.Reading) *assistant.Report {
	return &assistant.Report{Home: "home", Device: device, States: states, Readings: readings}
}

func newsOf(entity string, state map[string]any, at time.Time) []assistant.StateReport {
	return []assistant.StateReport{{Entity: entity, State: state, At: at, Create: &assistant.Entity{Domain: "sensor"}}}
}

// TestTwoStoresOneEntity has two stores make the same entity and add to its state
// at once, while it is renamed by hand: nothing gets lost.
func TestTwoStoresOneEntity(t *testing.T) {
	const writers, each = 16, 5
	stores := twoStores(t)
	err := together(writers, func(w int) error {
		s := stores[w%2]
		for n := range each {
			state := map[string]any{fmt.Sprintf("key.%d.%d", w, n): float64(n)}
			if err := s.Record(t.Context(), reportOf("lamp", newsOf("lamp", state, day))); err != nil {
				return err
			}
		}
		return s.PutEntity(t.Context(), assistant.Entity{Home: "home", ID: "lamp", Name: "named", Device: "lamp"})
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := stores[0].Entity(t.Context(), "home", "lamp")
	if err != nil || len(e.State) != writers*each || e.Name != "named" || !e.Updated.Equal(day) {
		t.Errorf("%d keys of %d in %+v (%v)", len(e.State), writers*each, e, err)
	}
}

// TestTwoStoresOneDevice has two devices claim the same entities, at once, on two
// stores: each entity has one owner, and what is known of it is the owner's.
func TestTwoStoresOneDevice(t *testing.T) {
	const entities = 20
	stores := twoStores(t)
	err := together(2*entities, func(i int) error {
		device, id := "d"+strconv.Itoa(i%2), "lamp"+strconv.Itoa(i/2)
		r := reportOf(device, newsOf(id, map[string]any{"by": device}, day))
		r.Entities = []assistant.Entity{{ID: id, Domain: "light", Name: device}}
		r.Facts = &assistant.Device{Model: "L1", Presence: assistant.Online}
		return stores[i/2%2].Record(t.Context(), r)
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := stores[0].Entities(t.Context(), "home")
	if err != nil || len(list) != entities {
		t.Fatalf("%d entities (%v)", len(list), err)
	}
	for _, e := range list {
		if e.Name != e.Device || e.State["by"] != e.Device {
			t.Errorf("%+v is of more than one", e)
		}
	}
	devices, err := stores[1].Devices(t.Context(), "home")
	if err != nil || len(devices) != 2 || devices[0].Model != "L1" || devices[1].Presence != assistant.Online {
		t.Errorf("devices: %+v (%v)", devices, err)
	}
}

// TestStateTooLarge tells a state that may never be kept from a store that is
// away: who sends it must not send it again.
func TestStateTooLarge(t *testing.T) {
	s := openAt(t, database(t, mongoserver.Start(t)))
	half := strings.Repeat("x", maxState*2/3)
	if err := s.Record(t.Context(), reportOf("lamp", newsOf("lamp", map[string]any{"a": half}, day))); err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string]map[string]any{
		"by itself":                {"b": half + half},
		"with what is known of it": {"b": half},
	} {
		err := s.Record(t.Context(), reportOf("lamp", newsOf("lamp", state, day.Add(time.Second))))
		if !errors.Is(err, errTooLarge) || errors.Is(err, assistant.ErrStoreAway) {
			t.Errorf("too large %s: %v", name, err)
		}
	}
	e, err := s.Entity(t.Context(), "home", "lamp")
	if err != nil || len(e.State) != 1 || !e.Updated.Equal(day) {
		t.Errorf("it changed: %d keys at %s (%v)", len(e.State), e.Updated, err)
	}
}

// TestReadingsOfManyGroups sends more than goes into one write, twice over and
// at once.
func TestReadingsOfManyGroups(t *testing.T) {
	const count = 3*groupMost + 7
	stores := twoStores(t)
	var list []assistant.Reading
	for n := range count {
		list = append(list, assistant.Reading{
			Home: "home", Device: "lamp", Key: strconv.Itoa(n), At: day.Add(time.Duration(n/2) * time.Second), Values: map[string]float64{"a.b": float64(n)},
		})
	}
	if err := together(4, func(i int) error { return stores[i%2].Record(t.Context(), reportOf("lamp", nil, list...)) }); err != nil {
		t.Fatal(err)
	}
	if n, err := stores[0].CountReadings(t.Context(), "home"); err != nil || n != count {
		t.Errorf("%d readings, want %d (%v)", n, count, err)
	}
	got, err := stores[1].Readings(t.Context(), "home", "", 3)
	if err != nil {
		t.Fatal(err)
	}
	if want := []assistant.Reading{list[count-1], list[count-3], list[count-2]}; !reflect.DeepEqual(got, want) {
		t.Errorf("the newest: %+v, want %+v", got, want)
	}
	if none, err := stores[0].Readings(t.Context(), "home", "", 0); err != nil || len(none) != 0 {
		t.Errorf("none asked for: %d (%v)", len(none), err)
	}
}
