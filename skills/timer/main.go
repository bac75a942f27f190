// Command timer is the skill that sets, lists and cancels timers, and rings.
package main

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/skills"
)

const (
	maxTimers = 50 // in one home
	maxLength = 7 * 24 * time.Hour
	maxName   = 60 // characters

	maxSpoken = 5 // timers in one sentence; nobody remembers more

	// lateAfter is how late a timer may ring without saying so.
	lateAfter = time.Minute
)

func main() { skills.Serve(skill()) }

func skill() skills.Skill {
	return skills.Skill{
		Intents: skills.Intents{
			"SetTimer":    set,
			"ListTimers":  list,
			"CancelTimer": cancel,
		},
		Schedule: ring,
	}
}

func set(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	length, ok := call.Slots.Duration("duration")
	length = length.Round(time.Second)
	name, _ := call.Slots.String("label")
	switch {
	case !ok || length < time.Second:
		return call.Say("how-long", nil), nil
	case length > maxLength:
		return call.Say("too-long", skills.Data{"Max": maxLength}), nil
	case utf8.RuneCountInString(name) > maxName:
		return call.Say("name-too-long", nil), nil
	case len(all.Timers) >= maxTimers:
		return call.Say("too-many", skills.Data{"Max": maxTimers}), nil
	}
	all.Count++
	t := timer{
		ID: "timer-" + strconv.Itoa(all.Count), Name: strings.TrimSpace(name), Device: call.Device,
		Length: length, Due: call.Now().Add(length),
	}
	all.Timers = append(all.Timers, t)
	return call.Say("set", t).SetState(all).Schedule(skills.Schedule{
		ID: t.ID, At: t.Due, Kind: skills.Timer, Fallback: call.Text("done", t),
	}), nil
}

func list(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	near := all.near(call.Device)
	found := near.asked(call.Slots)
	switch {
	case len(near) == 0:
		return call.Say("none", nil), nil
	case len(found) == 0:
		return call.Say("no-such", skills.Data{"Asked": asked(call), "Timers": describe(call, near)}), nil
	case len(found) == 1:
		return call.Say("left", skills.Data{"Timer": found[0], "Left": found[0].left(call.Now())}), nil
	}
	return call.Say("list", skills.Data{"N": len(found), "Timers": describe(call, found)}), nil
}

func cancel(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	near := all.near(call.Device)
	found := near.asked(call.Slots)
	every, _ := call.Slots.Bool("all")
	switch {
	case len(near) == 0:
		return call.Say("none", nil), nil
	case len(found) == 0:
		return call.Say("no-such", skills.Data{"Asked": asked(call), "Timers": describe(call, near)}), nil
	case len(found) > 1 && !every && !found.alike():
		return call.Say("which", skills.Data{"N": len(found), "Timers": describe(call, found), "Example": found[0]}), nil
	}
	if !every {
		found = found[:1] // of timers alike, the first to ring
	}
	answer := call.Say("cancelled", skills.Data{"N": len(found), "Timer": found[0]})
	for _, t := range found {
		all.remove(t.ID)
		answer.CancelSchedule(t.ID)
	}
	return answer.SetState(all), nil
}

// ring says that a timer is done, on the device that it was set on.
func ring(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	t, ok := all.remove(call.Fired.ID)
	if !ok {
		return &skills.Answer{}, nil // it was cancelled in this very moment
	}
	key := "done"
	if call.Now().Sub(t.Due) > lateAfter {
		key = "done-late"
	}
	return call.Say(key, t).SetState(all), nil
}

// asked says which timer the user spoke of.
func asked(call *skills.Call) string {
	name, _ := call.Slots.String("label")
	length, _ := call.Slots.Duration("duration")
	return call.Text("timer", timer{Name: name, Length: length})
}

// describe says the first timers to ring with what is left of each.
func describe(call *skills.Call, list timerList) []string {
	var texts []string
	for i, t := range list {
		if i == maxSpoken {
			return append(texts, call.Text("more", skills.Data{"N": len(list) - i}))
		}
		texts = append(texts, call.Text("timer-left", skills.Data{"Timer": t, "Left": t.left(call.Now())}))
	}
	return texts
}
