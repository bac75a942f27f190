//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func testFindTurn(t *testing.T, s Store) {
	first := turn("t1", "home", 0, assistant.Invocation{
		ID: "t1.0", Skill: "clock", Version: "1", Instance: "i-7", Outcome: assistant.OutcomeOK,
		Wall: 3 * time.Millisecond, CPU: 1234567, MemoryMiB: 64, MicroCU: 9,
	})
	commit(t, s, &assistant.Commit{Turn: first})
	commit(t, s, &assistant.Commit{Turn: turn("t2", "home", time.Second)})

	for _, c := range []struct {
		name string
		ids  []string
		want string // "": not found
	}{
		{"one", []string{"t2"}, "t2"},
		{"the first of both", []string{"t1", "t2"}, "t1"},
		{"the first of both, the other way", []string{"t2", "t1"}, "t2"},
		{"only the second is there", []string{"none", "t1"}, "t1"},
		{"the third", []string{"none", "nobody", "t2"}, "t2"},
		{"unknown", []string{"none"}, ""},
		{"both unknown", []string{"none", "nobody"}, ""},
		{"no ids", nil, ""},
	} {
		got, err := s.FindTurn(t.Context(), c.ids...)
		switch {
		case c.want == "":
			wantErr(t, c.name, err, assistant.ErrNotFound)
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case got.ID != c.want:
			t.Errorf("%s: found %s, want %s", c.name, got.ID, c.want)
		}
	}
	wantSame(t, "a turn comes back as it was", must[*assistant.Turn](t)(s.FindTurn(t.Context(), "t1")), first)
}

func testCommitOnce(t *testing.T, s Store) {
	key := assistant.StateKey{Home: "home", Skill: "timer", Scope: "home"}
	c := &assistant.Commit{
		Turn:     turn("t1", "home", 0, assistant.Invocation{ID: "t1.0", Skill: "timer", Version: "1", Outcome: assistant.OutcomeOK}),
		State:    &assistant.StateChange{Key: key, Value: json.RawMessage(`1`)},
		Set:      []assistant.Schedule{schedule("home", "a", time.Minute)},
		Messages: []assistant.Message{message("t1.1", "kitchen", at(time.Hour))},
	}
	commit(t, s, c)
	// A redelivery has been computed anew, and may differ.
	again := *c
	again.State = &assistant.StateChange{Key: key, Base: 1, Value: json.RawMessage(`2`)}
	again.Set = []assistant.Schedule{schedule("home", "b", time.Minute)}
	again.Messages = []assistant.Message{message("t1.2", "kitchen", at(time.Hour))}
	wantErr(t, "the same turn again", s.Commit(t.Context(), &again), assistant.ErrDuplicate)
	wantErr(t, "a plain turn of the same id", s.Commit(t.Context(), &assistant.Commit{Turn: turn("t1", "home", 0)}),
		assistant.ErrDuplicate)

	st := must[assistant.State](t)(s.State(t.Context(), key))
	wantSame(t, "state", st, assistant.State{Revision: 1, Value: json.RawMessage(`1`)})
	wantSame(t, "schedules", scheduleIDs(must[[]assistant.Schedule](t)(s.Schedules(t.Context(), ""))), []string{"home/a"})
	wantSame(t, "owed", messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10))), []string{"t1.1"})
	usage := must[[]assistant.UsageRow](t)(s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageBySkill}))
	if len(usage) != 1 || usage[0].Invocations != 1 {
		t.Errorf("usage counts a duplicate: %+v", usage)
	}
}

