// Package storetest is the contract of the stores as tests: a way to open an
// empty store comes in, and its failings go out through testing.T.
// It must not know which store it is, nor ask for more than single-document
// atomic operations can give.
//
//nolint:thelper // these functions are the tests themselves
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
)

// Store is everything that a store of Hark does.
type Store interface {
	assistant.TurnStore
	assistant.ScheduleStore
	assistant.OutboxStore
	assistant.HomeStore
	assistant.SkillStore
	assistant.UsageStore
	topic.CredentialStore
}

// Run holds a store to the contract. Each call of open gives an empty store,
// which open closes with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s Store)
	}{
		{"FindTurn", testFindTurn},
		{"CommitOnce", testCommitOnce},
		{"CommitOnceOfMany", testCommitOnceOfMany},
		{"CommitConflict", testCommitConflict},
		{"CommitGone", testCommitGone},
		{"CommitWhole", testCommitWhole},
		{"CommitAfterCancel", testCommitAfterCancel},
		{"States", testStates},
		{"Counter", testCounter},
		{"Turns", testTurns},
		{"ClaimDue", testClaimDue},
		{"ClaimOnce", testClaimOnce},
		{"NextDue", testNextDue},
		{"ReleaseClaims", testReleaseClaims},
		{"ClaimExcept", testClaimExcept},
		{"MaxSchedules", testMaxSchedules},
		{"SetSchedule", testSetSchedule},
		{"Schedules", testSchedules},
		{"Owed", testOwed},
		{"MaxOwed", testMaxOwed},
		{"OwedInOrder", testOwedInOrder},
		{"Settle", testSettle},
		{"Expired", testExpired},
		{"ExpiredOnce", testExpiredOnce},
		{"Homes", testHomes},
		{"Devices", testDevices},
		{"Versions", testVersions},
		{"Live", testLive},
		{"Artifacts", testArtifacts},
		{"ArtifactsRefused", testArtifactsRefused},
		{"ArtifactsAtOnce", testArtifactsAtOnce},
		{"Usage", testUsage},
		{"UsageIsExact", testUsageIsExact},
		{"Credentials", testCredentials},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Reopen proves that a store has, when it is opened again, all that it
// acknowledged before. The function reopen closes s and opens it once more.
func Reopen(t *testing.T, open func(t *testing.T) Store, reopen func(t *testing.T, s Store) Store) {
	testReopen(t, open(t), reopen)
}

// at is a fixed day plus d, in whole milliseconds as every store keeps them.
func at(d time.Duration) time.Time {
	return time.Date(2026, time.March, 1, 8, 0, 0, 0, time.UTC).Add(d)
}

// turn is a plain turn of a home, received d after the fixed time.
func turn(id, home string, d time.Duration, calls ...assistant.Invocation) *assistant.Turn {
	return &assistant.Turn{
		ID: id, Kind: assistant.KindUtterance, Home: home, Device: "kitchen", Message: "m-" + id, Digest: "d-" + id,
		Text: "what time is it", Received: at(d), Finished: at(d + 20*time.Millisecond),
		Intent: &assistant.Intent{
			Skill: "clock", Name: "ask_time", Confidence: 0.9, Template: "en.yaml:3",
			Slots: map[string]assistant.Slot{"n": {Value: 5.0, Text: "five"}, "what": {Value: "时间"}, "now": {Value: true}},
		},
		Reply: &assistant.Reply{
			ID: "m-" + id, Turn: id, Session: "s", Speech: "it is eight", Lang: "en", Expect: assistant.ExpectNone,
			Skill: "clock", Version: "1.0.0-abc", Error: assistant.Errorf(assistant.CodeBusy, "later"),
		},
		ReplyTo:     assistant.ReplyTo{Topic: "hark/a/b/r", Correlation: []byte{0, 1, 255}},
		Invocations: calls,
		Trace:       []assistant.Stage{{Name: "nlu", Micros: 80, Cands: []assistant.TraceIntent{{Skill: "clock", Why: "best"}}}},
	}
}

func schedule(home, id string, d time.Duration) assistant.Schedule {
	return assistant.Schedule{
		ScheduleKey: assistant.ScheduleKey{Home: home, Skill: "timer", ID: id},
		Due:         at(d), Device: "kitchen", Lang: "en", Kind: "timer", Fallback: "a timer is over",
		Payload: json.RawMessage(`{"n":1}`),
	}
}

func message(id, device string, expires time.Time) assistant.Message {
	return assistant.Message{
		ID: id, Home: "home", Device: device, Kind: assistant.MessageSay, Created: at(0), Expires: expires,
		Say: &assistant.Say{Speech: "tea is ready " + id, Lang: "en", Kind: "timer"},
	}
}

// commit commits and must succeed.
func commit(t *testing.T, s Store, c *assistant.Commit) {
	t.Helper()
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatalf("Commit(%s): %v", c.Turn.ID, err)
	}
}

// set commits a turn that sets schedules.
func set(t *testing.T, s Store, id string, list ...assistant.Schedule) {
	t.Helper()
	commit(t, s, &assistant.Commit{Turn: turn(id, "home", 0), Set: list})
}

// must returns a value that came without an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// wantSame compares as JSON, in which a time is the same in every location of
// the same offset and nil is not an empty list.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	g, w := asJSON(t, got), asJSON(t, want)
	if g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// keys names what a list holds, for comparison at a glance.
func keys[T any](list []T, key func(T) string) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, key(v))
	}
	return out
}

func scheduleIDs(list []assistant.Schedule) []string {
	return keys(list, func(s assistant.Schedule) string { return s.Home + "/" + s.ID })
}

func messageIDs(list []assistant.Message) []string {
	return keys(list, func(m assistant.Message) string { return m.ID })
}

func turnIDs(list []assistant.Turn) []string {
	return keys(list, func(t assistant.Turn) string { return t.ID })
}

// together runs f n times at once and returns the first error.
func together(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	start := make(chan struct{})
	errs := make(chan error, n)
	for i := range n {
		go func() {
			<-start
			errs <- f(ctx, i)
		}()
	}
	close(start)
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
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

func ids(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return out
}
