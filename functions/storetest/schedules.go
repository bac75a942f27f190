//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func testClaimDue(t *testing.T, s Store) {
	const lease = time.Minute
	want := schedule("home", "b", 2*time.Second)
	set(t, s, "set", schedule("home", "0", 3*time.Second), want, schedule("other", "a", time.Second),
		schedule("home", "z", time.Hour))
	claim := func(what string, now time.Time, owner string, limit int, want ...string) {
		t.Helper()
		got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), now, owner, lease, limit))
		wantSame(t, what, scheduleIDs(got), append([]string{}, want...))
	}
	claim("nothing is due", at(time.Second-time.Millisecond), "one", 10)
	claim("due at this millisecond", at(time.Second), "one", 10, "other/a")
	claim("it is leased", at(2*time.Second-time.Millisecond), "one", 10)
	claim("at most the limit, earliest first", at(5*time.Second), "two", 1, "home/b")
	claim("the rest", at(5*time.Second), "one", 10, "home/0")
	claim("no limit, nothing", at(lease*2), "one", 0)
	claim("a lease that has not ended", at(time.Second+lease-time.Millisecond), "two", 10)
	claim("a lease that ends now", at(time.Second+lease), "two", 10, "other/a")
	claim("all leases have ended", at(10*time.Minute), "three", 10, "other/a", "home/b", "home/0")
	claim("and were given anew", at(10*time.Minute), "one", 10)

	got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(20*time.Minute), "one", lease, 2))
	if len(got) != 2 {
		t.Fatalf("claimed %v", scheduleIDs(got))
	}
	wantSame(t, "as it was set", got[1], want)
	// A lease is no lock: what is fired is gone, whoever holds it.
	commit(t, s, &assistant.Commit{Turn: turn("fired", "home", 0), Fired: &got[1]})
	claim("fired is gone", at(30*time.Minute), "one", 10, "other/a", "home/0")
}

// testClaimOnce has many claimers empty one queue: each schedule is theirs once.
func testClaimOnce(t *testing.T, s Store) {
	const claimers, schedules = 16, 200
	var list []assistant.Schedule
	for i := range schedules {
		list = append(list, schedule("home", fmt.Sprintf("s%03d", i), time.Duration(i)*time.Millisecond))
	}
	set(t, s, "set", list...)
	var mu sync.Mutex
	owners := make(map[string]string)
	err := together(t.Context(), claimers, func(ctx context.Context, i int) error {
		owner := fmt.Sprintf("owner%d", i)
		for {
			got, err := s.ClaimDue(ctx, at(time.Minute), owner, time.Minute, 3)
			if err != nil || len(got) == 0 {
				return err
			}
			mu.Lock()
			for _, sc := range got {
				if first := owners[sc.ID]; first != "" {
					err = fmt.Errorf("schedule %s was claimed by %s and by %s", sc.ID, first, owner)
				}
				owners[sc.ID] = owner
			}
			mu.Unlock()
			if err != nil {
				return err
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(owners) != schedules {
		t.Errorf("%d of %d schedules were claimed", len(owners), schedules)
	}
}

func testNextDue(t *testing.T, s Store) {
	_, err := s.NextDue(t.Context())
	wantErr(t, "no schedules", err, assistant.ErrNotFound)
	next := func(what string, want time.Time) {
		t.Helper()
		if got := must[time.Time](t)(s.NextDue(t.Context())); !got.Equal(want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	set(t, s, "set", schedule("home", "b", 2*time.Second), schedule("home", "a", time.Second))
	next("the earliest", at(time.Second))
	if got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(time.Second), "one", time.Minute, 1)); len(got) != 1 {
		t.Fatalf("claimed %v", scheduleIDs(got))
	}
	next("the one that is not leased", at(2*time.Second))
	if got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(2*time.Second), "one", time.Hour, 1)); len(got) != 1 {
		t.Fatalf("claimed %v", scheduleIDs(got))
	}
	next("the lease that ends first", at(time.Second+time.Minute))
}

func testReleaseClaims(t *testing.T, s Store) {
	set(t, s, "set", schedule("home", "a", 0), schedule("home", "b", 0))
	for _, owner := range []string{"one", "two"} {
		if got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(0), owner, time.Hour, 1)); len(got) != 1 {
			t.Fatalf("%s claimed %v", owner, scheduleIDs(got))
		}
	}
	if err := s.ReleaseClaims(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(0), "one", time.Hour, 10))
	wantSame(t, "the claims of the other owner stand", scheduleIDs(got), []string{"home/a"})
	if err := s.ReleaseClaims(t.Context(), "nobody"); err != nil {
		t.Errorf("an owner without claims: %v", err)
	}
}