func testCommitOnceOfMany(t *testing.T, s Store) {
	const turns, racers = 8, 16
	var won atomic.Int32
	err := together(t.Context(), turns*racers, func(ctx context.Context, i int) error {
		id := fmt.Sprintf("t%d", i%turns)
		err := s.Commit(ctx, &assistant.Commit{
			Turn:     turn(id, "home", 0),
			Messages: []assistant.Message{message(assistant.EffectID(id, i), "kitchen", at(time.Hour))},
		})
		switch {
		case err == nil:
			won.Add(1)
		case !errors.Is(err, assistant.ErrDuplicate):
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if won.Load() != turns {
		t.Errorf("%d commits of %d turns succeeded", won.Load(), turns)
	}
	if owed := must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 1000)); len(owed) != turns {
		t.Errorf("%d messages are owed, want one of each of %d turns: %v", len(owed), turns, messageIDs(owed))
	}
}

func testCommitConflict(t *testing.T, s Store) {
	key := assistant.StateKey{Home: "home", Skill: "timer", Scope: "home"}
	change := func(id string, base int64) error {
		return s.Commit(t.Context(), &assistant.Commit{
			Turn:     turn(id, "home", 0),
			State:    &assistant.StateChange{Key: key, Base: base, Value: json.RawMessage(strconv.Quote(id))},
			Set:      []assistant.Schedule{schedule("home", id, time.Minute)},
			Messages: []assistant.Message{message(id+".1", "kitchen", at(time.Hour))},
		})
	}
	wantErr(t, "a base that never was", change("t0", 3), assistant.ErrConflict)
	if err := change("t1", 0); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the first write again", change("t2", 0), assistant.ErrConflict)
	wantErr(t, "a base in the future", change("t3", 2), assistant.ErrConflict)
	if err := change("t4", 1); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a base in the past", change("t5", 1), assistant.ErrConflict)

	st := must[assistant.State](t)(s.State(t.Context(), key))
	wantSame(t, "state", st, assistant.State{Revision: 2, Value: json.RawMessage(`"t4"`)})
	for _, id := range []string{"t0", "t2", "t3", "t5"} {
		_, err := s.FindTurn(t.Context(), id)
		wantErr(t, "turn "+id+" after a conflict", err, assistant.ErrNotFound)
	}
	wantSame(t, "schedules", scheduleIDs(must[[]assistant.Schedule](t)(s.Schedules(t.Context(), ""))),
		[]string{"home/t1", "home/t4"})
	wantSame(t, "owed", messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10))),
		[]string{"t1.1", "t4.1"})
	// The turn that lost comes again with the fresh base.
	if err := change("t5", 2); err != nil {
		t.Errorf("the repeated turn: %v", err)
	}
}

func testCommitGone(t *testing.T, s Store) {
	fire := func(id string, sc assistant.Schedule) error {
		return s.Commit(t.Context(), &assistant.Commit{
			Turn: turn(id, "home", 0), Fired: &sc,
			Messages: []assistant.Message{message(id+".1", "kitchen", at(time.Hour))},
		})
	}
	due, moved, cancelled := schedule("home", "due", 1), schedule("home", "moved", 1), schedule("home", "cancelled", 1)
	set(t, s, "set", due, moved, cancelled)
	later := moved
	later.Due = moved.Due.Add(time.Millisecond)
	commit(t, s, &assistant.Commit{
		Turn: turn("change", "home", 0), Set: []assistant.Schedule{later}, Cancel: []assistant.ScheduleKey{cancelled.ScheduleKey},
	})

	if err := fire("f1", due); err != nil {
		t.Errorf("a schedule that is due: %v", err)
	}
	wantErr(t, "fired twice", fire("f2", due), assistant.ErrGone)
	wantErr(t, "moved by a millisecond", fire("f3", moved), assistant.ErrGone)
	wantErr(t, "cancelled", fire("f4", cancelled), assistant.ErrGone)
	wantErr(t, "never set", fire("f5", schedule("home", "never", 1)), assistant.ErrGone)
	if err := fire("f1", due); !errors.Is(err, assistant.ErrDuplicate) {
		t.Errorf("the turn that fired it again: %v, want ErrDuplicate before ErrGone", err)
	}
	wantSame(t, "owed", messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10))), []string{"f1.1"})
	wantSame(t, "left", scheduleIDs(must[[]assistant.Schedule](t)(s.Schedules(t.Context(), ""))), []string{"home/moved"})
}

// testCommitWhole changes everything by one turn.
func testCommitWhole(t *testing.T, s Store) {
	fired, old := schedule("home", "fired", 0), schedule("home", "old", time.Hour)
	set(t, s, "set", fired, old)
	again, fresh := fired, schedule("home", "new", time.Minute)
	again.Due = at(24 * time.Hour)
	reset := old
	reset.Due = at(2 * time.Hour)
	key := assistant.StateKey{Home: "home", Skill: "timer", Scope: "home"}
	commit(t, s, &assistant.Commit{
		Turn:     turn("t1", "home", 0),
		State:    &assistant.StateChange{Key: key, Value: json.RawMessage(`{"n":[1,null,"é"]}`)},
		Fired:    &fired,
		Cancel:   []assistant.ScheduleKey{old.ScheduleKey, {Home: "home", Skill: "timer", ID: "unknown"}},
		Set:      []assistant.Schedule{again, fresh, reset}, // what is cancelled and set is set
		Messages: []assistant.Message{message("t1.2", "kitchen", at(time.Hour)), message("t1.1", "hall", at(time.Hour))},
	})
	wantSame(t, "schedules", must[[]assistant.Schedule](t)(s.Schedules(t.Context(), "home")),
		[]assistant.Schedule{fresh, reset, again})
	wantSame(t, "state", must[assistant.State](t)(s.State(t.Context(), key)),
		assistant.State{Revision: 1, Value: json.RawMessage(`{"n":[1,null,"é"]}`)})
	wantSame(t, "owed to the kitchen", must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10)),
		[]assistant.Message{message("t1.2", "kitchen", at(time.Hour))})
	wantSame(t, "owed to the hall", must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "hall", 10)),
		[]assistant.Message{message("t1.1", "hall", at(time.Hour))})
}

