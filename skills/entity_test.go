package skills_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hark-voice/hark/skills"
)

func TestEntities(t *testing.T) {
	all := skills.Entities{
		{ID: "light.desk", Domain: "light", Name: "Desk lamp", Area: "Living_room", Available: true, State: map[string]any{"state": "on", "brightness": 40.0}},
		{ID: "light.wall", Domain: "light", Name: "lamp", Area: "study"},
		{ID: "switch.fan", Domain: "switch", Name: "LAMP", Available: true},
		{ID: "sensor.x", Domain: "sensor", State: map[string]any{"state": 1.5}},
	}
	ids := func(es skills.Entities) (list []string) {
		for _, e := range es {
			list = append(list, e.ID)
		}
		return list
	}
	for _, c := range []struct {
		what string
		got  skills.Entities
		want string
	}{
		{"of", all.Of("light", "switch"), "[light.desk light.wall switch.fan]"},
		{"of nothing", all.Of(), "[]"},
		{"in", all.In("living room"), "[light.desk]"},
		{"in no room", all.In(""), "[]"},
		{"named", all.Named("Lamp"), "[light.wall switch.fan]"},
		{"named desk-lamp", all.Named("desk-lamp"), "[light.desk]"},
		{"named nothing", all.Named(""), "[]"},
		{"available", all.Available(), "[light.desk switch.fan]"},
		{"offline", all.Of("light").Offline(), "[light.wall]"},
		{"on", all.Filter(func(e skills.Entity) bool { return e.Is("on") }), "[light.desk]"},
	} {
		if got := fmt.Sprint(ids(c.got)); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	if got := fmt.Sprint(all.Names()); got != "[Desk lamp lamp LAMP sensor.x]" {
		t.Errorf("names %s", got)
	}
	if n, ok := all[0].Number("brightness"); n != 40 || !ok {
		t.Errorf("brightness %v, %v", n, ok)
	}
	if _, ok := all[0].Number("state"); ok {
		t.Error("a text is a number")
	}
	if _, ok := all[1].Text("state"); ok {
		t.Error("an entity that never reported has a state")
	}
}

func TestWords(t *testing.T) {
	slots := skills.Slots{"area": {Value: "kitchen", Text: "厨房"}, "n": {Value: 3.0}}
	if got := fmt.Sprintf("%q %q %q", slots.Words("area"), slots.Words("n"), slots.Words("name")); got != `"厨房" "3" ""` {
		t.Errorf("words %s", got)
	}
}

// What Hark knows of an entity is what the handler sees.
func TestEntityArrivesWhole(t *testing.T) {
	at := time.Date(2024, 1, 1, 11, 59, 0, 0, time.UTC)
	want := skills.Entity{
		ID: "light.desk", Domain: "light", Name: "台灯", Area: "study", State: map[string]any{"state": "on", "brightness": 40.0}, Updated: at, Available: true,
	}
	var got skills.Entities
	st := house(t, func(call *skills.Call) *skills.Answer {
		got = call.Entities
		return skills.Speak("seen")
	})
	st.Entity(skills.Entity{ID: "lock.door"}) // not among the permissions
	st.Entity(want).Intent("Do")
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", skills.Entities{want}) {
		t.Errorf("saw %+v, want %+v", got, want)
	}
}
