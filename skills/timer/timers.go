package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/hark-voice/hark/skills"
)

// timers is the state of a home.
type timers struct {
	Count  int       `json:"count"` // of timers ever set; numbers the next one
	Timers timerList `json:"timers,omitempty"`
}

// timer is one that runs, or is paused.
type timer struct {
	ID       string        `json:"id"` // of its schedule, too
	Name     string        `json:"name,omitempty"`
	Reminder bool          `json:"reminder,omitempty"` // Name is what to do, and said when it rings
	Device   string        `json:"device,omitempty"`   // that it was set on, and rings on
	Length   time.Duration `json:"length"`             // in nanoseconds
	Due      time.Time     `json:"due"`
	Paused   time.Duration `json:"paused,omitempty"` // what was left when it was paused; 0: it runs
}

// remaining is how long the timer has to run.
func (t timer) remaining(now time.Time) time.Duration {
	if t.Paused > 0 {
		return t.Paused
	}
	return t.Due.Sub(now)
}

// left is what remains, as precisely as people care for.
func (t timer) left(now time.Time) time.Duration {
	left := max(t.remaining(now), time.Second)
	if left >= 10*time.Minute {
		return left.Round(time.Minute)
	}
	return left.Round(time.Second)
}

// called says what the timer is called.
func (t timer) called(call *skills.Call) string { return call.Text("timer", t) }

// ringing is the schedule that the timer rings by. It keeps the timer's id, so
// that setting it again replaces it.
func (t timer) ringing(call *skills.Call) skills.Schedule {
	kind := skills.Timer
	if t.Reminder {
		kind = skills.Reminder
	}
	return skills.Schedule{ID: t.ID, At: t.Due, Device: t.Device, Kind: kind, Fallback: call.Text("done", t.done(call))}
}

// done is what the texts of a timer that rings speak of.
func (t timer) done(call *skills.Call) skills.Data {
	return skills.Data{"Timer": t.called(call), "Name": t.Name, "Reminder": t.Reminder, "Due": t.Due}
}

type timerList []timer

// near returns the device's timers; where it has none, those of the home. The
// first to ring comes first, those that are paused come last.
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
	slices.SortStableFunc(near, func(a, b timer) int {
		if (a.Paused > 0) != (b.Paused > 0) {
			return cmp.Compare(a.Paused, b.Paused)
		}
		return a.Due.Compare(b.Due)
	})
	return near
}

// asked returns the timers that the user spoke of: by name, by length, or by
// place among them, from 1 or from -1 for the last.
func (l timerList) asked(slots skills.Slots) timerList {
	name, byName := slots.String("label")
	length, byLength := slots.Duration("duration")
	var found timerList
	for _, t := range l {
		if byName && !sameName(t.Name, name) {
			continue
		}
		if byLength && t.Length != length.Round(time.Second) {
			continue
		}
		found = append(found, t)
	}
	nth, byPlace := slots.Int("nth")
	if !byPlace {
		return found
	}
	if nth < 0 {
		nth += len(found) + 1
	}
	if nth < 1 || nth > len(found) {
		return nil
	}
	return found[nth-1 : nth]
}

// paused returns those that are paused, or those that run.
func (l timerList) paused(paused bool) timerList {
	return slices.DeleteFunc(slices.Clone(l), func(t timer) bool { return (t.Paused > 0) != paused })
}

// alike tells whether the user has no words to tell the timers apart.
func (l timerList) alike() bool {
	return !slices.ContainsFunc(l, func(t timer) bool {
		return !sameName(t.Name, l[0].Name) || t.Length != l[0].Length
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

// replace puts a timer in the place of the one with its id.
func (all *timers) replace(t timer) {
	i := slices.IndexFunc(all.Timers, func(old timer) bool { return old.ID == t.ID })
	all.Timers[i] = t
}
