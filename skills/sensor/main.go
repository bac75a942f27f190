// Command sensor is the skill that tells what the sensors of a home measure.
package main

import (
	"context"
	"strings"
	"time"

	"github.com/hark-voice/hark/skills"
)

const (
	// oldAfter is the age from which a reading is said to be old.
	oldAfter = 15 * time.Minute

	maxRooms = 8  // of one answer; nobody listens to more
	maxInAll = 24 // readings of one answer
)

func main() { skills.Serve(skill()) }

func skill() skills.Skill {
	return skills.Skill{Intents: skills.Intents{
		"GetReading":   get,
		"ListReadings": list,
	}}
}

// get tells what one kind of sensor measures: in a room, in that of the device,
// else in every room that has one.
func get(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	found := sense(call.Entities)
	metric, _ := call.Slots.String("metric")
	if metric != "" {
		metric = canonical(metric)
		found = found.of(metric)
	}
	if name, ok := call.Slots.String("name"); ok {
		found = found.from(call.Entities.Named(name))
	}
	if unknown := call.Slots.Words("place"); unknown != "" {
		return call.Say("no-place", skills.Data{"Metric": call.Text("metric", metric), "Area": unknown}), nil
	}
	if area, ok := call.Slots.String("area"); ok {
		words := call.Slots.Words("area")
		if found = found.in(area); len(found) == 0 {
			return none(call, metric, words), nil
		}
		return call.Say("reading", say(call, found.merge(call.Now()), words)), nil
	}
	if near := found.in(call.Area); len(near) > 0 {
		return call.Say("reading", say(call, near.merge(call.Now()), "")), nil
	}
	rooms := found.rooms()
	switch len(rooms) {
	case 0:
		return none(call, metric, ""), nil
	case 1:
		return call.Say("reading", say(call, found.merge(call.Now()), rooms[0][0].area)), nil
	}
	var texts []string
	for i, room := range rooms {
		if i == maxRooms {
			texts = append(texts, call.Text("more", skills.Data{"N": len(rooms) - i}))
			break
		}
		texts = append(texts, call.Text("in-room", say(call, room.merge(call.Now()), room[0].area)))
	}
	return call.Say("in-rooms", skills.Data{"Metric": call.Text("metric", metric), "Readings": texts}), nil
}

// list tells what all sensors measure, of one room or of all.
func list(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	found := sense(call.Entities)
	asked := call.Slots.Words("area")
	if area, ok := call.Slots.String("area"); ok {
		if found = found.in(area); len(found) == 0 {
			return none(call, "", asked), nil
		}
	}
	if len(found) == 0 {
		return none(call, "", ""), nil
	}
	var texts []string
	said := 0
	for _, room := range found.rooms() {
		var in []string
		for _, same := range room.metrics() {
			if said++; said <= maxInAll {
				in = append(in, call.Text("one-of-all", say(call, same.merge(call.Now()), "")))
			}
		}
		where := asked
		if where == "" {
			where = room[0].area
		}
		if len(in) > 0 {
			texts = append(texts, call.Text("room", skills.Data{"Place": place(call, where), "Readings": in}))
		}
	}
	return call.Say("all", skills.Data{"Rooms": texts, "More": max(said-maxInAll, 0)}), nil
}

// none says that nothing measures a metric, or anything for the empty one, in a
// room or in the whole home.
func none(call *skills.Call, metric, area string) *skills.Answer {
	if metric == "" {
		return call.Say("nothing", skills.Data{"Place": place(call, area)})
	}
	return call.Say("none", skills.Data{"Metric": call.Text("metric", metric), "Place": place(call, area)})
}

// say is what the texts of answers need of a measurement.
func say(call *skills.Call, m measurement, area string) skills.Data {
	value := call.Text("value", skills.Data{"Value": m.value, "Unit": unit(m.metric)})
	note := ""
	switch {
	case m.age > 0:
		note = call.Text("age", m.age)
	case m.sensors > 1:
		note = call.Text("average", m.sensors)
	}
	return skills.Data{"Metric": call.Text("metric", m.metric), "Place": place(call, area), "Value": value, "Note": note}
}

// place says where something is; nothing for no room.
func place(call *skills.Call, area string) string {
	if area == "" {
		return ""
	}
	return call.Text("place", strings.ReplaceAll(area, "_", " "))
}
