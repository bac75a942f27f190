package main

import (
	"github.com/hark-voice/hark/skills"
)

// find returns the timers that the user spoke of, or else an answer that says
// why there are none.
func find(call *skills.Call, all timers) (timerList, *skills.Answer) {
	near := all.near(call.Device)
	if len(near) == 0 {
		return nil, call.Say("none", nil)
	}
	found := near.asked(call.Slots)
	if len(found) == 0 {
		return nil, call.Say("no-such", skills.Data{"Asked": asked(call), "N": len(near), "Timers": describe(call, near)})
	}
	return found, nil
}

// one returns the timer that is meant if that can be told, or else an answer
// that asks for it. Of timers alike it is the first to ring.
func one(call *skills.Call, found timerList, ask string) (timer, *skills.Answer) {
	if len(found) == 1 || found.alike() {
		return found[0], nil
	}
	return timer{}, call.Say(ask, skills.Data{
		"N": len(found), "Timers": describe(call, found), "Timer": found[0].called(call),
	})
}

// asked says which timer the user spoke of.
func asked(call *skills.Call) string {
	name, byName := call.Slots.String("label")
	length, byLength := call.Slots.Duration("duration")
	if nth, _ := call.Slots.Int("nth"); nth > 0 && !byName && !byLength {
		return call.Text("nth", skills.Data{"N": nth})
	}
	return timer{Name: name, Length: length}.called(call)
}

// describe says the first timers to ring with what is left of each.
func describe(call *skills.Call, list timerList) []string {
	var texts []string
	for i, t := range list {
		if i == maxSpoken {
			return append(texts, call.Text("more", skills.Data{"N": len(list) - i}))
		}
		texts = append(texts, call.Text("timer-left", leftData(call, t)))
	}
	return texts
}

// sayLeft says something about what is left of one timer.
func sayLeft(call *skills.Call, key string, t timer) *skills.Answer {
	return call.Say(key, leftData(call, t))
}

func leftData(call *skills.Call, t timer) skills.Data {
	left := t.left(call.Now())
	return skills.Data{"Timer": t.called(call), "Left": left, "Paused": t.Paused > 0}
}
