//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func testReopen(t *testing.T, s Store, reopen func(t *testing.T, s Store) Store) {
	key := assistant.StateKey{Home: "home", Skill: "timer", Scope: "home"}
	data, hash := content(1<<20 + 1)
	if err := s.PutArtifact(t.Context(), hash, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	sc := schedule("home", "a", time.Minute)
	c := &assistant.Commit{
		Turn:     turn("t1", "home", 0, assistant.Invocation{ID: "t1.0", Skill: "timer", Version: "1", Outcome: assistant.OutcomeOK}),
		State:    &assistant.StateChange{Key: key, Value: json.RawMessage(`7`)},
		Set:      []assistant.Schedule{sc},
		Messages: []assistant.Message{message("t1.1", "kitchen", at(time.Hour)), message("t1.2", "kitchen", at(time.Hour))},
	}
	commit(t, s, c)
	if err := s.PutHome(t.Context(), assistant.Home{ID: "home", Lang: "en"}); err != nil {
		t.Fatal(err)
	}
	if got := must[[]assistant.Schedule](t)(s.ClaimDue(t.Context(), at(time.Minute), "one", time.Hour, 1)); len(got) != 1 {
		t.Fatalf("claimed %v", scheduleIDs(got))
	}
	if err := s.Settle(t.Context(), "t1.1"); err != nil {
		t.Fatal(err)
	}

	s = reopen(t, s)
	wantSame(t, "turn", must[*assistant.Turn](t)(s.FindTurn(t.Context(), "t1")), c.Turn)
	wantErr(t, "the turn again", s.Commit(t.Context(), c), assistant.ErrDuplicate)
	wantSame(t, "state", must[assistant.State](t)(s.State(t.Context(), key)),
		assistant.State{Revision: 1, Value: json.RawMessage(`7`)})
	wantSame(t, "schedules", must[[]assistant.Schedule](t)(s.Schedules(t.Context(), "")), []assistant.Schedule{sc})
	if next := must[time.Time](t)(s.NextDue(t.Context())); !next.Equal(at(time.Minute + time.Hour)) {
		t.Errorf("next due at %v, want the end of the lease", next)
	}
	wantSame(t, "owed", messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10))), []string{"t1.2"})
	wantSame(t, "homes", must[[]assistant.Home](t)(s.Homes(t.Context())), []assistant.Home{{ID: "home", Lang: "en"}})
	usage := must[[]assistant.UsageRow](t)(s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageBySkill}))
	if invocationsOf(usage, "timer") != 1 {
		t.Errorf("usage: %+v", usage)
	}
	if string(fetch(t, s, hash)) != string(data) {
		t.Error("the artifact came back otherwise")
	}
	owe(t, s, "t2", message("t2.1", "kitchen", at(time.Hour)))
	wantSame(t, "owed, in order", messageIDs(must[[]assistant.Message](t)(s.Owed(t.Context(), "home", "kitchen", 10))),
		[]string{"t1.2", "t2.1"})
}
