package invoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/invoke"
	"github.com/hark-voice/hark/functions/runtime"
	"github.com/hark-voice/hark/functions/usage"
)

// house is an Invoker on real processes of one skill.
type house struct {
	*invoke.Invoker
	t      testing.TB
	spec   runtime.Spec
	clock  *assistant.ManualClock
	driver *runtime.Processes
	loads  atomic.Int32
	stop   func()
}

func (h *house) Spec(_ context.Context, skill, version string) (runtime.Spec, error) {
	h.loads.Add(1)
	if skill != "probe" {
		return runtime.Spec{}, fmt.Errorf("look up %s: %w", skill, assistant.ErrNotFound)
	}
	s := h.spec
	s.Version = version
	return s, nil
}

type setup struct {
	start  string // how the skill behaves when it starts
	limits runtime.Limits
	queue  int
}

func newHouse(tb testing.TB, s setup) *house {
	tb.Helper()
	h := &house{t: tb, clock: assistant.NewManualClock(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))}
	h.spec = runtime.Spec{
		Skill: "probe", Version: "1", Dir: filepath.Dir(testSkill), Command: []string{"skill"},
		Env: map[string]string{"START": s.start}, Limits: s.limits,
	}
	prices, err := usage.DefaultPrices()
	if err != nil {
		tb.Fatal(err)
	}
	if h.driver, err = runtime.NewProcesses(runtime.ProcessOptions{Grace: 200 * time.Millisecond}); err != nil {
		tb.Fatal(err)
	}
	h.Invoker, err = invoke.New(invoke.Options{Driver: h.driver, Specs: h, Prices: prices, Clock: h.clock, Queue: s.queue})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
		if err := h.driver.Close(); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(h.stop)
	return h
}

func (h *house) call(intent, arg string) *assistant.Call {
	return &assistant.Call{
		ID: "i1", Turn: "t1", Home: assistant.Home{ID: "home1", Zone: "Europe/Berlin", Lang: "en"},
		Device: assistant.Device{Home: "home1", ID: "kitchen", Area: "Kitchen"}, Lang: "en", Now: h.clock.Now(),
		Skill: "probe", Version: "1",
		Intent: &assistant.Intent{Skill: "probe", Name: intent, Slots: map[string]assistant.Slot{"arg": {Value: arg, Text: arg}}},
	}
}

// do calls and expects an answer.
func (h *house) do(intent, arg string) (string, assistant.Invocation) {
	h.t.Helper()
	a, records, err := h.Invoke(h.t.Context(), h.call(intent, arg))
	if err != nil {
		h.t.Fatalf("%s %s: %v", intent, arg, err)
	}
	if len(records) != 1 {
		h.t.Fatalf("%s: %d records", intent, len(records))
	}
	return a.Speech, records[0]
}

// refused calls and expects an error of the code whose message contains want.
func (h *house) refused(call *assistant.Call, code assistant.Code, want string) []assistant.Invocation {
	h.t.Helper()
	a, records, err := h.Invoke(h.t.Context(), call)
	checkError(h.t, err, code, want)
	if a != nil {
		h.t.Errorf("there is an answer besides the error: %+v", a)
	}
	return records
}

func checkError(tb testing.TB, err error, code assistant.Code, want string) {
	tb.Helper()
	var e *assistant.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, want) {
		tb.Fatalf("got error %v, want %s with %q", err, code, want)
	}
}

// status of the only version.
func (h *house) status() invoke.Status {
	h.t.Helper()
	all := h.Status()
	if len(all) != 1 {
		h.t.Fatalf("%d versions: %+v", len(all), all)
	}
	return all[0]
}

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	limit := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-ticker.C:
		case <-limit:
			tb.Fatalf("after 10 s still not: %s", what)
		}
	}
}

func TestFirstCallStartsTheSkill(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{MemoryMiB: 100}})
	speech, r := h.do("Echo", "hello")
	if speech != "hello" || !r.Cold {
		t.Fatalf("got %q, %+v", speech, r)
	}
	speech, r = h.do("Echo", "again")
	if speech != "again" || r.Cold || r.Instance == "" {
		t.Fatalf("got %q, %+v", speech, r)
	}
	if r.ID != "i1" || r.Skill != "probe" || r.Version != "1" || r.Outcome != assistant.OutcomeOK || r.MemoryMiB != 100 {
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
}

