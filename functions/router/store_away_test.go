package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/router"
	"github.com/hark-voice/hark/functions/sqlite"
)

// faulty is the real store with a fault in front of it: before is asked at each
// operation, by its name, and its error is what the router gets.
type faulty struct {
	*sqlite.Store

	before func(operation string) error
}

func (f *faulty) FindTurn(ctx context.Context, ids ...string) (*assistant.Turn, error) {
	if err := f.before("find"); err != nil {
		return nil, err
	}
	return f.Store.FindTurn(ctx, ids...)
}

func (f *faulty) State(ctx context.Context, key assistant.StateKey) (assistant.State, error) {
	if err := f.before("state"); err != nil {
		return assistant.State{}, err
	}
	return f.Store.State(ctx, key)
}

func (f *faulty) Home(ctx context.Context, id string) (assistant.Home, error) {
	if err := f.before("home"); err != nil {
		return assistant.Home{}, err
	}
	return f.Store.Home(ctx, id)
}

func (f *faulty) Commit(ctx context.Context, c *assistant.Commit) error {
	if err := f.before("commit"); err != nil {
		return err
	}
	return f.Store.Commit(ctx, c)
}

// newFaultyRoad is a road whose store has the faults of before.
func newFaultyRoad(t *testing.T, before func(operation string) error) *road {
	t.Helper()
	r := newRoad(t)
	var err error
	store := &faulty{r.store, before}
	r.Router, err = router.New(router.Options{
		Store: store, Homes: homes(t, store, r.clock), Invoker: r, Postman: r.post, Catalog: r.Catalog, Clock: r.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// away is the fault of a store that cannot be reached for the first n times
// that an operation is tried.
func away(operation string, n int) func(string) error {
	return func(tried string) error {
		if tried != operation || n == 0 {
			return nil
		}
		n--
		return fmt.Errorf("%s: %w", operation, assistant.ErrStoreAway)
	}
}

// Whatever the store cannot do, the user hears once that Hark is busy, nothing
// is done, and the turn is durable when the message may be acknowledged: it
// comes again to the same answer.
func TestAStoreThatIsAwayMakesATurnBusyOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(string) error
		calls  int
	}{
		"looking for the turn":  {away("find", 1), 0},
		"looking for the home":  {away("home", 1), 0},
		"reading the state":     {away("state", 1), 0},
		"committing":            {away("commit", 1), 1},
		"committing, for a bit": {away("commit", 3), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRoad(t, c.before)
			turn := r.say(t, "a1", "add one")
			if turn.Reply.Error == nil || turn.Reply.Error.Code != assistant.CodeBusy || turn.Reply.Error.RetryAfterMS <= 0 || turn.Reply.Speech == "" {
				t.Errorf("reply %+v", turn.Reply)
			}
			if len(r.post.sent) != 1 || len(r.post.early)+len(r.post.durable) != 0 {
				t.Errorf("sent %+v, early %+v, owed %+v; want one busy", r.post.sent, r.post.early, r.post.durable)
			}
			stored, err := r.store.FindTurn(t.Context(), turn.ID)
			if err != nil || stored.Reply.Error == nil || stored.Reply.Error.Code != assistant.CodeBusy || len(stored.Invocations) != c.calls {
				t.Fatalf("stored %+v, %v", stored, err)
			}
			r.untouched(t)

			again := r.say(t, "a1", "add one")
			if again.Reply.Error == nil || again.Reply.Error.Code != assistant.CodeBusy || len(r.calls) != c.calls {
				t.Errorf("the redelivery is answered %+v after %d calls", again.Reply, len(r.calls))
			}
			if len(r.post.sent) != 2 || r.post.sent[1].Reply.Speech != turn.Reply.Speech {
				t.Errorf("sent %+v", r.post.sent)
			}
			if next := r.say(t, "a2", "add one"); next.Reply.Speech != "1" {
				t.Errorf("with the store back: %+v", next.Reply)
			}
		})
	}
}

