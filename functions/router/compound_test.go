package router_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func TestSeveralThingsAreDoneInOrder(t *testing.T) {
	for text, want := range map[string]string{
		"add one and then what now": "1.", // what is the same is said once
		"加一，然后加一":                   "1。2。",
		"peek and add one":          "0. 1.",
	} {
		r := newRoad(t)
		turn := r.say(t, "m1", text)
		if turn.Reply.Speech != want || turn.Reply.Error != nil || len(turn.Invocations) != 0 {
			t.Errorf("%s: %+v", text, turn.Reply)
		}
		turns, err := r.store.Turns(t.Context(), 10)
		if err != nil || len(turns) != 3 {
			t.Fatalf("%s: %d turns, %v", text, len(turns), err)
		}
		for _, part := range turns {
			if part.ID == turn.ID {
				continue
			}
			if part.Kind != assistant.KindPart || part.PartOf != turn.ID || len(part.Invocations) != 1 || part.Intent.Confidence >= 1 {
				t.Errorf("%s: part %+v", text, part)
			}
		}
		if len(r.post.early) != 0 || len(r.post.durable) != 1 {
			t.Errorf("%s: %d early replies, %d replies", text, len(r.post.early), len(r.post.durable))
		}
	}
}

func TestWhichPartFailedIsSaid(t *testing.T) {
	r := newRoad(t)
	r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
		if call.Intent.Name == "Peek" {
			return nil, assistant.Errorf(assistant.CodeTimeout, "it slept")
		}
		return addOne(call)
	}
	turn := r.say(t, "m1", "peek and add one")
	if e := turn.Reply.Error; e == nil || e.Code != assistant.CodeTimeout || !strings.Contains(e.Message, "part 1 of 2") ||
		!strings.Contains(turn.Reply.Speech, "“peek”") || !strings.HasSuffix(turn.Reply.Speech, " 1.") {
		t.Errorf("%+v", turn.Reply)
	}
}

// A crash between two parts, or before the last commit: what was done is not done
// again, and what is said is the same.
func TestPartsAreDoneOnce(t *testing.T) {
	for failing := range 3 {
		commits, crash := 0, errors.New("crashed")
		r := newFaultyRoad(t, func(operation string) error {
			if operation == "commit" {
				if commits++; commits == failing+1 {
					return crash
				}
			}
			return nil
		})
		u := r.utterance("m1", "add one and then add one")
		if _, err := r.Utterance(t.Context(), u); !errors.Is(err, crash) {
			t.Fatalf("commit %d: %v", failing, err)
		}
		turn, err := r.Utterance(t.Context(), u)
		if err != nil || turn.Reply.Speech != "1. 2." {
			t.Errorf("commit %d: %+v, %v", failing, turn, err)
		}
		if again, err := r.Utterance(t.Context(), u); err != nil || again.Reply.Speech != "1. 2." {
			t.Errorf("commit %d: once more: %+v, %v", failing, again, err)
		}
		if turns, err := r.store.Turns(t.Context(), 10); err != nil || len(turns) != 3 {
			t.Errorf("commit %d: %d turns, %v", failing, len(turns), err)
		}
	}
}

// Where the store goes away between two parts, the user hears what was done and
// what was not, once, and that is what stays.
func TestTheStoreGoesAwayBetweenParts(t *testing.T) {
	commits := 0
	r := newFaultyRoad(t, func(operation string) error {
		if operation == "commit" {
			if commits++; commits == 2 {
				return assistant.ErrStoreAway
			}
		}
		return nil
	})
	turn, err := r.Utterance(t.Context(), r.utterance("m1", "add one and then add one"))
	if err != nil || turn.Reply.Error == nil || turn.Reply.Error.Code != assistant.CodeBusy ||
		!strings.HasPrefix(turn.Reply.Speech, "1. As for “add one”: ") || turn.Finished.IsZero() {
		t.Errorf("%+v, %v", turn, err)
	}
	if len(r.post.sent) != 1 || len(r.post.durable) != 0 {
		t.Errorf("%d replies sent, %d owed", len(r.post.sent), len(r.post.durable))
	}
	again, err := r.Utterance(t.Context(), r.utterance("m1", "add one and then add one"))
	if err != nil || again.Reply.Speech != turn.Reply.Speech {
		t.Errorf("%+v, %v", again, err)
	}
}

// What the parts before it took does not make a part late.
func TestALongPartMakesNoOtherLate(t *testing.T) {
	r := newRoad(t)
	r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
		r.clock.Advance(25 * time.Second)
		return addOne(call)
	}
	if turn := r.say(t, "m1", "add one and then add one and then add one"); turn.Reply.Error != nil || turn.Reply.Speech != "1. 2. 3." {
		t.Errorf("%+v", turn.Reply)
	}
}
