package invoke_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/runtime"
)

func TestFirstCallStartsTheSkill(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, limits: runtime.Limits{MemoryMiB: 100}})
		speech, r := h.do("Echo", "hello")
		if speech != "hello" || !r.Cold {
			t.Fatalf("got %q, %+v", speech, r)
		}
		speech, r = h.do("Echo", "again")
		if speech != "again" || r.Cold || r.Instance == "" {
			t.Fatalf("got %q, %+v", speech, r)
		}
		if r.ID != "i2" || r.Skill != "probe" || r.Version != "1" || r.Outcome != assistant.OutcomeOK || r.MemoryMiB != 100 {
			t.Errorf("record %+v", r)
		}
		if r.Wall < time.Millisecond || r.Wall%time.Millisecond != 0 {
			t.Errorf("wall time %v is not in whole milliseconds", r.Wall)
		}
		if least := int64(7500 + 14); r.MicroCU < least { // one ms of 100 MiB is 14.6
			t.Errorf("price %d, want %d at least", r.MicroCU, least)
		}
		if n := h.loads.Load(); n != 1 {
			t.Errorf("the spec was loaded %d times", n)
		}
	})
}

func TestRequestIsComplete(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		c := h.call("Request", "")
		c.Person, c.Text, c.Session, c.NewSession = "ada", "how long", "s1", true
		c.State = assistant.State{Revision: 7, Value: json.RawMessage(`{"n":1}`)}
		c.Intent.Slots["n"] = assistant.Slot{Value: 90.0, Text: "ninety"}
		c.Timeout = 2 * time.Second
		a, _, err := h.Invoke(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		now := h.clock.Now().UnixMilli()
		want := fmt.Sprintf(`{"area":"Kitchen","deadline":%d,"device":"kitchen","home":"home1","invocation":"i1","locale":"en","n":90,"new":true,"now":%d,"person":"ada","revision":7,"session":"s1","state":"{\"n\":1}","text":"how long","turn":"t1","zone":"Europe/Berlin"}`, now+2000, now)
		if a.Speech != want {
			t.Errorf("the skill saw\n%s\nwant\n%s", a.Speech, want)
		}
	})
}

func TestScheduleEvent(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		c := h.call("", "")
		c.Intent, c.Fired = nil, &assistant.Schedule{ScheduleKey: assistant.ScheduleKey{Home: "home1", Skill: "probe", ID: "tea"}, Payload: json.RawMessage(`{"a":1}`)}
		a, _, err := h.Invoke(t.Context(), c)
		if err != nil || a.Speech != `event tea {"a":1}` {
			t.Fatalf("got %+v, %v", a, err)
		}
	})
}

func TestEffects(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		a, _, err := h.Invoke(t.Context(), h.call("Schedule", ""))
		if err != nil {
			t.Fatal(err)
		}
		want := assistant.Schedule{
			ScheduleKey: assistant.ScheduleKey{Home: "home1", Skill: "probe", ID: "t1"},
			Due:         h.clock.Now().Add(5 * time.Second), Device: "kitchen", Lang: "en",
			Payload: json.RawMessage(`{"a":1}`), Kind: "timer", Fallback: "time is up",
		}
		if len(a.Set) != 1 || !a.Set[0].Due.Equal(want.Due) {
			t.Fatalf("schedules %+v", a.Set)
		}
		a.Set[0].Due = want.Due // of another location
		if fmt.Sprint(a.Set[0]) != fmt.Sprint(want) || fmt.Sprint(a.Cancel) != "[t0]" || string(a.State) != `{"n":1}` {
			t.Errorf("got %+v", a)
		}
	})
}

func TestOutcomes(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		for _, c := range []struct {
			intent, arg string
			outcome     assistant.Outcome
			code        assistant.Code
			message     string
		}{
			{"Fail", "", assistant.OutcomeFailed, assistant.CodeSkillFailed, "it returned InvalidArgument: the city is unknown"},
			{"Huge", "", assistant.OutcomeInvalid, assistant.CodeSkillFailed, "larger than 1048576 bytes"},
			{"Echo", strings.Repeat("x", 4001), assistant.OutcomeInvalid, assistant.CodeSkillFailed, "speech has 4001 characters"},
			{"Ask", "", assistant.OutcomeInvalid, assistant.CodeSkillFailed, "a dialogue directive: this version of Hark does not support it yet"},
			{"Crash", "", assistant.OutcomeFailed, assistant.CodeSkillFailed, "exit status 2; it wrote last: panic: index out of range"},
		} {
			t.Run(c.intent, func(t *testing.T) {
				call := h.call(c.intent, c.arg)
				began := time.Now()
				records := h.refused(call, c.code, c.message)
				if took := time.Since(began); took > patience/2 {
					t.Errorf("it took %v", took)
				}
				if len(records) != 1 || records[0].Outcome != c.outcome {
					t.Errorf("records %+v", records)
				}
				if speech, _ := h.do("Echo", "well"); speech != "well" {
					t.Errorf("the next call: %q", speech)
				}
			})
		}
	})
}

// deadline is a context whose deadline passes when its test says so.
type deadline struct {
	context.Context

	passed chan struct{}
}

