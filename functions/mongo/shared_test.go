package mongo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver" //nolint:depguard // the server that this room's tests need is no part of the road
	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// together runs f so many times at once and returns the errors joined.
func together(n int, f func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- f(i) }()
	}
	var all error
	for range n {
		all = errors.Join(all, <-errs)
	}
	return all
}

// twoStores opens two stores on one database, as two routers do.
func twoStores(t *testing.T) [2]*Store {
	t.Helper()
	o := database(t, mongoserver.Start(t))
	o.Owner = "one"
	a := openAt(t, o)
	o.Owner = "two"
	return [2]*Store{a, openAt(t, o)}
}

// count adds one to a state of so many writers, and again until nobody was
// quicker. A store that is away is asked again.
func count(ctx context.Context, s *Store, c *assistant.Commit) error {
	for {
		st, err := s.State(ctx, c.State.Key)
		if err == nil {
			n := 0
			if len(st.Value) > 0 {
				if n, err = strconv.Atoi(string(st.Value)); err != nil {
					return err
				}
			}
			c.State.Base, c.State.Value = st.Revision, json.RawMessage(strconv.Itoa(n+1))
			err = s.Commit(ctx, c)
		}
		switch {
		case err == nil, errors.Is(err, assistant.ErrDuplicate):
			return nil
		case !errors.Is(err, assistant.ErrConflict) && !errors.Is(err, assistant.ErrStoreAway):
			return err
		}
	}
}

