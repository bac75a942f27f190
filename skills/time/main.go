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
		"Time":      say("time"),
		"Date":      say("date"),
		"Weekday":   say("weekday"),
		"IsWeekday": isWeekday,
		"Month":     say("month"),
		"Year":      say("year"),
	}}
}

// answer is what the texts speak of.
type answer struct {
	Time           time.Time // that was asked for; now, if none was
	Day            int       // days from today, by the calendar
	Later, Earlier bool      // than now
	Yes            bool      // it is the weekday that was asked for
}

func say(key string) skills.Handler {
	return func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		return call.Say(key, asked(call)), nil
	}
}

func isWeekday(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	a := asked(call)
	is := a.Time.Weekday()
	if weekend, _ := call.Slots.Bool("weekend"); weekend {
		a.Yes = is == time.Saturday || is == time.Sunday
	} else {
		weekday, ok := call.Slots.Int("weekday")
		a.Yes = ok && is == time.Weekday(weekday)
	}
	return call.Say("is-weekday", a), nil
}

// asked is about the time that a sentence names: "tomorrow", "in three days",
// "two hours ago".
func asked(call *skills.Call) answer {
	now := call.Now()
	at := now
	if days, ok := call.Slots.Int("day"); ok {
		at = at.AddDate(0, 0, days)
	}
	if in, ok := call.Slots.Duration("in"); ok {
		at = after(at, in)
	}
	if ago, ok := call.Slots.Duration("ago"); ok {
		at = after(at, -ago)
	}
	return answer{Time: at, Day: int(civil(at).Sub(civil(now)) / day), Later: at.After(now), Earlier: at.Before(now)}
}

const day = 24 * time.Hour

// after adds a duration. Whole days are days of the calendar, which need not
// have 24 hours.
func after(t time.Time, d time.Duration) time.Time {
	return t.AddDate(0, 0, int(d/day)).Add(d % day)
}

// civil is the date of a time, as one where all days have 24 hours.
func civil(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}
