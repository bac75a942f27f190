package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// aTurn is the n-th turn, of the size that a plain utterance makes.
func aTurn(n int64) *assistant.Turn {
	id := turnID(n)
	now := time.Date(2026, time.March, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	return &assistant.Turn{
		ID: id, Kind: assistant.KindUtterance, Home: "home", Device: "kitchen", Message: "m", Digest: "3f9a0c12b7e43f9a0c12b7e4",
		Text: "what time is it", Received: now, Finished: now.Add(4 * time.Millisecond),
		Intent: &assistant.Intent{Skill: "clock", Name: "ask_time", Confidence: 1, Template: "en.yaml:12"},
		Reply: &assistant.Reply{
			ID: "m", Turn: id, Session: "0123456789", Speech: "It is eight o'clock.", Lang: "en",
			Expect: assistant.ExpectNone, Skill: "clock", Version: "1.0.0-3f9a0c12b7e4",
		},
		Invocations: []assistant.Invocation{{
			ID: id + ".0", Skill: "clock", Version: "1.0.0-3f9a0c12b7e4", Outcome: assistant.OutcomeOK,
			Wall: 2 * time.Millisecond, CPU: time.Millisecond, MemoryMiB: 64, MicroCU: 12,
		}},
		Trace: []assistant.Stage{{Name: "nlu", Micros: 90}, {Name: "invoke", Micros: 1500}},
	}
}

func turnID(n int64) string {
	id, _ := assistant.MessageTurnID("home", "kitchen", strconv.FormatInt(n, 10), time.Unix(0, 0))
	return id
}

// withEffects is a commit that changes a state of its own, sets a schedule and
// owes a reply.
func withEffects(n int64) *assistant.Commit {
	turn := aTurn(n)
	id := turn.ID
	expires := turn.Received.Add(time.Minute)
	return &assistant.Commit{
		Turn: turn,
		State: &assistant.StateChange{
			Key:   assistant.StateKey{Home: "home", Skill: "timer", Scope: id},
			Value: json.RawMessage(`{"timers":[{"id":"a","name":"tea","due":1772355600000}]}`),
		},
		Set: []assistant.Schedule{{
			ScheduleKey: assistant.ScheduleKey{Home: id, Skill: "timer", ID: id},
			Due:         expires, Device: "kitchen", Lang: "en", Kind: "timer",
		}},
		Messages: []assistant.Message{{
			ID: assistant.EffectID(id, 0), Home: "home", Device: id, Kind: assistant.MessageReply,
			Created: turn.Received, Expires: expires, Reply: turn.Reply,
		}},
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, effects := range []bool{false, true} {
		for _, writers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("effects=%t/writers=%d", effects, writers), func(b *testing.B) {
				s := openAt(b, b.TempDir())
				var n atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				spread(b, writers, b.N, func() error {
					if effects {
						return s.Commit(b.Context(), withEffects(n.Add(1)))
					}
					return s.Commit(b.Context(), &assistant.Commit{Turn: aTurn(n.Add(1))})
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// spread runs f times in so many goroutines.
func spread(b *testing.B, goroutines, times int, f func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(times))
	errs := make(chan error, goroutines)
	for range goroutines {
		go func() {
			var err error
			for err == nil && left.Add(-1) >= 0 {
				err = f()
			}
			errs <- err
		}()
	}
	for range goroutines {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFindTurn(b *testing.B) {
	s := openAt(b, b.TempDir())
	const stored = 20_000
	var n atomic.Int64
	spread(b, 100, stored, func() error {
		return s.Commit(b.Context(), &assistant.Commit{Turn: aTurn(n.Add(1))})
	})
	hits, misses := make([]string, stored), make([]string, stored)
	for i := range int64(stored) {
		hits[i], misses[i] = turnID(i+1), turnID(-i-1)
	}
	for _, c := range []struct {
		name    string
		readers int
		ids     []string
		want    error
	}{
		{"miss/readers=1", 1, misses, assistant.ErrNotFound},
		{"miss/readers=16", 16, misses, assistant.ErrNotFound},
		{"hit/readers=1", 1, hits, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			var n atomic.Int64
			b.ReportAllocs()
			spread(b, c.readers, b.N, func() error {
				i := n.Add(1)
				_, err := s.FindTurn(b.Context(), c.ids[i%stored], c.ids[(i+1)%stored])
				if !errors.Is(err, c.want) {
					return fmt.Errorf("%s: %w", c.ids[i%stored], err)
				}
				return nil
			})
		})
	}
}

// BenchmarkRoad is what the road of an utterance asks of the store: 50 devices
// that each wait for their answer.
func BenchmarkRoad(b *testing.B) {
	for _, stateful := range []bool{false, true} {
		b.Run(fmt.Sprintf("stateful=%t", stateful), func(b *testing.B) {
			s := openAt(b, b.TempDir())
			var n atomic.Int64
			cpu := cpuTime(b)
			b.ReportAllocs()
			b.ResetTimer()
			spread(b, 50, b.N, func() error { return alongRoad(b.Context(), s, n.Add(1), stateful) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "turns/s")
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/turn")
		})
	}
}

func alongRoad(ctx context.Context, s *Store, n int64, stateful bool) error {
	turn := aTurn(n)
	if _, err := s.FindTurn(ctx, turn.ID, turn.ID+"x"); !errors.Is(err, assistant.ErrNotFound) {
		return fmt.Errorf("a turn that never was: %w", err)
	}
	device := strconv.FormatInt(n%50, 10)
	c := &assistant.Commit{Turn: turn, Messages: []assistant.Message{{
		ID: assistant.EffectID(turn.ID, 0), Home: "home", Device: device, Kind: assistant.MessageReply,
		Created: turn.Received, Expires: turn.Received.Add(time.Minute), Reply: turn.Reply,
	}}}
	if stateful {
		key := assistant.StateKey{Home: device, Skill: "tally", Scope: "home"}
		st, err := s.State(ctx, key)
		if err != nil {
			return err
		}
		c.State = &assistant.StateChange{Key: key, Base: st.Revision, Value: json.RawMessage(`{"count":` + strconv.FormatInt(n, 10) + `}`)}
	}
	if err := s.Commit(ctx, c); err != nil && !errors.Is(err, assistant.ErrConflict) {
		return err
	}
	return s.Settle(ctx, c.Messages[0].ID)
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
