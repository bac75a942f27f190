package main

import (
	"fmt"
	"testing"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
)

func light(id, name, area string, state map[string]any) skills.Entity {
	return skills.Entity{ID: id, Name: name, Area: area, State: state}
}

func house(t *testing.T) *skilltest.Tester {
	t.Helper()
	lit := func(brightness float64) map[string]any {
		return map[string]any{"state": "on", "brightness": brightness}
	}
	return skilltest.New(t, skill()).
		Entity(light("light.k1", "ceiling light", "kitchen", lit(40))).
		Entity(light("light.k2", "stove light", "kitchen", lit(90))).
		Entity(light("light.k3", "window light", "kitchen", map[string]any{"state": "off"})).
		Entity(light("light.desk", "desk lamp", "study", map[string]any{"state": "on"})).
		Entity(light("light.s", "lamp", "study", nil)).
		Entity(light("light.b", "lamp", "living_room", lit(100))).
		Entity(light("light.hall", "chandelier", "hall", lit(1))).
		Entity(light("switch.coffee", "coffee machine", "kitchen", nil)).
		Offline("light.hall")
}

func slot(name string, value any) skilltest.SlotValue { return skilltest.Slot(name, value) }

type slots = []skilltest.SlotValue

func TestLights(t *testing.T) {
	for _, c := range []struct {
		intent   string
		slots    slots
		lang     string
		speech   string
		commands string
	}{
		{"TurnOn", slots{slot("name", "Desk Lamp")}, "en", "Turning on the Desk Lamp.", "[{light.desk turn_on map[]}]"},
		{"TurnOff", slots{slot("name", "desk lamp")}, "zh-CN", "好的，正在关闭desk lamp。", "[{light.desk turn_off map[]}]"},
		{"TurnOff", slots{slot("area", "study")}, "en", "Turning off the study lights.", "[{light.desk turn_off map[]} {light.s turn_off map[]}]"},
		{"TurnOn", slots{slot("name", "coffee machine")}, "en", "Turning on the coffee machine.", "[{switch.coffee turn_on map[]}]"},
		{"TurnOn", slots{slot("area", "hall")}, "en", "Sorry, the hall light is offline.", "[]"},
		{"TurnOn", slots{slot("area", "hall")}, "zh-CN", "抱歉，hall的灯离线了。", "[]"},
		{"TurnOn", slots{slot("area", "attic")}, "en", "Sorry, I can't find a light in the attic.", "[]"},
		{"TurnOn", slots{slot("thing", "neon")}, "en", "Sorry, I can't find the neon light.", "[]"},
		{"TurnOn", slots{slot("place", "garden")}, "zh-CN", "抱歉，garden没有找到灯。", "[]"},
		{"TurnOn", slots{slot("name", "desk lamp"), slot("area", "kitchen")}, "en", "Sorry, I can't find the desk lamp in the kitchen.", "[]"},
		{"TurnOn", slots{slot("name", "lamp")}, "en", "There are 2 called lamp, in the living room and study. Say which room.", "[]"},
		{"TurnOn", slots{slot("name", "lamp"), slot("area", "study")}, "en", "Turning on the lamp in the study.", "[{light.s turn_on map[]}]"},
		{"TurnOn", nil, "en", "Which light? Say, for example, turn on the ceiling light.", "[]"},
		{
			"TurnOff",
			slots{slot("all", true)},
			"en", "Turning off all 6 lights, but the chandelier is offline.",
			"[{light.k1 turn_off map[]} {light.k2 turn_off map[]} {light.k3 turn_off map[]} {light.desk turn_off map[]} {light.s turn_off map[]} {light.b turn_off map[]}]",
		},
		{
			"SetBrightness",
			slots{slot("name", "stove light"), slot("brightness", 33.4)},
			"en", "Setting the stove light to 33 percent.",
			"[{light.k2 turn_on map[brightness:33]}]",
		},
		{"SetBrightness", slots{slot("name", "stove light"), slot("brightness", 0)}, "en", "Turning off the stove light.", "[{light.k2 turn_off map[]}]"},
		{"SetBrightness", slots{slot("name", "stove light"), slot("brightness", 101)}, "en", "How bright? Say, for example, set the light to 50 percent.", "[]"},
		{"SetBrightness", slots{slot("name", "stove light")}, "en", "How bright? Say, for example, set the light to 50 percent.", "[]"},
		{"SetBrightness", slots{slot("name", "coffee machine"), slot("brightness", 50)}, "en", "Sorry, I can't find the coffee machine.", "[]"},
		{
			"SetBrightness",
			slots{slot("area", "kitchen"), slot("change", "up")},
			"en", "Making the kitchen lights brighter.",
			"[{light.k1 turn_on map[brightness:60]} {light.k2 turn_on map[brightness:100]}]",
		},
		{
			"SetBrightness",
			slots{slot("area", "kitchen"), slot("change", "down"), slot("step", 50)},
			"zh-CN", "好的，正在调暗kitchen的灯。",
			"[{light.k1 turn_on map[brightness:1]} {light.k2 turn_on map[brightness:40]}]",
		},
		{"SetBrightness", slots{slot("name", "desk lamp"), slot("change", "down")}, "en", "Setting the desk lamp to 80 percent.", "[{light.desk turn_on map[brightness:80]}]"},
		{"SetBrightness", slots{slot("name", "window light"), slot("change", "up")}, "en", "Setting the window light to 20 percent.", "[{light.k3 turn_on map[brightness:20]}]"},
		{"SetBrightness", slots{slot("name", "window light"), slot("change", "down")}, "en", "Sorry, the window light is off.", "[]"},
		{"SetBrightness", slots{slot("area", "living room"), slot("change", "up")}, "en", "It is as bright as can be.", "[]"},
		{"SetBrightness", slots{slot("name", "chandelier"), slot("change", "up")}, "zh-CN", "抱歉，chandelier离线了。", "[]"},
	} {
		answer := house(t).Lang(c.lang).Intent(c.intent, c.slots...)
		if got := fmt.Sprint(answer.Commands); answer.Speech != c.speech || got != c.commands {
			t.Errorf("%s %v:\n said %q, want %q\n sent %s, want %s", c.intent, c.slots, answer.Speech, c.speech, got, c.commands)
		}
	}
}

