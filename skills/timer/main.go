// Command timer is the skill that sets, lists, changes, pauses and cancels timers,
// and rings.
package main

import (
	"context"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/skills"
)

const (
	maxTimers = 50 // in one home
	maxLength = 7 * 24 * time.Hour
	maxName   = 60 // characters

	maxSpoken = 3 // timers in one sentence; nobody remembers more

	// lateAfter is how late a timer may ring without saying so.
	lateAfter = time.Minute
)

func main() { skills.Serve(skill()) }

func skill() skills.Skill {
	return skills.Skill{
		Intents: skills.Intents{
			"SetTimer":    set,
			"ListTimers":  list,
			"ChangeTimer": change,
			"CancelTimer": cancel,
			"PauseTimer":  pause,
			"ResumeTimer": resume,
		},
		Schedule: ring,
	}
}

func set(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	length, hasLength := call.Slots.Duration("duration")
	length = length.Round(time.Second)
	name, _ := call.Slots.String("label")
	reminder, _ := call.Slots.Bool("reminder")
	named := true
	if !reminder { // what to be reminded of may be anything
		name, named = cleanName(call, name)
	}
	switch {
	case !named:
		return call.Say("not-a-name", nil), nil
	case !hasLength || length < time.Second:
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
		ID: "timer-" + strconv.Itoa(all.Count), Name: name, Reminder: reminder && name != "", Device: call.Device,
		Length: length, Due: call.Now().Add(length),
	}
	all.Timers = append(all.Timers, t)
	return call.Say("set", t).SetState(all).Schedule(t.ringing(call)), nil
}

func list(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	found, refusal := find(call, all)
	switch {
	case refusal != nil:
		return refusal, nil
	case len(found) == 1:
		return sayLeft(call, "left", found[0]), nil
	}
	return call.Say("list", skills.Data{"N": len(found), "Timers": describe(call, found)}), nil
}

func cancel(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	found, refusal := find(call, all)
	if refusal != nil {
		return refusal, nil
	}
	if every, _ := call.Slots.Bool("all"); !every {
		t, refusal := one(call, found, "which-cancel")
		if refusal != nil {
			return refusal, nil
		}
		found = timerList{t}
	}
	answer := call.Say("cancelled", skills.Data{"N": len(found), "Timer": found[0].called(call)})
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
	if !ok || t.Paused > 0 {
		return &skills.Answer{}, nil // it was cancelled or paused in this very moment
	}
	if t.Due.Sub(call.Now()) > time.Second { // or given more time
		return (&skills.Answer{}).Schedule(t.ringing(call)), nil
	}
	key := "done"
	if call.Now().Sub(t.Due) > lateAfter {
		key = "done-late"
	}
	return call.Say(key, t.done(call)).SetState(all), nil
}
