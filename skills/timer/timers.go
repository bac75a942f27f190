package main

import (
	"slices"
	"strings"
	"time"

	"github.com/hark-voice/hark/skills"
)

// timers is the state of a home.
type timers struct {
	Count  int       `json:"count"` // of timers ever set; numbers the next one
	Timers timerList `json:"timers,omitempty"`
}

// timer is one that runs.
type timer struct {
	ID     string        `json:"id"` // of its schedule, too
	Name   string        `json:"name,omitempty"`
	Device string        `json:"device,omitempty"` // that it was set on, and rings on
	Length time.Duration `json:"length"`           // in nanoseconds
	Due    time.Time     `json:"due"`
}

// left is how long the timer has to run, as precisely as people care for.
func (t timer) left(now time.Time) time.Duration {
	left := max(t.Due.Sub(now), time.Second)
	if left >= 10*time.Minute {
		return left.Round(time.Minute)
	}
	return left.Round(time.Second)
}

type timerList []timer

// near returns the device's timers; where it has none, those of the home. The
// first to ring comes first.
func (all timers) near(device string) timerList {
	var near timerList
	for _, t := range all.Timers {
		if t.Device == device {
			near = append(near, t)
		}
	}
	if len(near) == 0 {
		near = slices.Clone(all.Timers)
	}
	slices.SortStableFunc(near, func(a, b timer) int { return a.Due.Compare(b.Due) })
	return near
}

// asked returns the timers that the user spoke of, by name or by length.
func (l timerList) asked(slots skills.Slots) timerList {
	name, byName := slots.String("label")
	length, byLength := slots.Duration("duration")
	var found timerList
	for _, t := range l {
		if byName && !strings.EqualFold(t.Name, strings.TrimSpace(name)) {
			continue
		}
		if byLength && t.Length != length.Round(time.Second) {
			continue
		}
		found = append(found, t)
	}
	return found
}

// alike tells whether the user has no words to tell the timers apart.
func (l timerList) alike() bool {
	return !slices.ContainsFunc(l, func(t timer) bool {
		return t.Name != l[0].Name || t.Length != l[0].Length
	})
}

// remove takes a timer out.
func (all *timers) remove(id string) (timer, bool) {
	i := slices.IndexFunc(all.Timers, func(t timer) bool { return t.ID == id })
	if i < 0 {
		return timer{}, false
	}
	t := all.Timers[i]
	all.Timers = slices.Delete(all.Timers, i, i+1)
	return t, true
}
