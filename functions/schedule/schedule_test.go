package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/schedule"
	"github.com/hark-voice/hark/functions/sqlite"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

func start() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "hark.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func set(t *testing.T, store *sqlite.Store, id string, due time.Time) {
	t.Helper()
	s := assistant.Schedule{ScheduleKey: assistant.ScheduleKey{Home: "demo", Skill: "timer", ID: id}, Due: due}
	c := &assistant.Commit{Turn: &assistant.Turn{ID: "set-" + id, Home: "demo", Received: due}, Set: []assistant.Schedule{s}}
	if err := store.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// road commits firings as the router does, and tells of those that it made.
type road struct {
	store *sqlite.Store
	fired chan string
}

func newRoad(store *sqlite.Store) *road { return &road{store, make(chan string, 1000)} }

func (r *road) Fire(ctx context.Context, s *assistant.Schedule) (*assistant.Turn, error) {
	turn := &assistant.Turn{ID: assistant.FiringTurnID(s), Kind: assistant.KindSchedule, Home: s.Home, Received: s.Due}
	if err := r.store.Commit(ctx, &assistant.Commit{Turn: turn, Fired: s}); err != nil {
		return nil, err
	}
	r.fired <- s.ID
	return turn, nil
}

func (r *road) next(t *testing.T) string {
	t.Helper()
	select {
	case id := <-r.fired:
		return id
	case <-time.After(patience):
		t.Fatal("nothing fired")
		return ""
	}
}

// fireFunc is a road that is a function.
type fireFunc func(ctx context.Context, s *assistant.Schedule) (*assistant.Turn, error)

func (f fireFunc) Fire(ctx context.Context, s *assistant.Schedule) (*assistant.Turn, error) {
	return f(ctx, s)
}

// run runs a Firer and returns how to stop it; the test fails if it does not stop.
func run(t *testing.T, o schedule.Options) (*schedule.Firer, func()) {
	t.Helper()
	if o.Owner == "" {
		o.Owner = "this"
	}
	f, err := schedule.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return f, stop
}

// waits is a clock that tells when somebody waits for it.
type waits struct {
	*assistant.ManualClock

	until chan time.Time
}

func newClock() *waits {
	return &waits{assistant.NewManualClock(start()), make(chan time.Time, 1000)}
}

func (c *waits) After(t time.Time) (<-chan time.Time, func()) {
	ch, stop := c.ManualClock.After(t)
	c.until <- t
	return ch, stop
}

func (c *waits) awaited(t *testing.T) time.Time {
	t.Helper()
	select {
	case until := <-c.until:
		return until
	case <-time.After(patience):
		t.Fatal("nobody waits for the clock")
		return time.Time{}
	}
}

func TestWhatIsDueFiresOnceAndInTime(t *testing.T) {
	store, clock := newStore(t), newClock()
	r := newRoad(store)
	set(t, store, "late", start().Add(-time.Hour))
	set(t, store, "now", start())
	set(t, store, "later", start().Add(time.Minute))
	run(t, schedule.Options{Store: store, Road: r, Clock: clock})

	if got := map[string]bool{r.next(t): true, r.next(t): true}; !got["late"] || !got["now"] {
		t.Errorf("fired %v", got)
	}
	for until := clock.awaited(t); !until.Equal(start().Add(time.Minute)); until = clock.awaited(t) {
	}
	clock.Advance(59 * time.Second)
	if len(r.fired) != 0 {
		t.Errorf("%s fired too early", <-r.fired)
	}
	clock.Advance(time.Second)
	if got := r.next(t); got != "later" {
		t.Errorf("%s fired", got)
	}
	if left, err := store.Schedules(t.Context(), ""); err != nil || len(left) != 0 {
		t.Errorf("left over: %+v, %v", left, err)
	}
}

func TestOnlyOneOfManyFires(t *testing.T) {
	store, clock := newStore(t), newClock()
	r := newRoad(store)
	const n = 100 // more than are fired at once
	for i := range n {
		set(t, store, fmt.Sprint(i), start())
	}
	var stops []func()
	for i := range 4 {
		_, stop := run(t, schedule.Options{Store: store, Road: r, Clock: clock, Owner: fmt.Sprint("router", i)})
		stops = append(stops, stop)
	}
	seen := make(map[string]int)
	for range n {
		seen[r.next(t)]++
	}
	for _, stop := range stops {
		stop()
	}
	if len(seen) != n || len(r.fired) != 0 {
		t.Errorf("%d of %d fired, %d more than once", len(seen), n, len(r.fired))
	}
}

// A schedule that is set is due before what was waited for.
func TestAPokeShortensTheWait(t *testing.T) {
	for name, first := range map[string]time.Duration{"nothing was set": 0, "another was set": time.Hour} {
		t.Run(name, func(t *testing.T) {
			store, clock := newStore(t), newClock()
			watched := &watched{store, make(chan struct{}, 1000)}
			r := newRoad(store)
			if first > 0 {
				set(t, store, "first", start().Add(first))
			}
			f, _ := run(t, schedule.Options{Store: watched, Road: r, Clock: clock})
			<-watched.looked // and found nothing, or the first
			set(t, store, "second", start().Add(time.Second))
			clock.Advance(2 * time.Second)
			for range 3 {
				f.Poke() // never blocks
			}
			if got := r.next(t); got != "second" {
				t.Errorf("%s fired", got)
			}
		})
	}
}

// watched is a store that tells when somebody has looked for what is due next.
type watched struct {
	*sqlite.Store

	looked chan struct{}
}

