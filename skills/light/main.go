// Command light is the skill that turns lights and switches on and off, and
// makes lights brighter or dimmer.
package main

import (
	"context"
	"math"

	"github.com/hark-voice/hark/skills"
)

const (
	full = 100 // brightness, percent
	dim  = 1   // the least that is not off
	step = 20  // of "brighter", where no other was asked for
)

func main() { skills.Serve(skill()) }

func skill() skills.Skill {
	return skills.Skill{Intents: skills.Intents{
		"TurnOn":        turnOn,
		"TurnOff":       turnOff,
		"SetBrightness": setBrightness,
	}}
}

func turnOn(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	m, excuse := find(call, "light", "switch")
	if excuse != nil {
		return excuse, nil
	}
	return m.act(call, "turning-on", nil, on), nil
}

func turnOff(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	m, excuse := find(call, "light", "switch")
	if excuse != nil {
		return excuse, nil
	}
	return m.act(call, "turning-off", nil, off), nil
}

func setBrightness(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	m, excuse := find(call, "light")
	if excuse != nil {
		return excuse, nil
	}
	if change, ok := call.Slots.String("change"); ok {
		by, ok := call.Slots.Number("step")
		if !ok {
			by = step
		}
		if change == "down" {
			by = -by
		}
		return m.change(call, by), nil
	}
	brightness, ok := call.Slots.Number("brightness")
	brightness = math.Round(brightness)
	switch {
	case !ok || brightness < 0 || brightness > full:
		return call.Say("range", nil), nil
	case brightness == 0:
		return m.act(call, "turning-off", nil, off), nil
	}
	return m.act(call, "setting", skills.Data{"Brightness": brightness}, to(brightness)), nil
}

// change makes lights brighter or dimmer by so much: those that are on, if any.
func (m meant) change(call *skills.Call, by float64) *skills.Answer {
	there := m.lights.Available()
	if lit := there.Filter(func(e skills.Entity) bool { return e.Is("on") }); len(lit) > 0 {
		m.lights, there = append(lit, m.lights.Offline()...), lit
	} else if by < 0 && len(there) > 0 {
		return call.Say("is-off", m.data(call, there))
	}
	wanted := make(map[string]float64, len(there)) // by id
	same, moved := true, false
	for _, light := range there {
		before := brightness(light)
		wanted[light.ID] = min(max(before+by, dim), full)
		same = same && wanted[light.ID] == wanted[there[0].ID]
		moved = moved || wanted[light.ID] != before
	}
	key, data := "making-brighter", skills.Data{}
	switch {
	case len(there) > 0 && !moved && by > 0:
		return call.Say("brightest", m.data(call, there))
	case len(there) > 0 && !moved:
		return call.Say("dimmest", m.data(call, there))
	case len(there) > 0 && same:
		key, data["Brightness"] = "setting", wanted[there[0].ID]
	case by < 0:
		key = "making-dimmer"
	}
	return m.act(call, key, data, func(light skills.Entity) (string, map[string]any) { return to(wanted[light.ID])(light) })
}

// brightness is how bright a light is, as far as it is known.
func brightness(light skills.Entity) float64 {
	if !light.Is("on") {
		return 0
	}
	if b, ok := light.Number("brightness"); ok {
		return math.Round(min(max(b, 0), full))
	}
	return full
}

// order is what a light is told.
type order func(skills.Entity) (service string, args map[string]any)

func on(skills.Entity) (string, map[string]any) { return "turn_on", nil }

func off(skills.Entity) (string, map[string]any) { return "turn_off", nil }

func to(brightness float64) order {
	return func(skills.Entity) (string, map[string]any) {
		return "turn_on", map[string]any{"brightness": brightness}
	}
}
