package mongo

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver" //nolint:depguard // the server that this room's tests need is no part of the road
	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
)

var (
	day      = time.Date(2026, time.March, 1, 8, 0, 0, 0, time.UTC)
	stateKey = assistant.StateKey{Home: "home", Skill: "timer", Scope: "home"}
	errCut   = errors.New("cut off here")
)

func aSchedule(id string, due time.Duration) assistant.Schedule {
	return assistant.Schedule{
		ScheduleKey: assistant.ScheduleKey{Home: "home", Skill: "timer", ID: id}, Due: day.Add(due), Kind: "timer",
	}
}

func aTurn(id string) *assistant.Turn {
	return &assistant.Turn{
		ID: id, Kind: assistant.KindUtterance, Home: "home", Device: "kitchen", Text: "what time is it",
		Received: day, Finished: day.Add(4 * time.Millisecond),
		Reply: &assistant.Reply{ID: "m", Turn: id, Speech: "It is eight o'clock.", Lang: "en", Expect: assistant.ExpectNone},
		Invocations: []assistant.Invocation{{
			ID: id + ".0", Skill: "clock", Version: "1.0.0-3f9a0c12b7e4", Outcome: assistant.OutcomeOK,
			Wall: 2 * time.Millisecond, CPU: time.Millisecond, MemoryMiB: 64, MicroCU: 12,
		}},
		Trace: []assistant.Stage{{Name: "nlu", Micros: 90}, {Name: "invoke", Micros: 1500}},
	}
}

func aMessage(id string) assistant.Message {
	return assistant.Message{
		ID: id, Home: "home", Device: "kitchen", Kind: assistant.MessageSay, Created: day, Expires: day.Add(time.Hour),
		Say: &assistant.Say{Speech: "tea", Lang: "en", Kind: "timer"},
	}
}

// die ends a store as SIGKILL ends its process: nothing is said to anybody.
func (s *Store) die(t *testing.T) {
	t.Helper()
	s.closing.Do(func() {
		s.stop()
		s.watch.Wait()
		s.flights.close()
		if err := s.disconnect(); err != nil {
			t.Error(err)
		}
	})
}

// hook has step called before the steps of later commits.
func (s *Store) hook(t *testing.T, step func(name string) error) {
	t.Helper()
	await(t, "earlier commits are finished", func() bool { return len(s.flights.names()) == 0 })
	s.step = step
}

func cutBefore(steps ...string) func(name string) error {
	return func(name string) error {
		if slices.Contains(steps, name) {
			return errCut
		}
		return nil
	}
}

// seen is all that the turn under test may change.
type seen struct {
	Turn      bool
	State     string
	Schedules []string
	Owed      []string
	Calls     int64
}

func look(t *testing.T, s *Store, turn string) seen {
	t.Helper()
	v := seen{}
	_, err := s.FindTurn(t.Context(), turn)
	if v.Turn = err == nil; err != nil && !errors.Is(err, assistant.ErrNotFound) {
		t.Fatal(err)
	}
	st, err := s.State(t.Context(), stateKey)
	if err != nil {
		t.Fatal(err)
	}
	v.State = string(st.Value)
	list, err := s.Schedules(t.Context(), "home")
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range list {
		v.Schedules = append(v.Schedules, sc.ID+"@"+sc.Due.Sub(day).String())
	}
	owed, err := s.Owed(t.Context(), "home", "kitchen", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range owed {
		v.Owed = append(v.Owed, m.ID)
	}
	usage, err := s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageByHome})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range usage {
		v.Calls += u.Invocations
	}
	return v
}

// scenario is a turn with the effects that its name tells.
type scenario struct {
	name   string
	commit func(base int64) *assistant.Commit
	steps  []string // that it takes
	point  string   // the step that commits it
}

