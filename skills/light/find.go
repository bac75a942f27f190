package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/hark-voice/hark/skills"
)

// meant is what a user spoke of: the lights, and the words for them.
type meant struct {
	lights skills.Entities
	name   string // of a light
	area   string // its room, or that of the lights
	all    bool   // lights of the home
}

// find finds the lights that a call is about, of some domains, or the answer
// that says why there are none. A switch is meant only when it is named.
func find(call *skills.Call, domains ...string) (meant, *skills.Answer) {
	things := call.Entities.Of(domains...)
	lights := things.Of("light")
	area, inArea := call.Slots.String("area")
	m := meant{area: call.Slots.Words("area")}
	if thing := call.Slots.Words("thing"); thing != "" {
		return m, call.Say("no-such-light", skills.Data{"Light": thing})
	}
	if place := call.Slots.Words("place"); place != "" {
		return m, call.Say("none-there", skills.Data{"Area": place})
	}
	if name, ok := call.Slots.String("name"); ok {
		m.name, m.lights = call.Slots.Words("name"), things.Named(name)
		if inArea {
			m.lights = m.lights.In(area)
		}
		return m.one(call)
	}
	every, _ := call.Slots.Bool("all")
	switch {
	case inArea:
		if m.lights = lights.In(area); len(m.lights) == 0 {
			return m, call.Say("none-there", skills.Data{"Area": m.area})
		}
	case len(lights) == 0:
		return m, call.Say("none", nil)
	case every:
		m.lights, m.all = lights, true
	default:
		return m.here(call, lights)
	}
	return m, nil
}

// one finds the light of a name: where several have it, the one in the room of
// the device.
func (m meant) one(call *skills.Call) (meant, *skills.Answer) {
	if near := m.lights.In(call.Area); len(m.lights) > 1 && len(near) > 0 {
		m.lights = near
	}
	areas := make(map[string]bool)
	for _, light := range m.lights {
		areas[strings.ReplaceAll(light.Area, "_", " ")] = true
	}
	delete(areas, "")
	switch {
	case len(m.lights) == 0:
		return m, call.Say("no-such", skills.Data{"Name": m.name, "Area": m.area})
	case len(areas) > 1:
		rooms := slices.Sorted(maps.Keys(areas))
		return m, call.Say("which-room", skills.Data{"Name": m.name, "N": len(m.lights), "Areas": rooms})
	}
	return m, nil
}

// here finds the lights in the room of the device; where there are none, the
// only one of the home.
func (m meant) here(call *skills.Call, lights skills.Entities) (meant, *skills.Answer) {
	m.lights = lights.In(call.Area)
	switch {
	case len(m.lights) > 0:
	case len(lights) == 1:
		m.lights = lights
		m.name = lights.Names()[0]
	case call.Area == "":
		return m, call.Say("which", skills.Data{"Example": lights.Names()[0]})
	default:
		return m, call.Say("none-here", skills.Data{"Example": lights.Names()[0]})
	}
	return m, nil
}

// act sends an order to the lights that are there, and says so; and which are
// offline. The data is for the answer's text besides that about the lights.
func (m meant) act(call *skills.Call, key string, data skills.Data, do order) *skills.Answer {
	there := m.lights.Available()
	switch {
	case len(there) == 0:
		return call.Say("offline", m.data(call, m.lights))
	case len(there) > skills.MaxCommands:
		return call.Say("too-many", skills.Data{"N": len(there), "Max": skills.MaxCommands})
	}
	said := m.data(call, there)
	maps.Copy(said, data)
	answer := call.Say(key, said)
	for _, light := range there {
		service, args := do(light)
		answer.Command(light.ID, service, args)
	}
	return answer
}

// data is what answers say of the lights: words for those in the list, and the
// names of those that are offline.
func (m meant) data(call *skills.Call, list skills.Entities) skills.Data {
	words := call.Text("lights", skills.Data{"Name": m.name, "Area": m.area, "All": m.all, "N": len(list)})
	but := ""
	if gone := m.lights.Offline(); len(gone) > 0 && len(gone) < len(m.lights) {
		but = call.Text("but-offline", skills.Data{"Names": gone.Names()})
	}
	return skills.Data{"Lights": words, "N": len(list), "But": but}
}
