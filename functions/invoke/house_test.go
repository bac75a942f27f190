package invoke_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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
	*holds
	t      testing.TB
	spec   runtime.Spec
	clock  *assistant.ManualClock
	driver *runtime.Processes
	prices *usage.PriceList
	loads  atomic.Int32
	calls  atomic.Int32 // for ids
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

// way is how the skill of a test may be called.
type way string

const (
	unary  way = "Invoke" // all that it offers
	stream way = "Serve"
)

// wayTest is a test of calls made in one way.
type wayTest struct {
	*testing.T
	way way
}

func bothWays(t *testing.T, test func(wayTest)) {
	t.Helper()
	for _, w := range []way{unary, stream} {
		t.Run(string(w), func(t *testing.T) { test(wayTest{t, w}) })
	}
}

type setup struct {
	way    way
	start  string // how the skill behaves when it starts
	limits runtime.Limits
	queue  int
}

func newHouse(tb testing.TB, s setup) *house {
	tb.Helper()
	if s.limits.Timeout == 0 {
		s.limits.Timeout = 2 * patience // the machine may be busy
	}
	h := &house{t: tb, holds: newHolds(tb), clock: assistant.NewManualClock(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))}
	h.spec = runtime.Spec{
		Skill: "probe", Version: "1", Dir: filepath.Dir(testSkill), Command: []string{"skill"},
		Env: map[string]string{"START": s.start}, Limits: s.limits,
	}
	if s.way == stream {
		h.spec.Env["STREAM"] = "1"
	}
	var err error
	if h.prices, err = usage.DefaultPrices(); err != nil {
		tb.Fatal(err)
	}
	if h.driver, err = runtime.NewProcesses(runtime.ProcessOptions{
		Logs: h.holds, StartTimeout: patience, Grace: 200 * time.Millisecond,
	}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.driver.Close(); err != nil {
			tb.Error(err)
		}
	})
	h.Invoker, err = invoke.New(invoke.Options{
		Driver: h.driver, Specs: h, Prices: h.prices, Clock: h.clock, Queue: s.queue, Grace: patience, Obituary: patience,
	})
	if err != nil {
		tb.Fatal(err)
	}
	h.stop = h.run(h.Invoker)
	return h
}

// holds makes calls that last as long as their test wants.
type holds struct {
	tb   testing.TB
	file string // ends the calls that are held
	n    atomic.Int32
}

func newHolds(tb testing.TB) *holds {
	tb.Helper()
	return &holds{tb: tb, file: filepath.Join(tb.TempDir(), "go")}
}

// Append counts what skills say of calls that they hold.
func (o *holds) Append(_ string, lines []runtime.LogLine) error {
	for _, l := range lines {
		if l.Line == "holding" {
			o.n.Add(1)
		}
	}
	return nil
}

// awaitHeld waits until so many calls have reached their skill since the start.
func (o *holds) awaitHeld(n int32) {
	o.tb.Helper()
	eventually(o.tb, "the skill has the calls", func() bool { return o.n.Load() >= n })
}

// letGo ends all calls that are held, and those that will be.
func (o *holds) letGo() {
	o.tb.Helper()
	if err := os.WriteFile(o.file, nil, 0o600); err != nil {
		o.tb.Fatal(err)
	}
}

// hold is a call that its skill answers after letGo.
func (h *house) hold() *assistant.Call { return h.call("Hold", h.file) }

func (h *house) call(intent, arg string) *assistant.Call {
	return &assistant.Call{
		ID: fmt.Sprint("i", h.calls.Add(1)), Turn: "t1", Home: assistant.Home{ID: "home1", Zone: "Europe/Berlin", Lang: "en"},
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

// patience is how long a test waits for what must happen, however busy the
// machine: only what is broken takes so long.
const patience = time.Minute

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-limit:
			tb.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

// run runs an Invoker until the test ends or the result is called.
func (h *house) run(v *invoke.Invoker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}