func scenarios() []scenario {
	fired, again := aSchedule("fired", time.Second), aSchedule("fired", 24*time.Hour)
	state := func(base int64) *assistant.StateChange {
		return &assistant.StateChange{Key: stateKey, Base: base, Value: json.RawMessage("2")}
	}
	sets := []assistant.Schedule{aSchedule("new", time.Minute), aSchedule("old", 2*time.Hour)}
	cancels := []assistant.ScheduleKey{aSchedule("gone", 0).ScheduleKey, aSchedule("unknown", 0).ScheduleKey}
	owed := []assistant.Message{aMessage("t.0"), aMessage("t.1")}
	return []scenario{
		{"plain", func(int64) *assistant.Commit {
			return &assistant.Commit{Turn: aTurn("t"), Messages: owed}
		}, []string{stepInsert, stepApply}, stepInsert},
		{"sets", func(int64) *assistant.Commit {
			return &assistant.Commit{Turn: aTurn("t"), Set: sets, Cancel: cancels, Messages: owed}
		}, []string{stepInsert, stepApply, stepFinish}, stepInsert},
		{"state", func(base int64) *assistant.Commit {
			return &assistant.Commit{Turn: aTurn("t"), State: state(base), Set: sets, Cancel: cancels, Messages: owed}
		}, []string{stepInsert, stepSwap, stepMark, stepApply, stepFinish}, stepSwap},
		{"fires", func(int64) *assistant.Commit {
			return &assistant.Commit{Turn: aTurn("t"), Fired: &fired, Messages: owed}
		}, []string{stepInsert, stepLock, stepMark, stepApply, stepFinish}, stepMark},
		{"fires and sets again", func(int64) *assistant.Commit {
			return &assistant.Commit{Turn: aTurn("t"), Fired: &fired, Set: append(sets, again), Messages: owed}
		}, []string{stepInsert, stepLock, stepMark, stepApply, stepFinish}, stepMark},
		{"fires with state", func(base int64) *assistant.Commit {
			return &assistant.Commit{Turn: aTurn("t"), Fired: &fired, State: state(base), Set: sets, Cancel: cancels, Messages: owed}
		}, []string{stepInsert, stepLock, stepSwap, stepMark, stepApply, stepFinish}, stepSwap},
	}
}

// prepare fills a database with what the scenarios change.
func prepare(t *testing.T, s *Store) {
	t.Helper()
	before := aTurn("before")
	before.Invocations = nil
	mustCommit(t, s, &assistant.Commit{
		Turn:  before,
		State: &assistant.StateChange{Key: stateKey, Value: json.RawMessage("1")},
		Set:   []assistant.Schedule{aSchedule("fired", time.Second), aSchedule("old", time.Hour), aSchedule("gone", time.Hour)},
	})
}

