package invoke

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMeterSharesEvenly(t *testing.T) {
	used := 10 * time.Second // before the first call: the start is not charged
	m := newMeter(func() (time.Duration, error) { return used, nil })
	first := m.begin()
	used += 6 // alone
	second := m.begin()
	used += 10 // two calls
	if got := m.end(first); got != 6+5 {
		t.Errorf("the first call used %d", got)
	}
	used += 3 // alone again
	if got := m.end(second); got != 5+3 {
		t.Errorf("the second call used %d", got)
	}
	used += time.Second // idle
	third := m.begin()
	if got := m.end(third); got != 0 {
		t.Errorf("a call that used nothing is charged %d", got)
	}
}

func TestMeterOfTheDead(t *testing.T) {
	var err error
	m := newMeter(func() (time.Duration, error) { return 0, err })
	mark := m.begin()
	err = errors.New("no such process")
	if got := m.end(mark); got != 0 {
		t.Errorf("charged %d", got)
	}
}

// What calls are charged is what was used while any was in flight, to the nanosecond.
func TestMeterIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var used, busy, charged time.Duration
		m := newMeter(func() (time.Duration, error) { return used, nil })
		var marks []time.Duration
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			step := time.Duration(rapid.IntRange(0, 1000).Draw(t, "used"))
			used += step
			if len(marks) > 0 {
				busy += step
			}
			if len(marks) > 0 && rapid.Bool().Draw(t, "end") {
				i := rapid.IntRange(0, len(marks)-1).Draw(t, "which")
				charged += m.end(marks[i])
				marks = append(marks[:i], marks[i+1:]...)
			} else {
				marks = append(marks, m.begin())
			}
		}
		for _, mark := range marks {
			charged += m.end(mark)
		}
		if charged != busy {
			t.Fatalf("charged %d of %d", charged, busy)
		}
	})
}