// untouched fails unless the home has neither state, schedules nor messages.
func (r *road) untouched(t *testing.T) {
	t.Helper()
	state, err := r.store.State(t.Context(), assistant.StateKey{Home: "demo", Skill: "count", Scope: "home"})
	if err != nil || state.Revision != 0 {
		t.Errorf("the state is %+v, %v", state, err)
	}
	set, err := r.store.Schedules(t.Context(), "demo")
	if err != nil || len(set) != 0 {
		t.Errorf("scheduled: %+v, %v", set, err)
	}
	owed, err := r.store.Owed(t.Context(), "demo", "speaker", 10)
	if err != nil || len(owed) != 0 {
		t.Errorf("owed: %+v, %v", owed, err)
	}
}

func TestSchedulesOfABusyTurnAreNotSet(t *testing.T) {
	r := newFaultyRoad(t, away("commit", 2))
	r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
		s := schedule(r, call.Now)
		return &assistant.Answer{Speech: "set", State: json.RawMessage("1"), Set: []assistant.Schedule{s}, Says: []assistant.DeviceSay{{Device: "hall"}}}, nil
	}
	if turn := r.say(t, "a1", "add one"); turn.Reply.Error == nil || turn.Reply.Error.Code != assistant.CodeBusy {
		t.Errorf("reply %+v", turn.Reply)
	}
	r.untouched(t)
}

// What was said before the store went away stands.
func TestAnEarlyReplyStandsWhileTheStoreIsAway(t *testing.T) {
	r := newFaultyRoad(t, away("commit", 2))
	turn := r.say(t, "a1", "peek")
	if turn.Reply.Error != nil || turn.Reply.Speech != "0" {
		t.Errorf("reply %+v", turn.Reply)
	}
	if len(r.post.early) != 1 || len(r.post.durable) != 1 || r.post.early[0].ID != r.post.durable[0].ID || len(r.post.sent) != 0 {
		t.Errorf("early %+v, owed %+v, sent %+v", r.post.early, r.post.durable, r.post.sent)
	}
	owed, err := r.store.Owed(t.Context(), "demo", "speaker", 10)
	if err != nil || len(owed) != 1 || owed[0].ID != r.post.early[0].ID {
		t.Errorf("owed %+v, %v", owed, err)
	}
	if stored, err := r.store.FindTurn(t.Context(), turn.ID); err != nil || stored.Reply.Speech != "0" || len(stored.Invocations) != 1 {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

// A write whose answer was lost is found as a duplicate.
func TestACommitThatHappenedAllTheSameIsNotSaidTwice(t *testing.T) {
	r := newRoad(t)
	store := &lostAnswer{Store: r.store}
	var err error
	r.Router, err = router.New(router.Options{Store: store, Homes: r.Homes, Invoker: r, Postman: r.post, Catalog: r.Catalog, Clock: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	turn := r.say(t, "a1", "peek")
	if store.tries != 2 || turn.Reply.Speech != "0" || len(r.post.early) != 1 || len(r.post.durable) != 1 || len(r.post.sent) != 0 {
		t.Errorf("after %d commits: %+v; early %+v, owed %+v, sent %+v", store.tries, turn.Reply, r.post.early, r.post.durable, r.post.sent)
	}
}

// lostAnswer commits the first time, but says that it could not.
type lostAnswer struct {
	*sqlite.Store

	tries int
}

func (s *lostAnswer) Commit(ctx context.Context, c *assistant.Commit) error {
	err := s.Store.Commit(ctx, c)
	if s.tries++; s.tries == 1 {
		return errors.Join(err, assistant.ErrStoreAway)
	}
	return err
}

// Another router was quicker with the same message: its answer is the answer,
// and what this one wanted is not done.
func TestAnotherRouterWasQuicker(t *testing.T) {
	for _, text := range []string{"add one", "what now"} {
		t.Run(text, func(t *testing.T) {
			var r *road
			quicker := false
			r = newFaultyRoad(t, func(operation string) error {
				if operation != "commit" || quicker {
					return nil
				}
				quicker = true
				u := r.utterance("a1", text)
				id, _ := assistant.MessageTurnID(u.Home, u.Device, u.ID, u.Received)
				return r.store.Commit(t.Context(), &assistant.Commit{Turn: &assistant.Turn{
					ID: id, Kind: assistant.KindUtterance, Home: u.Home, Device: u.Device, Message: u.ID, Digest: u.Digest,
					Received: u.Received, Reply: &assistant.Reply{ID: u.ID, Turn: id, Speech: "seven"},
				}})
			})
			turn := r.say(t, "a1", text)
			if turn.Reply.Speech != "seven" || len(r.post.durable) != 0 {
				t.Errorf("reply %+v, owed %+v", turn.Reply, r.post.durable)
			}
			if len(r.post.sent) != 1 || r.post.sent[0].Reply.Speech != "seven" {
				t.Errorf("sent %+v", r.post.sent)
			}
			r.untouched(t)
		})
	}
}

// What Hark was told to stop in the middle of is neither answered nor
// acknowledged, so that its redelivery is answered.
func TestAStopLeavesTheMessageUnacknowledged(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"find", "home", "state", "invoke", "commit"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stopAt := func(operation string) error {
				if operation != at {
					return nil
				}
				cancel()
				return ctx.Err()
			}
			r := newFaultyRoad(t, stopAt)
			r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
				if err := stopAt("invoke"); err != nil {
					return nil, assistant.Errorf(assistant.CodeTimeout, "the call was given up")
				}
				return addOne(call)
			}
			if turn, err := r.Utterance(ctx, r.utterance("a1", "add one")); !errors.Is(err, context.Canceled) {
				t.Errorf("turn %+v, error %v", turn, err)
			}
			if n := len(r.post.sent) + len(r.post.early) + len(r.post.durable); n != 0 {
				t.Errorf("%d messages went out: sent %+v", n, r.post.sent)
			}
			if turns, err := r.store.Turns(t.Context(), 10); err != nil || len(turns) != 0 {
				t.Errorf("turns %+v, %v", turns, err)
			}
			at = "" // started again
			r.invoke = addOne
			if turn := r.say(t, "a1", "add one"); turn.Reply.Speech != "1" {
				t.Errorf("the redelivery is answered %+v", turn.Reply)
			}
		})
	}
}

