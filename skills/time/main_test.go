package main

import (
	"testing"
	"time"

	"github.com/hark-voice/hark/skills/skilltest"
)

func TestAnswers(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 2, 28, 15, 5, 0, 0, shanghai) // a Saturday
	for _, test := range []struct {
		intent string
		day    float64
		at     time.Time
		en, zh string
	}{
		{"Time", 0, noon, "It's 3:05 PM.", "现在是下午3点05分。"},
		{"Time", 0, noon.Add(25 * time.Minute), "It's 3:30 PM.", "现在是下午3点半。"},
		{"Time", 0, noon.Add(-15*time.Hour - 5*time.Minute), "It's 12:00 AM.", "现在是凌晨0点整。"},
		{"Time", 0, noon.Add(-3*time.Hour - 4*time.Minute), "It's 12:01 PM.", "现在是中午12点01分。"},
		{"Weekday", 0, noon, "It's Saturday.", "今天是星期六。"},
		{"Weekday", 1, noon, "Tomorrow is Sunday.", "明天是星期日。"},
		{"Weekday", 2, noon, "The day after tomorrow is Monday.", "后天是星期一。"},
		{"Weekday", -1, noon, "Yesterday was Friday.", "昨天是星期五。"},
		{"Weekday", -2, noon, "The day before yesterday was Thursday.", "前天是星期四。"},
		{"Weekday", 3, noon, "March 3 is a Tuesday.", "大后天是星期二。"},
		{"Weekday", 5, noon, "March 5 is a Thursday.", "3月5号是星期四。"},
		{"Weekday", -9, noon, "February 19 was a Thursday.", "2月19号是星期四。"},
		{"Date", 0, noon, "Today is Saturday, February 28.", "今天是2月28号，星期六。"},
		{"Date", 1, noon, "Tomorrow is Sunday, March 1.", "明天是3月1号，星期日。"},
		{"Date", 5, noon, "That will be Thursday, March 5.", "那天是3月5号，星期四。"},
		{"Date", -5, noon, "That was Monday, February 23.", "那天是2月23号，星期一。"},
		{"Month", 0, noon, "It's February.", "现在是2月。"},
		{"Year", 0, noon, "It's 2026.", "今年是2026年。"},
	} {
		st := skilltest.New(t, skill()).At(test.at)
		day := skilltest.Slot("day", test.day)
		if got := st.Lang("en-GB").Intent(test.intent, day).Speech; got != test.en {
			t.Errorf("%s, day %v: %q, want %q", test.intent, test.day, got, test.en)
		}
		if got := st.Lang("zh-CN").Intent(test.intent, day).Speech; got != test.zh {
			t.Errorf("%s, day %v: %q, want %q", test.intent, test.day, got, test.zh)
		}
	}
}

// Without a slot, and across a change to summer time, days are days of the calendar.
func TestTodayIsTheDefault(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	st := skilltest.New(t, skill()).At(time.Date(2026, 3, 28, 23, 30, 0, 0, berlin))
	if got, want := st.Intent("Weekday").Speech, "It's Saturday."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := st.Intent("Weekday", skilltest.Slot("day", 1)).Speech, "Tomorrow is Sunday."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What lies some time from now: days of the calendar, or hours of the clock.
func TestSpans(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// A Friday night; summer time begins on Sunday.
	st := skilltest.New(t, skill()).At(time.Date(2026, 3, 27, 23, 30, 0, 0, berlin))
	const hour, day = time.Hour, 24 * time.Hour
	for _, test := range []struct {
		intent, slot string
		span         time.Duration
		en, zh       string
	}{
		{"Weekday", "in", day, "Tomorrow is Saturday.", "明天是星期六。"},
		{"Weekday", "in", 3 * day, "March 30 is a Monday.", "大后天是星期一。"},
		{"Weekday", "in", hour, "Tomorrow is Saturday.", "明天是星期六。"},
		{"Date", "in", 14 * day, "That will be Friday, April 10.", "那天是4月10号，星期五。"},
		{"Date", "ago", 3 * day, "That was Tuesday, March 24.", "大前天是3月24号，星期二。"},
		{"Time", "in", 3 * hour, "That will be 2:30 AM.", "到时是凌晨2点半。"},
		{"Time", "in", 36 * hour, "That will be 12:30 PM.", "到时是中午12点半。"},
		{"Time", "ago", hour, "That was 10:30 PM.", "那时是晚上10点半。"},
	} {
		span := skilltest.Slot(test.slot, test.span)
		if got := st.Lang("en").Intent(test.intent, span).Speech; got != test.en {
			t.Errorf("%s %s %v: %q, want %q", test.intent, test.slot, test.span, got, test.en)
		}
		if got := st.Lang("zh-CN").Intent(test.intent, span).Speech; got != test.zh {
			t.Errorf("%s %s %v: %q, want %q", test.intent, test.slot, test.span, got, test.zh)
		}
	}
}

func TestIsWeekday(t *testing.T) {
	st := skilltest.New(t, skill()).At(time.Date(2026, 2, 28, 15, 5, 0, 0, time.UTC)) // a Saturday
	for _, test := range []struct {
		slots  []skilltest.SlotValue
		en, zh string
	}{
		{[]skilltest.SlotValue{skilltest.Slot("weekday", 6)}, "Yes, it's Saturday.", "是的，今天是星期六。"},
		{[]skilltest.SlotValue{skilltest.Slot("weekday", 1)}, "No, it's Saturday.", "不是，今天是星期六。"},
		{[]skilltest.SlotValue{skilltest.Slot("weekday", 0), skilltest.Slot("day", 1)}, "Yes, tomorrow is Sunday.", "是的，明天是星期日。"},
		{[]skilltest.SlotValue{skilltest.Slot("weekend", true)}, "Yes, it's Saturday.", "是的，今天是星期六。"},
		{[]skilltest.SlotValue{skilltest.Slot("weekend", true), skilltest.Slot("day", 2)}, "No, March 2 is a Monday.", "不是，后天是星期一。"},
		{nil, "No, it's Saturday.", "不是，今天是星期六。"},
	} {
		if got := st.Lang("en").Intent("IsWeekday", test.slots...).Speech; got != test.en {
			t.Errorf("%v: %q, want %q", test.slots, got, test.en)
		}
		if got := st.Lang("zh-CN").Intent("IsWeekday", test.slots...).Speech; got != test.zh {
			t.Errorf("%v: %q, want %q", test.slots, got, test.zh)
		}
	}
}