// The room of the device is meant where no other is named.
func TestHere(t *testing.T) {
	st := house(t)
	for _, c := range []struct {
		area, name string
		speech     string
		commands   int
	}{
		{"study", "", "Turning on the lights.", 2},
		{"Living Room", "", "Turning on the light.", 1},
		{"study", "lamp", "Turning on the lamp.", 1},
		{"attic", "", "There is no light in this room. Say which one, for example, turn on the ceiling light.", 0},
	} {
		var asked slots
		if c.name != "" {
			asked = slots{slot("name", c.name)}
		}
		answer := st.Area(c.area).Intent("TurnOn", asked...)
		if answer.Speech != c.speech || len(answer.Commands) != c.commands {
			t.Errorf("in %q: %q and %v, want %q", c.area, answer.Speech, answer.Commands, c.speech)
		}
	}
	// Part of the room is offline.
	if got := st.Area("study").Offline("light.s").Intent("TurnOff").Speech; got != "Turning off the light, but the lamp is offline." {
		t.Errorf("said %q", got)
	}
}

func TestSmallAndLargeHomes(t *testing.T) {
	st := skilltest.New(t, skill())
	if got := st.Intent("TurnOn").Speech; got != "There are no lights in this home yet." {
		t.Errorf("no light: %q", got)
	}
	st.Entity(light("light.only", "night light", "", nil))
	if got := st.Area("attic").Intent("TurnOn"); got.Speech != "Turning on the night light." || len(got.Commands) != 1 {
		t.Errorf("one light: %q, %v", got.Speech, got.Commands)
	}
	for i := range skills.MaxCommands {
		st.Entity(light(fmt.Sprintf("light.n%d", i), fmt.Sprint("lamp ", i), "hall", nil))
	}
	if got := st.Intent("TurnOn", slot("all", true)); got.Speech != "Those are 65 lights, and I can do 64 at once. Try room by room." || len(got.Commands) != 0 {
		t.Errorf("65 lights: %q, %d commands", got.Speech, len(got.Commands))
	}
	if got := st.Intent("TurnOn", slot("area", "hall")); got.Speech != "Turning on the hall lights." || len(got.Commands) != 64 {
		t.Errorf("64 lights: %q, %d commands", got.Speech, len(got.Commands))
	}
}