// Who waits for the store to come back can be stopped too.
func TestAStopEndsTheWaitForTheStore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tries := 0
	r := newFaultyRoad(t, func(operation string) error {
		if operation != "commit" {
			return nil
		}
		if tries++; tries == 2 {
			cancel()
		}
		return assistant.ErrStoreAway
	})
	if turn, err := r.Utterance(ctx, r.utterance("a1", "add one")); !errors.Is(err, context.Canceled) {
		t.Errorf("turn %+v, error %v", turn, err)
	}
	if len(r.post.sent) != 1 || tries != 2 {
		t.Errorf("sent %+v after %d commits", r.post.sent, tries)
	}
}

func TestAFiringThatCannotBeCommittedIsStillDue(t *testing.T) {
	for _, operation := range []string{"home", "state", "commit"} {
		t.Run(operation, func(t *testing.T) {
			r := newFaultyRoad(t, away(operation, 1))
			s := schedule(r, r.clock.Now())
			r.set(t, s)
			if _, err := r.Fire(t.Context(), &s); !errors.Is(err, assistant.ErrStoreAway) {
				t.Errorf("error %v, want ErrStoreAway", err)
			}
			if n := len(r.post.sent) + len(r.post.early) + len(r.post.durable); n != 0 {
				t.Errorf("%d messages went out", n)
			}
			if _, err := r.Fire(t.Context(), &s); err != nil || len(r.post.durable) != 1 {
				t.Errorf("with the store back: %v, said %+v", err, r.post.durable)
			}
		})
	}
}

func TestAFiringThatAnotherRouterWonIsSaidOnce(t *testing.T) {
	r := newRoad(t)
	s := schedule(r, r.clock.Now())
	r.set(t, s)
	first, err := r.Fire(t.Context(), &s)
	if err != nil {
		t.Fatal(err)
	}
	turn, err := r.Fire(t.Context(), &s)
	if err != nil && !errors.Is(err, assistant.ErrGone) || err == nil && turn.ID != first.ID {
		t.Errorf("the second firing: %+v, %v", turn, err)
	}
	if len(r.post.durable) != 1 || len(r.post.sent) != 0 {
		t.Errorf("said %+v, sent %+v", r.post.durable, r.post.sent)
	}
}
