// Command time is the skill that knows the time, the date and the weekday.
package main

import (
	"context"
	"time"

	"github.com/hark-voice/hark/skills"
)

func main() { skills.Serve(skill()) }

func skill() skills.Skill {
	return skills.Skill{Intents: skills.Intents{
		"Time":    say("time"),
		"Date":    say("date"),
		"Weekday": say("weekday"),
		"Year":    say("year"),
	}}
}

// answer is what the texts speak of.
type answer struct {
	Time time.Time // now, on the day that was asked for
	Day  int       // days from today
}

func say(key string) skills.Handler {
	return func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		day, _ := call.Slots.Int("day") // none: today
		return call.Say(key, answer{Time: call.Now().AddDate(0, 0, day), Day: day}), nil
	}
}
