package skills

import (
	"fmt"
	"math"
	"time"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
)

// timeForm is how {time} travels: as clocks in the home show it. A {date} is
// without the clock.
const timeForm = "2006-01-02T15:04:05"

// Slots are the values taken from a sentence. Each accessor's second result
// tells whether the slot is there and of that type; an optional part of a
// sentence, or an intent recognized on a device, may leave any slot out.
type Slots map[string]Slot

// Slot is one value and the words that it was taken from.
type Slot struct {
	Value any    // a string, float64 or bool
	Text  string // "ten" for 10

	zone *time.Location // of the home; nil: UTC
}

// String returns a slot of text, such as a name.
func (s Slots) String(name string) (string, bool) {
	v, ok := s[name].Value.(string)
	return v, ok
}

// Number returns a slot of a number.
func (s Slots) Number(name string) (float64, bool) {
	v, ok := s[name].Value.(float64)
	return v, ok
}

// Int returns a slot of a whole number.
func (s Slots) Int(name string) (int, bool) {
	v, ok := s.Number(name)
	if !ok || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, false
	}
	return int(v), true
}

// Bool returns a slot that is true or false.
func (s Slots) Bool(name string) (bool, bool) {
	v, ok := s[name].Value.(bool)
	return v, ok
}

// Duration returns a slot of the list {duration}. One too long for a
// time.Duration (292 years) is none.
func (s Slots) Duration(name string) (time.Duration, bool) {
	seconds, ok := s.Number(name)
	if !ok || !(math.Abs(seconds) < math.MaxInt64/float64(time.Second)) {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// Time returns a slot of the list {time} or {date}, in the home's time zone. A
// date is the beginning of its day. What clocks leave out when they are put
// forward is as much later.
func (s Slots) Time(name string) (time.Time, bool) {
	slot := s[name]
	text, _ := slot.Value.(string)
	for _, form := range []string{timeForm, time.DateOnly} {
		if told, err := time.Parse(form, text); err == nil {
			return slot.onClock(told), true
		}
	}
	return time.Time{}, false
}

// onClock returns when the clocks of the home show what told shows.
func (s Slot) onClock(told time.Time) time.Time {
	zone := s.zone
	if zone == nil {
		zone = time.UTC
	}
	year, month, day := told.Date()
	t := time.Date(year, month, day, told.Hour(), told.Minute(), told.Second(), 0, zone)
	_, offset := t.Zone()
	// Where clocks never show it, time.Date chooses a time before or after.
	if leftOut := told.Unix() - (t.Unix() + int64(offset)); leftOut > 0 {
		t = t.Add(time.Duration(leftOut) * time.Second)
	}
	return t
}

// Words returns the words that a slot was taken from, to say them again; where
// there are none, because the device sent an intent, its value. A slot that is
// not there has no words.
func (s Slots) Words(name string) string {
	slot := s[name]
	switch {
	case slot.Text != "":
		return slot.Text
	case slot.Value == nil:
		return ""
	}
	return fmt.Sprint(slot.Value)
}

func newSlots(wire map[string]*assistantv1.Slot, zone *time.Location) Slots {
	slots := make(Slots, len(wire))
	for name, slot := range wire {
		slots[name] = Slot{Value: slot.GetValue().AsInterface(), Text: slot.GetText(), zone: zone}
	}
	return slots
}