func mustCommit(t *testing.T, s *Store, c *assistant.Commit) {
	t.Helper()
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func base(t *testing.T, s *Store) int64 {
	t.Helper()
	st, err := s.State(t.Context(), stateKey)
	if err != nil {
		t.Fatal(err)
	}
	return st.Revision
}

// rescues are the ways in which a turn that was cut off is found.
var rescues = []struct {
	name string
	open func(t *testing.T, o Options) *Store
}{
	{"restart", func(t *testing.T, o Options) *Store {
		t.Helper()
		return openAt(t, o)
	}},
	{"watch of another", func(t *testing.T, o Options) *Store {
		t.Helper()
		o.Owner = "another"
		s := openAt(t, o)
		seen := make(map[string]sighting)
		now := time.Now()
		for _, at := range []time.Time{now, now.Add(ownerLease)} {
			if err := s.look(t.Context(), seen, at); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}},
	{"redelivery to another", func(t *testing.T, o Options) *Store {
		t.Helper()
		o.Owner = "another"
		s := openAt(t, o)
		s.grace = 5 * time.Millisecond
		return s
	}},
}

// TestCutOff cuts every kind of turn off before every step that it takes. By
// every way of recovery, all of it is there, or nothing; and when it comes
// again, it is there once.
func TestCutOff(t *testing.T) {
	server := mongoserver.Start(t)
	for _, sc := range scenarios() {
		want := outcome(t, server, sc)
		for i, step := range sc.steps {
			if sc.name == "plain" && step != stepInsert {
				continue // there is nothing to recover after it
			}
			for _, rescue := range rescues {
				t.Run(fmt.Sprintf("%s/before %s/%s", sc.name, step, rescue.name), func(t *testing.T) {
					committed := false
					for _, done := range sc.steps[:i] {
						committed = committed || done == sc.point
					}
					o := database(t, server)
					first := openAt(t, o)
					prepare(t, first)
					nothing := look(t, first, "t")
					// Steps that run at the same time are cut off together or alone.
					first.hook(t, cutBefore(step))
					err := first.Commit(t.Context(), sc.commit(1))
					if step != stepFinish && !errors.Is(err, assistant.ErrStoreAway) {
						t.Fatalf("the cut commit: %v", err)
					}
					first.die(t)

					s := rescue.open(t, o)
					again := s.Commit(t.Context(), sc.commit(base(t, s)))
					if errors.Is(again, assistant.ErrConflict) { // discarding the first took a revision
						again = s.Commit(t.Context(), sc.commit(base(t, s)))
					}
					if committed && !errors.Is(again, assistant.ErrDuplicate) {
						t.Errorf("it was committed, and again: %v", again)
					}
					if !committed && again != nil {
						t.Errorf("it was not committed, and again: %v", again)
					}
					if rescue.name != "redelivery to another" && !committed {
						// What recovery alone left is seen on a turn that does not come again.
						checkDiscarded(t, server, sc, step, nothing)
					}
					same(t, "the end", look(t, s, "t"), want)
					checkClean(t, s)
				})
			}
		}
	}
}

// outcome is what a turn that nothing disturbs leaves.
func outcome(t *testing.T, server string, sc scenario) seen {
	t.Helper()
	s := openAt(t, database(t, server))
	prepare(t, s)
	mustCommit(t, s, sc.commit(1))
	return look(t, s, "t")
}

// checkDiscarded cuts the turn off and recovers it, and it does not come again.
func checkDiscarded(t *testing.T, server string, sc scenario, step string, nothing seen) {
	t.Helper()
	o := database(t, server)
	first := openAt(t, o)
	prepare(t, first)
	first.hook(t, cutBefore(step))
	_ = first.Commit(t.Context(), sc.commit(1))
	first.die(t)
	s := openAt(t, o)
	same(t, "after it was discarded", look(t, s, "t"), nothing)
	checkClean(t, s)
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// checkClean waits until nothing is half done any more.
func checkClean(t *testing.T, s *Store) {
	t.Helper()
	left := func() string {
		var out []string
		for _, q := range []struct {
			coll   string
			filter bson.D
		}{
			{collTurns, bson.D{{Key: "open", Value: exists(true)}}},
			{collTurns, bson.D{{Key: "phase", Value: prepared}}},
			{collSchedules, bson.D{{Key: "by", Value: exists(true)}}},
			{collStates, bson.D{{Key: "recent.0", Value: exists(true)}}},
		} {
			n, err := s.db.Collection(q.coll).CountDocuments(t.Context(), q.filter)
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				out = append(out, q.coll+" "+q.filter[0].Key)
			}
		}
		return strings.Join(out, ", ")
	}
	await(t, "nothing is half done", func() bool { return left() == "" })
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute) // only what is broken takes so long
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("still not so after a minute: %s", what)
		case <-tick.C:
		}
	}
}

// TestRecoveryUndoesNothing lets the world go on between a crash and the
// recovery from it: a message is settled, a schedule fired, another set anew.
func TestRecoveryUndoesNothing(t *testing.T) {
	server := mongoserver.Start(t)
	for _, step := range []string{stepApply, stepFinish} {
		t.Run("cut before "+step, func(t *testing.T) {
			o := database(t, server)
			dead := openAt(t, o)
			dead.hook(t, cutBefore(step))
			fires, moved := aSchedule("fires", time.Second), aSchedule("moved", time.Second)
			_ = dead.Commit(t.Context(), &assistant.Commit{
				Turn: aTurn("t"), Set: []assistant.Schedule{fires, moved, aSchedule("stays", time.Hour)},
				Messages: []assistant.Message{aMessage("t.0"), aMessage("t.1")},
			})
			dead.die(t)

			o.Owner = "another"
			s := openAt(t, o)
			s.rest = 0
			if err := s.Settle(t.Context(), "t.0"); err != nil {
				t.Fatal(err)
			}
			if step == stepFinish {
				mustCommit(t, s, &assistant.Commit{Turn: aTurn("firing"), Fired: &fires})
			} else {
				mustCommit(t, s, &assistant.Commit{Turn: aTurn("cancel"), Cancel: []assistant.ScheduleKey{fires.ScheduleKey}})
			}
			later := moved
			later.Due = day.Add(time.Minute)
			mustCommit(t, s, &assistant.Commit{Turn: aTurn("move"), Set: []assistant.Schedule{later}})
			await(t, "the message is settled", func() bool { return len(look(t, s, "t").Owed) == 1 })
			if err := s.sweep(t.Context()); err != nil { // must not yet forget what was fired
				t.Fatal(err)
			}
			if err := s.look(t.Context(), map[string]sighting{}, time.Now()); err != nil {
				t.Fatal(err)
			}
			o.Owner = "test"
			restarted := openAt(t, o) // recovers
			got := look(t, restarted, "t")
			same(t, "schedules", got.Schedules, []string{"moved@1m0s", "stays@1h0m0s"})
			same(t, "owed", got.Owed, []string{"t.1"})
			checkClean(t, s)
			if err := s.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			n, err := s.db.Collection(collSchedules).CountDocuments(t.Context(), bson.D{})
			if err != nil || n != 2 {
				t.Errorf("%d schedules are stored after the sweep, want the 2 that are set (%v)", n, err)
			}
		})
	}
}