func newDeadline(tb testing.TB) *deadline {
	tb.Helper()
	return &deadline{tb.Context(), make(chan struct{})}
}

func (c *deadline) Done() <-chan struct{} { return c.passed }

func (c *deadline) Err() error {
	select {
	case <-c.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A call that has reached the skill and is not answered in time is metered as
// such, and its instance serves on.
func TestDeadlinePasses(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		ctx := newDeadline(t)
		result := make(chan error, 1)
		var a *assistant.Answer
		var records []assistant.Invocation
		go func() {
			var err error
			a, records, err = h.Invoke(ctx, h.hold())
			result <- err
		}()
		h.awaitHeld(1)
		close(ctx.passed)
		checkError(t, <-result, assistant.CodeTimeout, "has not answered in time")
		if a != nil || len(records) != 1 || records[0].Outcome != assistant.OutcomeTimeout {
			t.Errorf("answer %+v, records %+v", a, records)
		}
		if speech, r := h.do("Echo", "well"); speech != "well" || r.Cold {
			t.Errorf("the next call: %q, %+v", speech, r)
		}
	})
}

func TestKilledInMidCall(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		pid, first := h.do("PID", "")
		result := make(chan error, 1)
		go func() {
			_, _, err := h.Invoke(t.Context(), h.hold())
			result <- err
		}()
		h.awaitHeld(1)
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		checkError(t, <-result, assistant.CodeSkillFailed, "signal: killed")
		if took := time.Since(began); took > patience/2 {
			t.Errorf("the call learnt of it after %v", took)
		}
		_, next := h.do("Echo", "x")
		if next.Instance == first.Instance || !next.Cold {
			t.Errorf("the next call: %+v", next)
		}
	})
}

func TestUnknownSkill(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		c := h.call("Echo", "")
		c.Skill = "nobody"
		h.refused(c, assistant.CodeNoSkill, "is not deployed")
		c = h.call("Echo", "")
		c.Intent = nil
		h.refused(c, assistant.CodeBadRequest, "an intent or a schedule")
	})
}

func TestTrial(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		trial, err := h.Try(t.Context(), h.spec)
		if err != nil {
			t.Fatal(err)
		}
		a, err := trial.Call(t.Context(), h.call("Echo", "tried"))
		if err != nil || a.Speech != "tried" {
			t.Fatalf("got %+v, %v", a, err)
		}
		if err := trial.Keep(); err != nil {
			t.Fatal(err)
		}
		if err := trial.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, r := h.do("Echo", ""); r.Cold {
			t.Error("the instance that was tried is not used")
		}
		other, err := h.Try(t.Context(), h.spec)
		if err != nil {
			t.Fatal(err)
		}
		_, err = other.Call(t.Context(), h.call("Crash", ""))
		checkError(t, err, assistant.CodeSkillFailed, "exit status 2")
		if err := other.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		bad := h.spec
		bad.Env = map[string]string{"START": "exit"}
		if _, err := h.Try(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "Atlantis") {
			t.Errorf("got %v", err)
		}
	})
}

func TestRunEnds(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		if _, err := h.Try(t.Context(), h.spec); err != nil { // forgotten
			t.Fatal(err)
		}
		h.do("Echo", "")
		result := make(chan error, 1)
		go func() {
			_, _, err := h.Invoke(t.Context(), h.hold())
			result <- err
		}()
		h.awaitHeld(1)
		stopped := make(chan struct{})
		go func() { h.stop(); close(stopped) }()
		eventually(t, "it takes no more calls", func() bool {
			_, _, err := h.Invoke(t.Context(), h.call("Echo", ""))
			return err != nil
		})
		h.letGo()
		<-stopped
		if err := <-result; err != nil {
			t.Errorf("a call in flight was not finished: %v", err)
		}
		h.refused(h.call("Echo", ""), assistant.CodeBusy, "shutting down")
	})
}

// usedCPU is the processor time of the only instance, as that sees it itself.
func (h *house) usedCPU() time.Duration {
	h.t.Helper()
	speech, _ := h.do("CPU", "")
	used, err := time.ParseDuration(speech)
	if err != nil {
		h.t.Fatal(err)
	}
	return used
}

func TestCPUIsShared(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		before := h.usedCPU()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var sum time.Duration
		for range 4 {
			wg.Go(func() {
				_, r := h.do("Burn", "200ms")
				mu.Lock()
				defer mu.Unlock()
				sum += r.CPU
				if r.CPU <= 0 {
					t.Errorf("cpu %v in %v", r.CPU, r.Wall)
				}
			})
		}
		wg.Wait()
		// What a call saw being used while it ran was used by all four, so that
		// together they are charged what the process used and no more.
		if used := h.usedCPU() - before; sum < 180*time.Millisecond || sum > used+20*time.Millisecond {
			t.Errorf("the calls are charged %v in all, the skill used %v", sum, used)
		}
		if _, r := h.do("Sleep", "100ms"); r.CPU > 50*time.Millisecond {
			t.Errorf("a sleeping call is charged %v", r.CPU)
		}
	})
}