func TestTwoStoresCount(t *testing.T) {
	const writers, each = 32, 5
	stores := twoStores(t)
	err := together(writers, func(w int) error {
		for n := range each {
			c := &assistant.Commit{Turn: aTurn(fmt.Sprintf("w%d-%d", w, n)), State: &assistant.StateChange{Key: stateKey}}
			if err := count(t.Context(), stores[w%2], c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stores {
		st, err := s.State(t.Context(), stateKey)
		if err != nil || string(st.Value) != strconv.Itoa(writers*each) || st.Revision != writers*each {
			t.Errorf("%d writers counted to %s in revision %d (%v)", writers, st.Value, st.Revision, err)
		}
		checkClean(t, s)
	}
}

// TestTwoStoresOneTurn has both commit the same turns, of every kind.
func TestTwoStoresOneTurn(t *testing.T) {
	stores := twoStores(t)
	const turns, racers = 10, 8
	var list []assistant.Schedule
	for n := range turns {
		list = append(list, aSchedule("fired"+strconv.Itoa(n), time.Second))
	}
	mustCommit(t, stores[0], &assistant.Commit{Turn: aTurn("set"), Set: list})
	var won [3 * turns]atomic.Int32
	err := together(len(won)*racers, func(i int) error {
		n, s := i/racers, stores[i%2]
		c := &assistant.Commit{
			Turn:     aTurn("t" + strconv.Itoa(n)),
			Messages: []assistant.Message{aMessage(fmt.Sprintf("t%d.%d", n, i))},
		}
		if n%3 > 0 {
			c.State = &assistant.StateChange{
				Key: assistant.StateKey{Home: "home", Skill: "timer", Scope: strconv.Itoa(n)}, Value: json.RawMessage("1"),
			}
		}
		if n%3 > 1 || n%3 == 0 {
			c.Fired = &list[n/3]
			if n%3 > 1 {
				c.Fired = nil
			}
		}
		err := s.Commit(t.Context(), c)
		if err == nil {
			won[n].Add(1)
			return nil
		}
		if errors.Is(err, assistant.ErrDuplicate) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range won {
		if got := won[n].Load(); got != 1 {
			t.Errorf("turn %d was committed %d times", n, got)
		}
	}
	got := look(t, stores[1], "t0")
	if len(got.Owed) != len(won) || got.Calls != int64(len(won)+1) || len(got.Schedules) != 0 {
		t.Errorf("%d messages, %d calls and %d schedules, want %d, %d and none",
			len(got.Owed), got.Calls, len(got.Schedules), len(won), len(won)+1)
	}
	checkClean(t, stores[0])
}

// TestTwoStoresOneSchedule fires each schedule as different turns, and cancels
// it, all at once: exactly one of them finds it.
func TestTwoStoresOneSchedule(t *testing.T) {
	stores := twoStores(t)
	const schedules, racers = 10, 6
	var list []assistant.Schedule
	for n := range schedules {
		list = append(list, aSchedule(strconv.Itoa(n), time.Second))
	}
	mustCommit(t, stores[0], &assistant.Commit{Turn: aTurn("set"), Set: list})
	var won [schedules]atomic.Int32
	err := together(schedules*racers, func(i int) error {
		n := i / racers
		c := &assistant.Commit{Turn: aTurn("t" + strconv.Itoa(i)), Fired: &list[n]}
		if i%3 == 0 {
			c.State = &assistant.StateChange{
				Key: assistant.StateKey{Home: "home", Skill: "timer", Scope: c.Turn.ID}, Value: json.RawMessage("1"),
			}
		}
		err := stores[i%2].Commit(t.Context(), c)
		if err == nil {
			won[n].Add(1)
		} else if !errors.Is(err, assistant.ErrGone) {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range won {
		if got := won[n].Load(); got != 1 {
			t.Errorf("schedule %d was fired %d times", n, got)
		}
	}
	checkClean(t, stores[0])
}

func TestTwoStoresClaim(t *testing.T) {
	const claimers, schedules = 16, 120
	stores := twoStores(t)
	var list []assistant.Schedule
	for n := range schedules {
		list = append(list, aSchedule(strconv.Itoa(n), time.Duration(n)*time.Millisecond))
	}
	mustCommit(t, stores[0], &assistant.Commit{Turn: aTurn("set"), Set: list})
	var mu sync.Mutex
	times := make(map[string]int)
	err := together(claimers, func(i int) error {
		for {
			got, err := stores[i%2].ClaimDue(t.Context(), day.Add(time.Minute), strconv.Itoa(i), time.Minute, 3)
			if err != nil || len(got) == 0 {
				return err
			}
			mu.Lock()
			for _, sc := range got {
				times[sc.ID]++
			}
			mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("schedule %s was claimed %d times", id, n)
		}
	}
	if len(times) != schedules {
		t.Errorf("%d of %d schedules were claimed", len(times), schedules)
	}
}

// TestServerKilled kills the server several times while many commit. What was
// acknowledged is there, once, and so is what was tried again.
func TestServerKilled(t *testing.T) {
	const writers, rounds, between = 8, 3, 60
	server := mongoserver.Launch(t, filepath.Join(t.TempDir(), "db"))
	s := openAt(t, Options{URI: server.URI(), Database: "hark", Owner: "test"})
	var acked [writers]atomic.Int64
	var total atomic.Int64
	stop, progress := make(chan struct{}), make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- together(writers, func(w int) error {
			for n := int64(0); ; n++ {
				select {
				case <-stop:
					return nil
				default:
				}
				id := fmt.Sprintf("w%d-%d", w, n)
				err := count(t.Context(), s, &assistant.Commit{
					Turn:     aTurn(id),
					State:    &assistant.StateChange{Key: assistant.StateKey{Home: "home", Skill: "count", Scope: strconv.Itoa(w)}},
					Set:      []assistant.Schedule{aSchedule(id, time.Hour)},
					Messages: []assistant.Message{aMessage(id + ".0")},
				})
				if err != nil {
					return err
				}
				acked[w].Store(n + 1)
				total.Add(1)
				select {
				case progress <- struct{}{}:
				default:
				}
			}
		})
	}()
	for round := range rounds {
		for goal := total.Load() + between; total.Load() < goal; {
			select {
			case <-progress:
			case err := <-done:
				t.Fatalf("the writers ended: %v", err)
			case <-time.After(time.Minute):
				t.Fatalf("round %d: nothing is committed any more", round)
			}
		}
		server.Kill()
		server.Restart()
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		st, err := s.State(t.Context(), assistant.StateKey{Home: "home", Skill: "count", Scope: strconv.Itoa(w)})
		if n := acked[w].Load(); err != nil || string(st.Value) != strconv.FormatInt(n, 10) {
			t.Errorf("writer %d: %d commits were acknowledged, the state has %s (%v)", w, n, st.Value, err)
		}
	}
	if err := s.look(t.Context(), map[string]sighting{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	checkClean(t, s)
	want := int(total.Load())
	for _, c := range []struct {
		what, coll string
		filter     bson.D
	}{
		{"turns", collTurns, bson.D{isCommitted()}},
		{"messages", collTurns, bson.D{{Key: "owed.id", Value: exists(true)}}},
		{"schedules", collSchedules, bson.D{isSet("due")}},
	} {
		n, err := s.db.Collection(c.coll).CountDocuments(t.Context(), c.filter)
		if err != nil || int(n) != want {
			t.Errorf("%d %s of %d commits (%v)", n, c.what, want, err)
		}
	}
	t.Logf("%d commits over %d deaths of the server", want, rounds)
}