func TestRequestIsComplete(t *testing.T) {
	h := newHouse(t, setup{})
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
}

func TestScheduleEvent(t *testing.T) {
	h := newHouse(t, setup{})
	c := h.call("", "")
	c.Intent, c.Fired = nil, &assistant.Schedule{ScheduleKey: assistant.ScheduleKey{Home: "home1", Skill: "probe", ID: "tea"}, Payload: json.RawMessage(`{"a":1}`)}
	a, _, err := h.Invoke(t.Context(), c)
	if err != nil || a.Speech != `event tea {"a":1}` {
		t.Fatalf("got %+v, %v", a, err)
	}
}

func TestEffects(t *testing.T) {
	h := newHouse(t, setup{})
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
}

func TestOutcomes(t *testing.T) {
	h := newHouse(t, setup{})
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
		{"Sleep", "20s", assistant.OutcomeTimeout, assistant.CodeTimeout, "has not answered in time"},
	} {
		t.Run(c.intent, func(t *testing.T) {
			call := h.call(c.intent, c.arg)
			if c.outcome == assistant.OutcomeTimeout {
				call.Timeout = 100 * time.Millisecond
			}
			began := time.Now()
			records := h.refused(call, c.code, c.message)
			if took := time.Since(began); took > 2*time.Second {
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
}

func TestKilledInMidCall(t *testing.T) {
	h := newHouse(t, setup{})
	pid, first := h.do("PID", "")
	result := make(chan error, 1)
	go func() {
		_, _, err := h.Invoke(t.Context(), h.call("Sleep", "4s"))
		result <- err
	}()
	eventually(t, "the call is in flight", func() bool { return h.status().InFlight == 1 })
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	checkError(t, <-result, assistant.CodeSkillFailed, "signal: killed")
	if took := time.Since(began); took > time.Second {
		t.Errorf("the call learnt of it after %v", took)
	}
	_, next := h.do("Echo", "x")
	if next.Instance == first.Instance || !next.Cold {
		t.Errorf("the next call: %+v", next)
	}
}

func TestThousandAtOnce(t *testing.T) {
	h := newHouse(t, setup{queue: 1000, limits: runtime.Limits{Timeout: 30 * time.Second}})
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			want := strconv.Itoa(i)
			a, records, err := h.Invoke(t.Context(), h.call("Echo", want))
			if err != nil || a.Speech != want || len(records) != 1 {
				t.Errorf("call %d: %+v, %d records, %v", i, a, len(records), err)
			}
		})
	}
	wg.Wait()
	if n := len(h.status().Instances); n > 4 {
		t.Errorf("%d instances", n)
	}
}

func TestQueueIsBounded(t *testing.T) {
	h := newHouse(t, setup{queue: 2, limits: runtime.Limits{Concurrency: 1, MaxInstances: 1}})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if _, _, err := h.Invoke(t.Context(), h.call("Sleep", "400ms")); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
		if i == 0 {
			eventually(t, "the first call runs", func() bool { s := h.Status(); return len(s) == 1 && s[0].InFlight == 1 })
		}
	}
	eventually(t, "two calls wait", func() bool { return h.status().Waiting == 2 })
	if records := h.refused(h.call("Echo", ""), assistant.CodeBusy, "too many calls wait"); len(records) != 0 {
		t.Errorf("records of a call that never reached the skill: %+v", records)
	}
	wg.Wait()
}

func TestGrowsAndKeepsTheLimit(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{Concurrency: 2, MaxInstances: 3}})
	var wg sync.WaitGroup
	var seen sync.Map
	for range 20 {
		wg.Go(func() {
			_, records, err := h.Invoke(t.Context(), h.call("Sleep", "50ms"))
			if err != nil || len(records) != 1 {
				t.Error(err)
				return
			}
			seen.Store(records[0].Instance, true)
			if s := h.status(); s.InFlight > 6 || len(s.Instances)+s.Starting > 3 {
				t.Errorf("over the limits: %+v", s)
			}
		})
	}
	wg.Wait()
	n := 0
	seen.Range(func(any, any) bool { n++; return true })
	if n != 3 {
		t.Errorf("%d instances were used, want 3", n)
	}
}

