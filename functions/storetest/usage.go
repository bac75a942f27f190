//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func testUsage(t *testing.T, s Store) {
	call := func(id, skill, version string, o assistant.Outcome, cold bool, ms, mib int64) assistant.Invocation {
		return assistant.Invocation{
			ID: id, Skill: skill, Version: version, Outcome: o, Cold: cold,
			Wall: time.Duration(ms) * time.Millisecond, CPU: time.Duration(ms) * 1001, MemoryMiB: mib, MicroCU: ms * 7,
		}
	}
	commit(t, s, &assistant.Commit{Turn: turn("t0", "alpha", 0, call("t0.0", "clock", "1", assistant.OutcomeOK, true, 10, 64))})
	commit(t, s, &assistant.Commit{Turn: turn("t1", "alpha", time.Second, // two calls of one id: it was repeated
		call("t1.0", "clock", "2", assistant.OutcomeFailed, false, 20, 64),
		call("t1.0", "clock", "2", assistant.OutcomeOK, false, 30, 128))})
	commit(t, s, &assistant.Commit{Turn: turn("t2", "beta", 2*time.Second, call("t2.0", "timer", "1", assistant.OutcomeTimeout, false, 40, 32))})
	commit(t, s, &assistant.Commit{Turn: turn("t3", "beta", 2*time.Second)}) // nothing was called
	commit(t, s, &assistant.Commit{Turn: turn("t4", "beta", 3*time.Second, call("t4.0", "timer", "1", assistant.OutcomeInvalid, true, 50, 32))})

	row := func(skill, version, home string, n, errs, cold, ms, mibMillis int64) assistant.UsageRow {
		return assistant.UsageRow{
			Skill: skill, Version: version, Home: home, Invocations: n, Errors: errs, ColdStarts: cold,
			Wall: time.Duration(ms) * time.Millisecond, CPU: time.Duration(ms) * 1001, MiBMillis: mibMillis, MicroCU: ms * 7,
		}
	}
	for _, c := range []struct {
		name string
		q    assistant.UsageQuery
		want []assistant.UsageRow
	}{
		{"by skill", assistant.UsageQuery{By: assistant.UsageBySkill}, []assistant.UsageRow{
			row("clock", "", "", 3, 1, 1, 60, 640+1280+3840), row("timer", "", "", 2, 2, 1, 90, 1280+1600),
		}},
		{"by version", assistant.UsageQuery{By: assistant.UsageByVersion}, []assistant.UsageRow{
			row("clock", "1", "", 1, 0, 1, 10, 640), row("clock", "2", "", 2, 1, 0, 50, 1280+3840),
			row("timer", "1", "", 2, 2, 1, 90, 1280+1600),
		}},
		{"by home", assistant.UsageQuery{By: assistant.UsageByHome}, []assistant.UsageRow{
			row("", "", "alpha", 3, 1, 1, 60, 640+1280+3840), row("", "", "beta", 2, 2, 1, 90, 1280+1600),
		}},
		{"from, inclusive", assistant.UsageQuery{By: assistant.UsageByHome, From: at(2 * time.Second)}, []assistant.UsageRow{
			row("", "", "beta", 2, 2, 1, 90, 1280+1600),
		}},
		{"to, exclusive", assistant.UsageQuery{By: assistant.UsageByHome, To: at(time.Second)}, []assistant.UsageRow{
			row("", "", "alpha", 1, 0, 1, 10, 640),
		}},
		{
			"from and to",
			assistant.UsageQuery{By: assistant.UsageBySkill, From: at(time.Second), To: at(3 * time.Second)},
			[]assistant.UsageRow{row("clock", "", "", 2, 1, 0, 50, 1280+3840), row("timer", "", "", 1, 1, 0, 40, 1280)},
		},
		{"nothing", assistant.UsageQuery{By: assistant.UsageBySkill, From: at(time.Hour)}, nil},
	} {
		got := must[[]assistant.UsageRow](t)(s.Usage(t.Context(), c.q))
		if len(got) == 0 && len(c.want) == 0 {
			continue
		}
		wantSame(t, c.name, got, c.want)
	}
	if _, err := s.Usage(t.Context(), assistant.UsageQuery{By: "weather"}); err == nil {
		t.Error("usage by weather")
	}
}

// testUsageIsExact counts what many commit at once, while others look.
func testUsageIsExact(t *testing.T, s Store) {
	const writers, each = 16, 20
	err := together(t.Context(), writers, func(ctx context.Context, w int) error {
		for n := range each {
			id := fmt.Sprintf("t%d-%d", w, n)
			err := s.Commit(ctx, &assistant.Commit{Turn: turn(id, "home", 0, assistant.Invocation{
				ID: id + ".0", Skill: fmt.Sprintf("skill%02d", w), Version: "1", Outcome: assistant.OutcomeOK, MicroCU: 3,
			})})
			if err != nil {
				return err
			}
			rows, err := s.Usage(ctx, assistant.UsageQuery{By: assistant.UsageBySkill})
			if err != nil {
				return err
			}
			if got := invocationsOf(rows, fmt.Sprintf("skill%02d", w)); got != int64(n+1) {
				return fmt.Errorf("after %d commits usage counts %d", n+1, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "sum", must[[]assistant.UsageRow](t)(s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageByHome})),
		[]assistant.UsageRow{{Home: "home", Invocations: writers * each, MicroCU: 3 * writers * each}})
}

func invocationsOf(rows []assistant.UsageRow, skill string) int64 {
	for _, r := range rows {
		if r.Skill == skill {
			return r.Invocations
		}
	}
	return 0
}
