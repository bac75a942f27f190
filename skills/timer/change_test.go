package main

import (
	"testing"
	"time"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
)

func by(d time.Duration) skilltest.SlotValue { return skilltest.Slot("by", d) }

func to(d time.Duration) skilltest.SlotValue { return skilltest.Slot("to", d) }

func nth(n int) skilltest.SlotValue { return skilltest.Slot("nth", n) }

// A timer that was given more time rings once, at its new time, where it was set.
func TestChangedTimerRings(t *testing.T) {
	less := skilltest.Slot("less", true)
	for _, test := range []struct {
		lang   string
		change []skilltest.SlotValue
		said   string
		left   time.Duration
	}{
		{"en", []skilltest.SlotValue{by(5 * time.Minute)}, "9 minutes left on your pasta timer.", 9 * time.Minute},
		{"zh-CN", []skilltest.SlotValue{by(5 * time.Minute)}, "您的pasta计时器还剩9分钟。", 9 * time.Minute},
		{"en", []skilltest.SlotValue{by(time.Minute), less}, "3 minutes left on your pasta timer.", 3 * time.Minute},
		{"en", []skilltest.SlotValue{to(10 * time.Minute)}, "10 minutes left on your pasta timer.", 10 * time.Minute},
		{"en", []skilltest.SlotValue{by(4 * time.Minute), less}, "Your pasta timer has only 4 minutes left.", 4 * time.Minute},
		{"zh-CN", []skilltest.SlotValue{by(time.Hour), less}, "您的pasta计时器只剩4分钟了。", 4 * time.Minute},
		{"en", []skilltest.SlotValue{to(0)}, "Your pasta timer has only 4 minutes left.", 4 * time.Minute},
		{"en", []skilltest.SlotValue{by(8 * 24 * time.Hour)}, "Sorry, timers can be 7 days at most.", 4 * time.Minute},
		{"en", nil, "By how much? Say, for example, add 5 minutes to the timer.", 4 * time.Minute},
	} {
		st := skilltest.New(t, skill()).Lang(test.lang)
		st.Device("kitchen").Intent("SetTimer", duration(5*time.Minute), label("pasta"))
		st.Advance(time.Minute)
		want(t, st.Device("hall").Intent("ChangeTimer", test.change...), test.said)
		if said := st.Advance(test.left - time.Second); len(said) != 0 {
			t.Errorf("%s: rang too early: %+v", test.said, said)
		}
		if said := st.Advance(time.Hour); len(said) != 1 || said[0].Device != "kitchen" {
			t.Errorf("%s: rang %+v, want once in the kitchen", test.said, said)
		}
	}
}

func TestWhichTimerChanges(t *testing.T) {
	st := three(t)
	want(t, st.Intent("ChangeTimer", by(time.Minute)), threeTimers+" Say which one, for example, add 5 minutes to the 3-minute timer.")
	want(t, st.Intent("ChangeTimer", by(time.Minute), duration(5*time.Minute)), "6 minutes left on your 5-minute timer.")
	want(t, st.Intent("ChangeTimer", by(time.Minute), label("pasta")), "9 minutes left on your pasta timer.")
	want(t, st.Intent("ChangeTimer", to(time.Minute), nth(1)), "1 minute left on your 1-minute timer.")
	want(t, st.Intent("CancelTimer", nth(2)), "Your 5-minute timer is cancelled.")
	want(t, st.Intent("CancelTimer", nth(-1)), "Your pasta timer is cancelled.")
	want(t, st.Intent("CancelTimer", nth(2)), "There's no timer 2. There is 1 minute on the 1-minute timer.")
	want(t, skilltest.New(t, skill()).Intent("ChangeTimer", by(time.Minute)), "There are no timers.")
}