func TestWaitingCallTimesOut(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{Concurrency: 1, MaxInstances: 1}})
	h.do("Echo", "")
	go func() { _, _, _ = h.Invoke(t.Context(), h.call("Sleep", "300ms")) }()
	eventually(t, "the instance is busy", func() bool { return h.status().InFlight == 1 })
	c := h.call("Echo", "")
	c.Timeout = 50 * time.Millisecond
	if records := h.refused(c, assistant.CodeTimeout, "all its instances are busy"); len(records) != 0 {
		t.Errorf("records %+v", records)
	}
	eventually(t, "the instance is free", func() bool { s := h.status(); return s.InFlight == 0 && s.Waiting == 0 })
}

func TestHangingInstanceIsReplaced(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{MaxInstances: 1}})
	pid, first := h.do("PID", "")
	n, _ := strconv.Atoi(pid)
	if err := syscall.Kill(n, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c := h.call("Echo", "")
		c.Timeout = 20 * time.Millisecond
		h.refused(c, assistant.CodeTimeout, "let the deadline pass")
	}
	if _, next := h.do("Echo", ""); next.Instance == first.Instance {
		t.Error("the instance that hangs is still in use")
	}
}

func TestDoesNotStart(t *testing.T) {
	h := newHouse(t, setup{start: "exit"})
	for range 10 {
		records := h.refused(h.call("Echo", ""), assistant.CodeSkillFailed, "panic: no such city: Atlantis")
		if len(records) != 0 {
			t.Errorf("records %+v", records)
		}
	}
	s := h.status()
	if !strings.Contains(s.Failure, "exit status 3") {
		t.Errorf("status %+v", s)
	}
	_, _, err := h.Invoke(t.Context(), h.call("Echo", ""))
	if e := assistant.AsError(err); e.RetryAfterMS <= 0 {
		t.Errorf("a skill in a crash loop is started without a pause: %v", err)
	}
}

func TestStartTakesLongerThanTheCall(t *testing.T) {
	h := newHouse(t, setup{start: "hang"})
	c := h.call("Echo", "")
	c.Timeout = 50 * time.Millisecond
	h.refused(c, assistant.CodeTimeout, "no instance has started yet")
}

func TestUnknownSkill(t *testing.T) {
	h := newHouse(t, setup{})
	c := h.call("Echo", "")
	c.Skill = "nobody"
	h.refused(c, assistant.CodeNoSkill, "is not deployed")
	c = h.call("Echo", "")
	c.Intent = nil
	h.refused(c, assistant.CodeBadRequest, "an intent or a schedule")
}

func TestIdleStop(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{Idle: 50 * time.Millisecond, MinInstances: 1, Concurrency: 1}})
	_, first := h.do("Echo", "")
	eventually(t, "the idle instance is gone", func() bool { return len(h.status().Instances) == 0 })
	_, second := h.do("Echo", "")
	if !second.Cold || second.Instance == first.Instance {
		t.Errorf("got %+v", second)
	}
	if err := h.Warm(t.Context(), "probe", "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one is kept", func() bool { return len(h.status().Instances) == 1 })
	kept := h.status().Instances[0]
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { h.do("Sleep", "100ms") })
	}
	wg.Wait()
	eventually(t, "back to one", func() bool { return len(h.status().Instances) == 1 })
	pid, r := h.do("PID", "")
	if r.Cold {
		t.Errorf("a skill that is kept warm started cold (%s was kept)", kept)
	}
	n, _ := strconv.Atoi(pid)
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is replaced", func() bool {
		s := h.status()
		return len(s.Instances) == 1 && s.Instances[0] != r.Instance
	})
}

func TestDrain(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{Concurrency: 1, MaxInstances: 2}})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, _, err := h.Invoke(t.Context(), h.call("Sleep", "50ms")); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "calls run and wait", func() bool { s := h.Status(); return len(s) == 1 && s[0].InFlight == 2 && s[0].Waiting > 0 })
	h.Drain(t.Context(), "probe", "1")
	if s := h.Status(); len(s) != 0 {
		t.Errorf("still there: %+v", s)
	}
	wg.Wait()
	if speech, r := h.do("Echo", "late"); speech != "late" || !r.Cold {
		t.Errorf("a late call: %q %+v", speech, r)
	}
	h.Drain(t.Context(), "probe", "none such")
}

