package catalog_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/nlu"
)

// house understands "open NAME" for lights, "go to AREA", and "look", which
// takes the room of what is named or of the device.
func house(tb testing.TB, lang string) *nlu.Grammar {
	tb.Helper()
	template := func(text string) []nlu.Template { return []nlu.Template{{Text: text}} }
	g, err := nlu.Compile(lang, []nlu.Source{{Skill: "house", Lang: lang, Intents: []nlu.Intent{
		{Name: "Open", Groups: []nlu.Group{{
			Templates: template("open {name}"), Requires: []nlu.Condition{{Key: "domain", Values: []any{"light"}}},
		}}},
		{Name: "Go", Groups: []nlu.Group{{Templates: template("go to {area}")}}},
		{Name: "Look", Groups: []nlu.Group{{
			Templates: template("look at [{name}]"), Requires: []nlu.Condition{{Key: "area", Slot: "area"}},
		}}},
	}}})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func understood(tb testing.TB, lang, text string, entities []assistant.Entity, devices []assistant.Device) string {
	tb.Helper()
	lists, err := catalog.HomeLists(lang, entities, devices)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := nlu.Context{Lists: lists, Values: map[string]any{"area": "hall"}}
	matches := house(tb, lang).Match(text, ctx).Matches
	if len(matches) == 0 {
		return ""
	}
	slots := make(map[string]any)
	for name, slot := range matches[0].Slots {
		slots[name] = slot.Value
	}
	return matches[0].Intent + " " + fmt.Sprint(slots)
}

func TestHomeLists(t *testing.T) {
	entities := []assistant.Entity{
		{ID: "light.desk", Domain: "light", Name: "Desk Lamp", Area: "study"},
		{ID: "light.bed", Domain: "light", Name: "Lamp", Area: "Schlafzimmer"},
		{ID: "light.sofa", Domain: "light", Name: "lamp", Area: "客厅"},
		{ID: "switch.fan", Domain: "switch", Name: "Fan", Area: "living_room"},
		{ID: "light.odd", Domain: "light", Name: "Lamp {area} (left|right) [x] <y> \\ ; @"},
		{ID: "light.mark", Domain: "light", Name: "?!"},
		{ID: "sensor.none", Domain: "sensor", Area: "Observation_Deck"},
		{ID: "light.long", Domain: "light", Name: strings.Repeat("very ", 100) + "long"},
		{ID: "light.snake", Domain: "light", Name: "snake_light"},
		{ID: "light.hall", Domain: "light", Name: "Chandelier", Device: "speaker"},
	}
	devices := []assistant.Device{{ID: "speaker", Area: "hall"}, {ID: "stove", Area: "Kitchen"}, {ID: "nowhere"}}
	for _, c := range []struct{ lang, text, want string }{
		{"en", "open the desk lamp", ""}, // no article in the template
		{"en", "open desk lamp", "Open map[name:Desk Lamp]"},
		{"en", "open desk-lamp", "Open map[name:Desk Lamp]"},
		{"en", "open fan", ""}, // a switch
		{"en", "look at fan", "Look map[area:客厅 name:Fan]"},
		{"en", "look at desk lamp", "Look map[area:study name:Desk Lamp]"},
		{"en", "look at chandelier", "Look map[area:hall name:Chandelier]"},
		{"en", "look at", "Look map[area:hall]"},
		{"en", "open snake light", "Open map[name:snake_light]"},
		{"en", "open lamp {area} (left|right) [x] <y> \\ ; @", "Open map[name:Lamp {area} (left|right) [x] <y> \\ ; @]"},
		{"en", "open ?!", ""},
		{"en", "go to study", "Go map[area:study]"},
		{"en", "go to den", "Go map[area:study]"},
		{"en", "go to 客厅", "Go map[area:客厅]"},
		{"en", "go to living room", "Go map[area:客厅]"},
		{"en", "go to lounge", "Go map[area:客厅]"},
		{"en", "go to schlafzimmer", "Go map[area:Schlafzimmer]"},
		{"en", "go to observation deck", "Go map[area:Observation_Deck]"},
		{"en", "go to kitchen", "Go map[area:Kitchen]"},
		{"en", "go to bathroom", ""},
		{"zh-CN", "go to 厨房", "Go map[area:Kitchen]"},
		{"zh-CN", "go to 起居室", "Go map[area:客厅]"},
		{"zh-CN", "go to 书房", "Go map[area:study]"},
		{"zh-CN", "go to kitchen", "Go map[area:Kitchen]"},
		{"zh-CN", "open desk lamp", "Open map[name:Desk Lamp]"},
		{"xx", "go to kitchen", "Go map[area:Kitchen]"},
		{"xx", "go to 厨房", ""},
	} {
		if got := understood(t, c.lang, c.text, entities, devices); got != c.want {
			t.Errorf("%s: %q means %q, want %q", c.lang, c.text, got, c.want)
		}
	}
}

func TestLocate(t *testing.T) {
	entities := []assistant.Entity{
		{ID: "light.a", Name: "Kitchen light"},                   // its name tells
		{ID: "light.b", Name: "Kitchen light", Area: "garage"},   // somebody told
		{ID: "light.c", Name: "lamp", Device: "hub"},             // its device tells
		{ID: "light.d", Name: "厨房灯"},                             // one room, one spelling
		{ID: "light.e", Name: "lamp", Area: "Bob's place"},       // not in the lexicon
		{ID: "light.f", Name: "lamp", Area: "bob’s_place"},       // the same
		{ID: "light.g", Name: "lamp"},                            // nobody knows
		{ID: "light.h", Name: "Pantry lamp", Device: "hub"},      // its name tells better
		{ID: "light.i", Name: "lamp", Area: "厨房", Device: "hub"}, // one room, one spelling
	}
	devices := []assistant.Device{{ID: "hub", Area: "Cellar"}, {ID: "stove", Area: "廚房"}, {ID: "radio", Area: "basement"}}
	if err := catalog.Locate(entities, devices); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entities {
		got = append(got, e.Area)
	}
	for _, d := range devices {
		got = append(got, d.Area)
	}
	want := []string{"kitchen", "garage", "Cellar", "kitchen", "Bob's place", "Bob's place", "", "pantry", "kitchen", "Cellar", "kitchen", "Cellar"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rooms %q, want %q", got, want)
	}
}

// A home beyond all bounds still has names that work.
func TestHomeListsAreBounded(t *testing.T) {
	var entities []assistant.Entity
	for i := range 3000 {
		entities = append(entities, assistant.Entity{Domain: "light", Name: fmt.Sprintf("lamp %d", i), Area: fmt.Sprintf("area %d", i)})
	}
	for text, want := range map[string]string{
		"open lamp 1999": "Open map[name:lamp 1999]", "open lamp 2000": "",
		"go to area 499": "Go map[area:area 499]", "go to area 500": "",
	} {
		if got := understood(t, "en", text, entities, nil); got != want {
			t.Errorf("%q means %q, want %q", text, got, want)
		}
	}
}

// FuzzHomeLists: no name keeps the others of its home from being understood.
func FuzzHomeLists(f *testing.F) {
	for _, seed := range []string{"Lamp", "{name}", "(a|", "\\", "\xff", "", "?", "\x00", "_", "a\nb", "ß", "\u200d", strings.Repeat("(", 99)} {
		f.Add(seed, seed)
	}
	g := house(f, "en")
	f.Fuzz(func(t *testing.T, name, area string) {
		entities := []assistant.Entity{{Domain: "light", Name: name, Area: area}, {Domain: "light", Name: "good one"}}
		for _, lang := range []string{"en", "zh-CN"} {
			lists, err := catalog.HomeLists(lang, entities, []assistant.Device{{Area: name}})
			if err != nil {
				t.Fatalf("%q, %q: %v", name, area, err)
			}
			if len(g.Match("open good one", nlu.Context{Lists: lists}).Matches) == 0 {
				t.Errorf("beside %q a good name is not understood", name)
			}
		}
	})
}