func TestPause(t *testing.T) {
	st := skilltest.New(t, skill())
	want(t, st.Intent("PauseTimer"), "There are no timers.")
	st.Intent("SetTimer", duration(5*time.Minute))
	want(t, st.Intent("ResumeTimer"), "It is not paused.")
	st.Advance(time.Minute)
	want(t, st.Intent("PauseTimer"), "Your 5-minute timer is paused with 4 minutes left.")
	want(t, st.Intent("PauseTimer"), "It is paused already.")
	if said := st.Advance(time.Hour); len(said) != 0 {
		t.Errorf("a paused timer rang: %+v", said)
	}
	want(t, st.Intent("ChangeTimer", by(time.Minute)), "5 minutes left on your paused 5-minute timer.")
	st.Intent("SetTimer", duration(8*time.Minute), label("tea"))
	want(t, st.Intent("ListTimers"), "You have 2 timers: 8 minutes on the tea timer and 5 minutes on the paused 5-minute timer.")
	want(t, st.Lang("zh-CN").Intent("ListTimers"), "您有2个计时器：tea计时器还剩8分钟和5分钟计时器暂停着，还剩5分钟。")
	want(t, st.Intent("ResumeTimer"), "您的5分钟计时器还剩5分钟。")
	want(t, st.Intent("PauseTimer"), "您有2个计时器：5分钟计时器还剩5分钟和tea计时器还剩8分钟。请说明是哪一个，例如：暂停5分钟计时器。")
	want(t, st.Intent("PauseTimer", label("tea")), "tea计时器暂停了，还剩8分钟。")
	if said := st.Advance(time.Hour); len(said) != 1 {
		t.Errorf("rang %+v, want the one that was resumed", said)
	}
	want(t, st.Lang("en").Intent("CancelTimer"), "Your tea timer is cancelled.")
}

func TestReminders(t *testing.T) {
	reminder := skilltest.Slot("reminder", true)
	st := skilltest.New(t, skill())
	set := st.Intent("SetTimer", duration(10*time.Minute), label("cancel the meeting"), reminder)
	want(t, set, "I'll remind you in 10 minutes: cancel the meeting.")
	want(t, st.Intent("ListTimers"), "10 minutes left on your cancel the meeting reminder.")
	said := st.Advance(10 * time.Minute)
	if len(said) != 1 || said[0].Speech != "Reminder: cancel the meeting." || said[0].Kind != skills.Reminder {
		t.Errorf("rang %+v", said)
	}
	st.Lang("zh-CN")
	want(t, st.Intent("SetTimer", duration(30*time.Minute), label("吃药"), reminder), "好的，30分钟后提醒您吃药。")
	want(t, st.Intent("CancelTimer", label("吃药")), "吃药提醒已取消。")
}

// What is no name sets no timer, and what names nobody is no name.
func TestNames(t *testing.T) {
	for _, test := range []struct{ lang, name, said string }{
		{"en", "Islay", "Your Islay timer is set for 5 minutes."},
		{"en", "don't set a", "Sorry, I didn't get that. Say, for example, set a timer for 5 minutes."},
		{"en", "Cancel", "Sorry, I didn't get that. Say, for example, set a timer for 5 minutes."},
		{"en", "on the pizza", "Sorry, I didn't get that. Say, for example, set a timer for 5 minutes."},
		{"en", " me ", "Timer set for 5 minutes."},
		{"zh-CN", "取消", "抱歉，没听懂。您可以说：设一个5分钟的计时器。"},
		{"zh-CN", "别再", "抱歉，没听懂。您可以说：设一个5分钟的计时器。"},
		{"zh-CN", "我", "好的，5分钟计时器开始了。"},
		{"zh-CN", "我妈的药", "好的，5分钟的我妈的药计时器开始了。"},
	} {
		st := skilltest.New(t, skill()).Lang(test.lang)
		want(t, st.Intent("SetTimer", duration(5*time.Minute), label(test.name)), test.said)
	}
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"egg", "Eggs", true},
		{"soft boiled egg", "soft-boiled eggs", true},
		{"Wash Room", "washroom", true},
		{"煮 面", "煮面", true},
		{"egg", "leg", false},
		{"", "s", false},
	} {
		if got := sameName(test.a, test.b); got != test.same {
			t.Errorf("sameName(%q, %q) = %v", test.a, test.b, got)
		}
	}
}
