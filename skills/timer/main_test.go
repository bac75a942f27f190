package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
)

func duration(d time.Duration) skilltest.SlotValue { return skilltest.Slot("duration", d) }

func label(name string) skilltest.SlotValue { return skilltest.Slot("label", name) }

// want checks what was said.
func want(t *testing.T, answer *skilltest.Answer, speech string) {
	t.Helper()
	if answer.Speech != speech {
		t.Errorf("said %q, want %q", answer.Speech, speech)
	}
}

func TestTimerRings(t *testing.T) {
	for _, test := range []struct {
		lang              string
		slots             []skilltest.SlotValue
		set, left, done   string
		cancelled, noMore string
	}{
		{
			"en",
			[]skilltest.SlotValue{duration(5 * time.Second)},
			"Timer set for 5 seconds.", "3 seconds left on your 5-second timer.", "Your 5-second timer is done.",
			"Your 5-second timer is cancelled.", "There are no timers.",
		},
		{
			"en-US",
			[]skilltest.SlotValue{duration(90 * time.Minute), label("roast")},
			"Your roast timer is set for 1 hour and 30 minutes.", "1 hour and 30 minutes left on your roast timer.",
			"Your roast timer is done.", "Your roast timer is cancelled.", "There are no timers.",
		},
		{
			"zh-CN",
			[]skilltest.SlotValue{duration(5 * time.Second)},
			"好的，5秒计时器开始了。", "您的5秒计时器还剩3秒。", "您的5秒计时器到时间了。",
			"5秒计时器已取消。", "现在没有计时器。",
		},
		{
			"zh-CN",
			[]skilltest.SlotValue{duration(8 * time.Minute), label("煮面")},
			"好的，8分钟的煮面计时器开始了。", "您的煮面计时器还剩7分钟58秒。", "您的煮面计时器到时间了。",
			"煮面计时器已取消。", "现在没有计时器。",
		},
	} {
		st := skilltest.New(t, skill()).Lang(test.lang).Device("kitchen")
		set := st.Intent("SetTimer", test.slots...)
		want(t, set, test.set)
		if got := set.Set[0]; got.Kind != skills.Timer || got.Fallback != test.done {
			t.Errorf("schedule %+v, want a timer that falls back to %q", got, test.done)
		}
		if said := st.Advance(2 * time.Second); len(said) != 0 {
			t.Errorf("%v before it is due", said)
		}
		want(t, st.Intent("ListTimers"), test.left)
		said := st.Device("hall").Advance(2 * time.Hour)
		if len(said) != 1 || said[0].Speech != test.done || said[0].Device != "kitchen" || said[0].Kind != skills.Timer {
			t.Errorf("rang %+v, want %q in the kitchen", said, test.done)
		}
		want(t, st.Intent("ListTimers"), test.noMore)

		st.Intent("SetTimer", test.slots...)
		want(t, st.Intent("CancelTimer"), test.cancelled)
		want(t, st.Intent("CancelTimer"), test.noMore)
		if said := st.Advance(2 * time.Hour); len(said) != 0 {
			t.Errorf("a cancelled timer rang: %v", said)
		}
	}
}

// three returns a home with three timers on one device.
func three(t *testing.T) *skilltest.Tester {
	t.Helper()
	st := skilltest.New(t, skill())
	st.Intent("SetTimer", duration(5*time.Minute))
	st.Intent("SetTimer", duration(8*time.Minute), label("pasta"))
	st.Intent("SetTimer", duration(3*time.Minute))
	return st
}

const threeTimers = "You have 3 timers: 3 minutes on the 3-minute timer, 5 minutes on the 5-minute timer" +
	" and 8 minutes on the pasta timer."

