package usage_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/usage"
)

func defaults(tb testing.TB) *usage.PriceList {
	tb.Helper()
	l, err := usage.DefaultPrices()
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestPrice(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		wall, cpu time.Duration
		mem       int64
		want      int64
	}{
		"nothing but the call": {0, 0, 0, 7_500},
		"a second of each":     {time.Second, time.Second, 1024, 7_500 + 1_000_000 + 150_000},
		"a small call":         {time.Millisecond, 200 * time.Microsecond, 128, 7_500 + 200 + 19}, // 18.75
		"a micro-CU of cpu":    {0, time.Microsecond, 0, 7_501},
		"rounded":              {0, 499 * time.Nanosecond, 0, 7_500},
		"negative":             {-time.Second, -time.Second, -1, 7_500},
	} {
		if got := defaults(t).Price(at, c.wall, c.cpu, c.mem); got != c.want {
			t.Errorf("%s: got %d micro-CU, want %d", name, got, c.want)
		}
	}
	if got := defaults(t).Price(at, math.MaxInt64, math.MaxInt64, math.MaxInt64); got < math.MaxInt64/10 {
		t.Errorf("the largest call costs %d: it overflowed", got)
	}
}

func TestAnOldBillDoesNotChange(t *testing.T) {
	before, err := usage.ParsePrices([]byte(`{"prices":[{"from":"2026-01-01","micro_cu_per_invocation":10}]}`))
	if err != nil {
		t.Fatal(err)
	}
	after, err := usage.ParsePrices([]byte(`{"prices":[{"from":"2026-01-01","micro_cu_per_invocation":10},{"from":"2026-07-01","micro_cu_per_invocation":99}]}`))
	if err != nil {
		t.Fatal(err)
	}
	change := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at               time.Time
		then, thereafter int64
	}{
		{time.Time{}, 10, 10},
		{change.Add(-time.Nanosecond), 10, 10},
		{change, 10, 99},
		{change.AddDate(1, 0, 0), 10, 99},
	} {
		if got := before.Price(c.at, time.Second, time.Second, 128); got != c.then {
			t.Errorf("%v, old list: %d, want %d", c.at, got, c.then)
		}
		if got := after.Price(c.at, time.Second, time.Second, 128); got != c.thereafter {
			t.Errorf("%v, new list: %d, want %d", c.at, got, c.thereafter)
		}
	}
}

func TestPriceFileErrors(t *testing.T) {
	for file, want := range map[string]string{
		``:                             "EOF",
		`{}`:                           "no price",
		`{"prices":[]} {}`:             "more after",
		`{"prices":[{"form":"x"}]}`:    "unknown field",
		`{"prices":[{"from":"1.2."}]}`: "YYYY-MM-DD",
		`{"prices":[{"from":"2026-01-01"},{"from":"2026-01-01"}]}`:                "not after",
		`{"prices":[{"from":"2026-01-01","micro_cu_per_gb_second":-1}]}`:          "out of range",
		`{"prices":[{"from":"2026-01-01","micro_cu_per_cpu_second":0.5}]}`:        "cannot unmarshal",
		`{"prices":[{"from":"2026-01-01","micro_cu_per_cpu_second":5000000000}]}`: "out of range",
	} {
		if _, err := usage.ParsePrices([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
}

func FuzzParsePrices(f *testing.F) {
	f.Add([]byte(`{"prices":[{"from":"2026-01-01","micro_cu_per_invocation":1}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		l, err := usage.ParsePrices(file)
		if err != nil {
			return
		}
		if got := l.Price(time.Unix(0, 0), time.Hour, time.Hour, 1<<20); got < 0 {
			t.Errorf("a negative price: %d", got)
		}
	})
}

func TestRow(t *testing.T) {
	raw, err := json.Marshal(usage.NewRows([]assistant.UsageRow{{
		Skill: "timer", Invocations: 3, Errors: 1, ColdStarts: 2, Wall: 1500 * time.Millisecond,
		CPU: 1_234_567 * time.Nanosecond, MiBMillis: 1_024_000, MicroCU: 1_250_000,
	}}))
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"skill":"timer","invocations":3,"errors":1,"cold_starts":2,"wall_ms":1500,"cpu_ms":1.235,"gb_s":1,"cu":1.25}]`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
	if raw, _ := json.Marshal(usage.NewRows(nil)); string(raw) != "[]" {
		t.Errorf("no rows: %s", raw)
	}
}
