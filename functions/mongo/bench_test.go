package mongo

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver" //nolint:depguard // the server that this room's tests need is no part of the road
	"github.com/hark-voice/hark/functions/assistant"
)

// BenchmarkCommit measures the store with its server. Against the server for
// tests, it is that server that is measured most.
func BenchmarkCommit(b *testing.B) {
	for _, effects := range []bool{false, true} {
		for _, writers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("effects=%t/writers=%d", effects, writers), func(b *testing.B) {
				s := openAt(b, database(b, mongoserver.Start(b)))
				var n, left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				err := together(writers, func(int) error {
					for left.Add(-1) >= 0 {
						if err := s.Commit(b.Context(), benchCommit(n.Add(1), effects)); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// benchCommit owes a reply and, with effects, changes a state of its own and
// sets a schedule.
func benchCommit(n int64, effects bool) *assistant.Commit {
	id := "t" + strconv.FormatInt(n, 10)
	c := &assistant.Commit{Turn: aTurn(id), Messages: []assistant.Message{aMessage(id + ".0")}}
	if effects {
		c.State = &assistant.StateChange{
			Key: assistant.StateKey{Home: "home", Skill: "timer", Scope: id}, Value: json.RawMessage(`{"timers":[{"id":"a"}]}`),
		}
		c.Set = []assistant.Schedule{aSchedule(id, time.Hour)}
	}
	return c
}

// BenchmarkRecord measures reports of one reading, which the state of a sensor
// follows.
func BenchmarkRecord(b *testing.B) {
	for _, devices := range []int{1, 16, 128, 1024} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			s := openAt(b, database(b, mongoserver.Start(b)))
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			err := together(devices, func(d int) error {
				device := "d" + strconv.Itoa(d)
				for n := 0; left.Add(-1) >= 0; n++ {
					at := day.Add(time.Duration(n) * time.Second)
					err := s.Record(b.Context(), reportOf(device, newsOf(device, map[string]any{"state": float64(n)}, at), assistant.Reading{
						Home: "home", Device: device, Key: strconv.Itoa(n), At: at, Values: map[string]float64{"temperature": float64(n)},
					}))
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}
