package main

import (
	"context"
	"time"

	"github.com/hark-voice/hark/skills"
)

// change gives a timer more time, or less, or another length from now on.
func change(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	found, refusal := find(call, all)
	if refusal != nil {
		return refusal, nil
	}
	t, refusal := one(call, found, "which-change")
	if refusal != nil {
		return refusal, nil
	}
	by, hasBy := call.Slots.Duration("by")
	to, hasTo := call.Slots.Duration("to")
	if less, _ := call.Slots.Bool("less"); less {
		by = -by
	}
	left, changed := t.remaining(call.Now()), t
	switch {
	case hasTo:
		left = to.Round(time.Second)
		changed.Length = left
	case hasBy: // its length stays: it is what a timer without a name is called by
		left += by.Round(time.Second)
	default:
		return call.Say("change-how", nil), nil
	}
	switch {
	case left > maxLength:
		return call.Say("too-long", skills.Data{"Max": maxLength}), nil
	case left < time.Second:
		return sayLeft(call, "too-little", t), nil
	}
	if t.Paused > 0 {
		changed.Paused = left
		all.replace(changed)
		return sayLeft(call, "left", changed).SetState(all), nil
	}
	changed.Due = call.Now().Add(left)
	all.replace(changed)
	return sayLeft(call, "left", changed).SetState(all).Schedule(changed.ringing(call)), nil
}

func pause(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	t, refusal := inState(call, all, false, "pause")
	if refusal != nil {
		return refusal, nil
	}
	t.Paused = max(t.remaining(call.Now()), time.Second)
	all.replace(t)
	return sayLeft(call, "paused", t).SetState(all).CancelSchedule(t.ID), nil
}

func resume(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	all, err := skills.State[timers](call)
	if err != nil {
		return nil, err
	}
	t, refusal := inState(call, all, true, "resume")
	if refusal != nil {
		return refusal, nil
	}
	t.Due, t.Paused = call.Now().Add(t.Paused), 0
	all.replace(t)
	return sayLeft(call, "left", t).SetState(all).Schedule(t.ringing(call)), nil
}

// inState returns the one timer that the user spoke of among those that are
// paused, or among those that run.
func inState(call *skills.Call, all timers, paused bool, verb string) (timer, *skills.Answer) {
	found, refusal := find(call, all)
	if refusal != nil {
		return timer{}, refusal
	}
	found = found.paused(paused)
	if len(found) == 0 {
		return timer{}, call.Say("none-to-"+verb, nil)
	}
	return one(call, found, "which-"+verb)
}