func TestDrainHurries(t *testing.T) {
	h := newHouse(t, setup{})
	h.do("Echo", "")
	result := make(chan error, 1)
	go func() {
		_, _, err := h.Invoke(t.Context(), h.call("Sleep", "4s"))
		result <- err
	}()
	eventually(t, "the call is in flight", func() bool { return h.status().InFlight == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	h.Drain(ctx, "probe", "1")
	checkError(t, <-result, assistant.CodeSkillFailed, "it was stopped")
}

// No call is lost or refused while versions are drained under load.
func TestDrainUnderLoad(t *testing.T) {
	h := newHouse(t, setup{})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := h.Invoke(t.Context(), h.call("Echo", "x")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 10 {
		eventually(t, "a call", func() bool { s := h.Status(); return len(s) > 0 && s[0].InFlight > 0 })
		h.Drain(t.Context(), "probe", "1")
	}
	close(stop)
	wg.Wait()
}

// Whatever dies, every call ends soon, well or with an apology, and is metered
// once if it was made.
func TestKillingUnderLoad(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{Concurrency: 4, MaxInstances: 3}})
	stop := make(chan struct{})
	var well, badly atomic.Int32
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				want := strconv.Itoa(i)
				began := time.Now()
				a, records, err := h.Invoke(t.Context(), h.call("Echo", want))
				switch e := assistant.AsError(err); {
				case err == nil && a.Speech == want && len(records) == 1:
					well.Add(1)
				case err != nil && e.Code == assistant.CodeSkillFailed && len(records) <= 1:
					badly.Add(1)
				default:
					t.Errorf("got %+v, %+v, %v", a, records, err)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("a call took %v", took)
				}
			}
		})
	}
	for range 15 {
		before := well.Load()
		eventually(t, "calls are answered", func() bool { return well.Load() > before+20 })
		a, _, err := h.Invoke(t.Context(), h.call("PID", ""))
		if err != nil {
			continue // it was its turn to die
		}
		pid, err := strconv.Atoi(a.Speech)
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	close(stop)
	wg.Wait()
	t.Logf("%d answered, %d failed", well.Load(), badly.Load())
	if s := h.status(); s.InFlight != 0 || s.Waiting != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestTrial(t *testing.T) {
	h := newHouse(t, setup{})
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
}

func TestRunEnds(t *testing.T) {
	h := newHouse(t, setup{})
	if _, err := h.Try(t.Context(), h.spec); err != nil { // forgotten
		t.Fatal(err)
	}
	h.do("Echo", "")
	result := make(chan error, 1)
	go func() {
		_, _, err := h.Invoke(t.Context(), h.call("Sleep", "100ms"))
		result <- err
	}()
	eventually(t, "the call is in flight", func() bool { return h.status().InFlight == 1 })
	h.stop()
	if err := <-result; err != nil {
		t.Errorf("a call in flight was not finished: %v", err)
	}
	h.refused(h.call("Echo", ""), assistant.CodeBusy, "shutting down")
}

func TestCPUIsShared(t *testing.T) {
	h := newHouse(t, setup{limits: runtime.Limits{Timeout: 20 * time.Second}})
	h.do("Echo", "")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var sum time.Duration
	for range 4 {
		wg.Go(func() {
			_, r := h.do("Burn", "200ms")
			mu.Lock()
			defer mu.Unlock()
			sum += r.CPU
			if r.CPU <= 0 || r.CPU > r.Wall+50*time.Millisecond {
				t.Errorf("cpu %v in %v", r.CPU, r.Wall)
			}
		})
	}
	wg.Wait()
	// The skill runs on one processor, so that four calls cannot use more than the
	// wall time of the longest; on a busy machine, they use less.
	if sum < 50*time.Millisecond || sum > 2*time.Second {
		t.Errorf("the calls used %v in all", sum)
	}
	if _, r := h.do("Sleep", "100ms"); r.CPU > 50*time.Millisecond {
		t.Errorf("a sleeping call is charged %v", r.CPU)
	}
}