// TestGivenUp stops a commit before each step for so long that another process
// discards it: it then fails, or was early enough, and never is there by halves.
func TestGivenUp(t *testing.T) {
	server := mongoserver.Start(t)
	for _, sc := range scenarios() {
		for i, step := range sc.steps {
			if sc.name == "plain" || step == stepInsert || step == stepFinish {
				continue
			}
			t.Run(sc.name+"/before "+step, func(t *testing.T) {
				committed := false
				for _, done := range sc.steps[:i] {
					committed = committed || done == sc.point
				}
				o := database(t, server)
				slow := openAt(t, o)
				prepare(t, slow)
				before := look(t, slow, "t")
				reached, goOn := make(chan struct{}), make(chan struct{})
				slow.hook(t, func(name string) error {
					if name == step {
						close(reached)
						<-goOn
					}
					return nil
				})
				outcome := make(chan error, 1)
				go func() { outcome <- slow.Commit(t.Context(), sc.commit(1)) }()
				<-reached
				o.Owner = "another"
				s := openAt(t, o)
				turn, err := findOne[turnDoc](t.Context(), s, collTurns, byID("t"))
				if err != nil {
					t.Fatal(err)
				}
				if !committed {
					same(t, "while it is prepared", look(t, s, "t"), before)
				}
				if _, err := s.resolve(t.Context(), &turn); err != nil {
					t.Fatal(err)
				}
				close(goOn)
				err = <-outcome
				if committed != (err == nil) {
					t.Errorf("committed before: %t; the slow commit: %v", committed, err)
				}
				checkClean(t, s)
				if !committed {
					same(t, "after it was discarded", look(t, s, "t"), before)
				} else if outcome, err := s.resolve(t.Context(), &turn); outcome != "committed" || err != nil {
					// It was read when it was prepared, and is finished by now.
					t.Errorf("a turn that is finished, from an old copy: %s (%v)", outcome, err)
				}
				same(t, "it is there", look(t, s, "t").Turn, committed)
				slow.hook(t, nil)
				if err := slow.Commit(t.Context(), sc.commit(base(t, slow))); committed != errors.Is(err, assistant.ErrDuplicate) {
					t.Errorf("committed before: %t; again: %v", committed, err)
				}
			})
		}
	}
}

// TestEvidencePilesUp fills a state with evidence of turns that crashed after
// their commit point: none of it is lost.
func TestEvidencePilesUp(t *testing.T) {
	o := database(t, mongoserver.Start(t))
	dead := openAt(t, o)
	dead.hook(t, cutBefore(stepMark, stepApply))
	for n := range maxRecent {
		_ = dead.Commit(t.Context(), &assistant.Commit{
			Turn:  aTurn("t" + strconv.Itoa(n)),
			State: &assistant.StateChange{Key: stateKey, Base: int64(n), Value: json.RawMessage(strconv.Itoa(n + 1))},
		})
	}
	dead.die(t)
	o.Owner = "another"
	s := openAt(t, o)
	mustCommit(t, s, &assistant.Commit{
		Turn: aTurn("last"), State: &assistant.StateChange{Key: stateKey, Base: maxRecent, Value: json.RawMessage("0")},
	})
	for n := range maxRecent {
		if _, err := s.FindTurn(t.Context(), "t"+strconv.Itoa(n)); err != nil {
			t.Error(err)
		}
	}
	checkClean(t, s)
}