// testCommitAfterCancel: a caller that went away leaves either all or nothing.
func testCommitAfterCancel(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &assistant.Commit{Turn: turn("t1", "home", 0), Messages: []assistant.Message{message("t1.1", "kitchen", at(time.Hour))}}
	if err := s.Commit(ctx, c); err == nil {
		t.Error("a commit of a caller that had gone succeeded")
	}
	if err := s.Commit(t.Context(), c); err != nil && !errors.Is(err, assistant.ErrDuplicate) {
		t.Errorf("the same turn again: %v", err)
	}
	if owed := must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10)); len(owed) != 1 {
		t.Errorf("owed: %v, want the message once", messageIDs(owed))
	}
}

func testStates(t *testing.T, s Store) {
	key := assistant.StateKey{Home: "home", Skill: "timer", Scope: "home"}
	wantSame(t, "a state never written", must[assistant.State](t)(s.State(t.Context(), key)), assistant.State{})
	large := json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)
	write := func(id string, key assistant.StateKey, base int64, value json.RawMessage) {
		t.Helper()
		commit(t, s, &assistant.Commit{
			Turn: turn(id, "home", 0), State: &assistant.StateChange{Key: key, Base: base, Value: value},
		})
	}
	others := []assistant.StateKey{
		{Home: "other", Skill: "timer", Scope: "home"},
		{Home: "home", Skill: "clock", Scope: "home"},
		{Home: "home", Skill: "timer", Scope: "session-1"},
	}
	write("t1", key, 0, large)
	for i, other := range others {
		wantSame(t, "another state", must[assistant.State](t)(s.State(t.Context(), other)), assistant.State{})
		write(fmt.Sprintf("o%d", i), other, 0, json.RawMessage(strconv.Itoa(i)))
	}
	write("t2", key, 1, json.RawMessage(`{}`))
	wantSame(t, "state", must[assistant.State](t)(s.State(t.Context(), key)),
		assistant.State{Revision: 2, Value: json.RawMessage(`{}`)})
	for i, other := range others {
		wantSame(t, "another state", must[assistant.State](t)(s.State(t.Context(), other)),
			assistant.State{Revision: 1, Value: json.RawMessage(strconv.Itoa(i))})
	}
}

// testCounter has many writers count in one state: none may be lost.
func testCounter(t *testing.T, s Store) {
	const writers, each = 32, 10
	key := assistant.StateKey{Home: "home", Skill: "counter", Scope: "home"}
	err := together(t.Context(), writers, func(ctx context.Context, i int) error {
		for n := range each {
			if err := count(ctx, s, key, fmt.Sprintf("t%d-%d", i, n)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "counter", must[assistant.State](t)(s.State(t.Context(), key)),
		assistant.State{Revision: writers * each, Value: json.RawMessage(strconv.Itoa(writers * each))})
}

// count adds one, and again until nobody was quicker.
func count(ctx context.Context, s Store, key assistant.StateKey, id string) error {
	for {
		st, err := s.State(ctx, key)
		if err != nil {
			return err
		}
		n := 0
		if st.Revision > 0 {
			if n, err = strconv.Atoi(string(st.Value)); err != nil {
				return err
			}
		}
		err = s.Commit(ctx, &assistant.Commit{
			Turn:  turn(id, key.Home, 0),
			State: &assistant.StateChange{Key: key, Base: st.Revision, Value: json.RawMessage(strconv.Itoa(n + 1))},
		})
		if !errors.Is(err, assistant.ErrConflict) {
			return err
		}
	}
}

func testTurns(t *testing.T, s Store) {
	if list := must[[]assistant.Turn](t)(s.Turns(t.Context(), 10)); len(list) != 0 {
		t.Errorf("an empty store has turns: %v", turnIDs(list))
	}
	// Committed in another order than received.
	for _, n := range []int{2, 0, 3, 1, 4} {
		commit(t, s, &assistant.Commit{Turn: turn(fmt.Sprintf("t%d", n), "home", time.Duration(n)*time.Second)})
	}
	wantSame(t, "all", turnIDs(must[[]assistant.Turn](t)(s.Turns(t.Context(), 1000))), []string{"t4", "t3", "t2", "t1", "t0"})
	wantSame(t, "the newest two", turnIDs(must[[]assistant.Turn](t)(s.Turns(t.Context(), 2))), []string{"t4", "t3"})
	wantSame(t, "as it was", must[[]assistant.Turn](t)(s.Turns(t.Context(), 1))[0], turn("t4", "home", 4*time.Second))
	for _, limit := range []int{-1, 0, 1001} {
		if _, err := s.Turns(t.Context(), limit); err == nil {
			t.Errorf("a limit of %d is taken", limit)
		}
	}
}
