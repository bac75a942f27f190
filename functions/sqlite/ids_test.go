package sqlite

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// Each turn is found by its id, and taken once, whether its id is in the index,
// waits for that, or came so late that it may not wait; also when the store was
// closed at any point of that.
func TestTurnsAreFoundByTheirIDs(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	const rounds, each = 6, 37
	var committed []*assistant.Turn
	for round := range rounds {
		s := openAt(t, dir)
		for range each {
			turn := aTurn(int64(len(committed)))
			if random.IntN(4) == 0 {
				turn.Received = turn.Received.Add(-time.Duration(random.IntN(3600)) * time.Second)
			}
			if err := s.Commit(t.Context(), &assistant.Commit{Turn: turn}); err != nil {
				t.Fatal(err)
			}
			committed = append(committed, turn)
			if random.IntN(4) == 0 { // a posting
				if err := s.writer.flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n, turn := range committed {
			if found, err := s.FindTurn(t.Context(), "nobody", turn.ID); err != nil || found.ID != turn.ID {
				t.Fatalf("round %d: turn %d: %+v, %v", round, n, found, err)
			}
			if err := s.Commit(t.Context(), &assistant.Commit{Turn: turn}); !errors.Is(err, assistant.ErrDuplicate) {
				t.Fatalf("round %d: turn %d again: %v", round, n, err)
			}
		}
		if err := s.writer.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var rows, inIndex int
		if err := s.reads.row(t.Context(), `SELECT (SELECT COUNT(*) FROM turns), (SELECT COUNT(*) FROM turn_ids)`, nil, &rows, &inIndex); err != nil {
			t.Fatal(err)
		}
		if waiting := len(s.writer.ids.wait); rows != len(committed) || inIndex+waiting < rows || waiting > each || inIndex == 0 {
			t.Errorf("%d turns: %d stored, %d in the index, %d wait", len(committed), rows, inIndex, waiting)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A turn that ends in a conflict leaves nothing behind, and may come again.
func TestAConflictLeavesNoTurn(t *testing.T) {
	s := openAt(t, t.TempDir())
	key := assistant.StateKey{Home: "home", Skill: "tally", Scope: "home"}
	c := &assistant.Commit{Turn: aTurn(1), State: &assistant.StateChange{Key: key, Base: 7, Value: []byte("1")}}
	if err := s.Commit(t.Context(), c); !errors.Is(err, assistant.ErrConflict) {
		t.Fatal(err)
	}
	if _, err := s.FindTurn(t.Context(), c.Turn.ID); !errors.Is(err, assistant.ErrNotFound) {
		t.Errorf("after a conflict: %v", err)
	}
	c.State.Base = 0
	if err := s.Commit(t.Context(), c); err != nil {
		t.Errorf("the same turn again: %v", err)
	}
}