func testClaimExcept(t *testing.T, s Store) {
	other := schedule("home", "b", time.Second)
	other.Skill = "noisy"
	set(t, s, "set", schedule("home", "a", 2*time.Second), other)
	if next := must[time.Time](t)(s.NextDue(t.Context(), "noisy")); !next.Equal(at(2 * time.Second)) {
		t.Errorf("next due without the noisy skill: %v", next)
	}
	got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(time.Minute), "one", time.Hour, 10, "noisy"))
	wantSame(t, "claimed without the noisy skill", scheduleIDs(got), []string{"home/a"})
	got = must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(time.Minute), "one", time.Hour, 10))
	wantSame(t, "claimed with it", scheduleIDs(got), []string{"home/b"})
}

func testMaxSchedules(t *testing.T, s Store) {
	list := make([]assistant.Schedule, assistant.MaxSchedules)
	for i := range list {
		list[i] = schedule("home", fmt.Sprint("s", i), time.Duration(i)*time.Second)
	}
	set(t, s, "full", list...)
	more := schedule("home", "more", 0)
	wantErr(t, "one more", s.Commit(t.Context(), &assistant.Commit{Turn: turn("more", "home", 0), Set: []assistant.Schedule{more}}), assistant.ErrTooMany)
	set(t, s, "again", list[0])
	commit(t, s, &assistant.Commit{Turn: turn("fired", "home", 0), Fired: &list[1], Set: []assistant.Schedule{more}})
	commit(t, s, &assistant.Commit{
		Turn: turn("instead", "home", 0), Cancel: []assistant.ScheduleKey{list[2].ScheduleKey}, Set: []assistant.Schedule{schedule("home", "instead", 0)},
	})
	set(t, s, "elsewhere", schedule("other", "more", 0))
	if n := len(must[[]assistant.Schedule](t)(s.Schedules(t.Context(), "home"))); n != assistant.MaxSchedules {
		t.Errorf("%d schedules", n)
	}
}

func testSetSchedule(t *testing.T, s Store) {
	first := schedule("home", "a", time.Second)
	set(t, s, "set1", first, schedule("other", "a", time.Hour))
	if got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(time.Second), "one", time.Hour, 10)); len(got) != 1 {
		t.Fatalf("claimed %v", scheduleIDs(got))
	}
	second := first
	second.Due, second.Kind, second.Payload = at(2*time.Second), "alarm", nil
	set(t, s, "set2", second)
	wantSame(t, "the second replaces the first", must[[]assistant.Schedule](t)(s.Schedules(t.Context(), "home")),
		[]assistant.Schedule{second})
	wantSame(t, "the lease of the first is over",
		must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(2*time.Second), "two", time.Hour, 10)),
		[]assistant.Schedule{second})
	wantErr(t, "the first fires", s.Commit(t.Context(), &assistant.Commit{Turn: turn("f1", "home", 0), Fired: &first}),
		assistant.ErrGone)
}

func testSchedules(t *testing.T, s Store) {
	set(t, s, "set", schedule("home", "late", time.Hour), schedule("other", "middle", time.Minute), schedule("home", "early", 0))
	list := func(home string) []string {
		t.Helper()
		return scheduleIDs(must[[]assistant.Schedule](t)(s.Schedules(t.Context(), home)))
	}
	wantSame(t, "of a home", list("home"), []string{"home/early", "home/late"})
	wantSame(t, "of all homes", list(""), []string{"home/early", "other/middle", "home/late"})
	wantSame(t, "of an unknown home", list("nowhere"), []string{})
}