func TestSeveralTimers(t *testing.T) {
	st := three(t)
	want(t, st.Intent("ListTimers"), threeTimers)
	want(t, st.Intent("ListTimers", label("Pasta")), "8 minutes left on your pasta timer.")
	want(t, st.Intent("CancelTimer"), threeTimers+" Say which one, for example, cancel the 3-minute timer.")
	want(t, st.Intent("CancelTimer", label("PASTA")), "Your pasta timer is cancelled.")
	want(t, st.Intent("CancelTimer", duration(time.Hour)),
		"There's no 1-hour timer. There are 3 minutes on the 3-minute timer and 5 minutes on the 5-minute timer.")
	want(t, st.Intent("CancelTimer", duration(5*time.Minute)), "Your 5-minute timer is cancelled.")
	want(t, st.Intent("CancelTimer"), "Your 3-minute timer is cancelled.")

	st = three(t)
	want(t, st.Intent("CancelTimer", skilltest.Slot("all", true)), "3 timers cancelled.")
	if left := st.Schedules(); len(left) != 0 {
		t.Errorf("schedules are left: %v", left)
	}

	st = three(t).Lang("zh-CN")
	want(t, st.Intent("ListTimers"), "您有3个计时器：3分钟计时器还剩3分钟、5分钟计时器还剩5分钟和pasta计时器还剩8分钟。")
}

// Timers that no words can tell apart: the first to ring is meant.
func TestAlikeTimers(t *testing.T) {
	st := skilltest.New(t, skill())
	st.Intent("SetTimer", duration(5*time.Minute))
	st.Advance(time.Minute)
	st.Intent("SetTimer", duration(5*time.Minute))
	answer := st.Intent("CancelTimer")
	want(t, answer, "Your 5-minute timer is cancelled.")
	if fmt.Sprint(answer.Cancelled) != "[timer-1]" {
		t.Errorf("cancelled %v, want the first one", answer.Cancelled)
	}
}

func TestTimersBelongToDevices(t *testing.T) {
	st := skilltest.New(t, skill())
	st.Device("kitchen").Intent("SetTimer", duration(5*time.Minute))
	st.Device("bedroom").Intent("SetTimer", duration(8*time.Minute))
	want(t, st.Device("kitchen").Intent("ListTimers"), "5 minutes left on your 5-minute timer.")
	want(t, st.Device("bedroom").Intent("CancelTimer"), "Your 8-minute timer is cancelled.")
	want(t, st.Device("bedroom").Intent("CancelTimer"), "Your 5-minute timer is cancelled.")
	st.Home("another")
	want(t, st.Intent("ListTimers"), "There are no timers.")
}

// A timer that rings late, because Hark was down, says when it was due.
func TestLateRing(t *testing.T) {
	st := skilltest.New(t, skill())
	st.Intent("SetTimer", duration(5*time.Minute))
	st.At(time.Date(2024, 1, 1, 14, 0, 0, 0, time.UTC))
	if said := st.Advance(0); len(said) != 1 || said[0].Speech != "Your 5-minute timer was done at 12:05 PM." {
		t.Errorf("rang %+v", said)
	}
}

func TestBounds(t *testing.T) {
	st := skilltest.New(t, skill())
	want(t, st.Intent("SetTimer"), "For how long? Say, for example, set a timer for 5 minutes.")
	want(t, st.Intent("SetTimer", duration(0)), "For how long? Say, for example, set a timer for 5 minutes.")
	want(t, st.Intent("SetTimer", duration(8*24*time.Hour)), "Sorry, timers can be 7 days at most.")
	want(t, st.Intent("SetTimer", duration(time.Hour), label(strings.Repeat("x", 61))), "Sorry, that name is too long for a timer.")
	for range maxTimers {
		st.Intent("SetTimer", duration(time.Hour), label(strings.Repeat("好", maxName)))
	}
	want(t, st.Intent("SetTimer", duration(time.Hour)), "There are 50 timers already. Cancel one first.")
	if n := len(st.Schedules()); n != maxTimers {
		t.Errorf("%d schedules, want %d", n, maxTimers)
	}
	if n := len(st.State()); n > skills.MaxState {
		t.Errorf("the state of a full home has %d bytes", n)
	}
	listed := st.Intent("ListTimers").Speech
	if !strings.HasPrefix(listed, "You have 50 timers: ") || !strings.HasSuffix(listed, " and 47 more.") {
		t.Errorf("a full home lists %q", listed)
	}
}
