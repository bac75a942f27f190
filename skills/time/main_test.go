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
		{"Weekday", 3, noon, "March 3 is a Tuesday.", "3月3号是星期二。"},
		{"Date", 0, noon, "Today is Saturday, February 28.", "今天是2月28号，星期六。"},
		{"Date", 1, noon, "Tomorrow is Sunday, March 1.", "明天是3月1号，星期日。"},
		{"Date", 5, noon, "That will be Thursday, March 5.", "那天是3月5号，星期四。"},
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