func (w *watched) NextDue(ctx context.Context, except ...string) (time.Time, error) {
	next, err := w.Store.NextDue(ctx, except...)
	w.looked <- struct{}{}
	return next, err
}

// faulty is a store whose operations may fail.
type faulty struct {
	*sqlite.Store

	release, claim, next func() error
}

func (f *faulty) ReleaseClaims(ctx context.Context, owner string) error {
	if f.release != nil {
		if err := f.release(); err != nil {
			return err
		}
	}
	return f.Store.ReleaseClaims(ctx, owner)
}

func (f *faulty) ClaimDue(ctx context.Context, now time.Time, owner string, lease time.Duration, limit int, except ...string) ([]assistant.Schedule, error) {
	if f.claim != nil {
		if err := f.claim(); err != nil {
			return nil, err
		}
	}
	return f.Store.ClaimDue(ctx, now, owner, lease, limit, except...)
}

func (f *faulty) NextDue(ctx context.Context, except ...string) (time.Time, error) {
	if f.next != nil {
		if err := f.next(); err != nil {
			return time.Time{}, err
		}
	}
	return f.Store.NextDue(ctx, except...)
}

// once fails the first time.
func once() func() error {
	failed := false
	return func() error {
		if failed {
			return nil
		}
		failed = true
		return assistant.ErrStoreAway
	}
}

func TestAStoreThatComesBackIsAskedAgain(t *testing.T) {
	t.Parallel()
	store, clock := newStore(t), newClock()
	r := newRoad(store)
	set(t, store, "now", start())
	run(t, schedule.Options{Store: &faulty{store, once(), once(), once()}, Road: r, Clock: clock})
	if got := r.next(t); got != "now" {
		t.Errorf("%s fired", got)
	}
	set(t, store, "later", start().Add(time.Second))
	clock.Advance(time.Second)
	if got := r.next(t); got != "later" { // by way of a NextDue that failed
		t.Errorf("%s fired", got)
	}
}

func TestAStoreThatIsAwayDoesNotKeepRunFromEnding(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]*faulty{
		"at the start": {release: func() error { return assistant.ErrStoreAway }},
		"later":        {claim: func() error { return assistant.ErrStoreAway }},
		"in the wait":  {next: func() error { return assistant.ErrStoreAway }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store.Store = newStore(t)
			tried := make(chan struct{}, 1000)
			for _, operation := range []*func() error{&store.release, &store.claim, &store.next} {
				if fails := *operation; fails != nil {
					*operation = func() error { tried <- struct{}{}; return fails() }
				}
			}
			_, stop := run(t, schedule.Options{Store: store, Road: newRoad(store.Store), Clock: newClock()})
			<-tried
			stop()
		})
	}
}

// What a killed process had claimed fires at once after its restart, and not
// before the lease ends in another.
func TestALeaseOfAKilledProcessIsReleased(t *testing.T) {
	store, clock := newStore(t), newClock()
	set(t, store, "a", start())
	if claimed, err := store.ClaimDue(t.Context(), start(), "killed", time.Minute, 10); err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
	other := newRoad(store)
	_, stop := run(t, schedule.Options{Store: store, Road: other, Clock: clock, Owner: "other"})
	if until := clock.awaited(t); !until.Equal(start().Add(time.Minute)) {
		t.Errorf("the other waits until %s, the lease ends at %s", until, start().Add(time.Minute))
	}
	stop()
	if len(other.fired) != 0 {
		t.Error("the other fired what it holds no lease on")
	}
	restarted := newRoad(store)
	run(t, schedule.Options{Store: store, Road: restarted, Clock: clock, Owner: "killed"})
	if got := restarted.next(t); got != "a" {
		t.Errorf("%s fired", got)
	}
}

// A firing that failed is tried again when its lease ends, one whose schedule
// was cancelled meanwhile is not.
func TestAFiringThatFailedIsTriedAgain(t *testing.T) {
	store, clock := newStore(t), newClock()
	r := newRoad(store)
	set(t, store, "a", start())
	tries := make(chan int, 10)
	n := 0 // one schedule fires after the other
	run(t, schedule.Options{Store: store, Clock: clock, Road: fireFunc(func(ctx context.Context, s *assistant.Schedule) (*assistant.Turn, error) {
		n++
		tries <- n
		if n == 1 {
			return nil, errors.New("the skill's home is on fire")
		}
		return r.Fire(ctx, s)
	})})
	if first := <-tries; first != 1 {
		t.Fatal(first)
	}
	until := clock.awaited(t)
	if !until.After(start()) {
		t.Errorf("it waits until %s, which is not later", until)
	}
	clock.Advance(until.Sub(start()))
	if got := r.next(t); got != "a" {
		t.Errorf("%s fired", got)
	}
}

// Run returns when what is under way is done.
func TestAStopWaitsForWhatIsUnderWay(t *testing.T) {
	store := newStore(t)
	set(t, store, "slow", start())
	begun, ended := make(chan struct{}), false
	_, stop := run(t, schedule.Options{Store: store, Clock: newClock(), Road: fireFunc(func(ctx context.Context, _ *assistant.Schedule) (*assistant.Turn, error) {
		close(begun)
		<-ctx.Done() // told to stop
		ended = true
		return nil, ctx.Err()
	})})
	<-begun
	stop()
	if !ended {
		t.Error("Run returned before the firing did")
	}
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	if _, err := schedule.New(schedule.Options{Store: newStore(t), Road: newRoad(nil), Clock: newClock()}); err == nil {
		t.Error("a Firer without an owner was made")
	}
}
