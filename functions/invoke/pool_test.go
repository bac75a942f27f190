package invoke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
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
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestThousandAtOnce(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, queue: 1000})
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
	})
}

func TestQueueIsBounded(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, queue: 2, limits: runtime.Limits{Concurrency: 1, MaxInstances: 1}})
		h.do("Echo", "")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, _, err := h.Invoke(ctx, h.hold())
				checkError(t, err, assistant.CodeTimeout, "was given up")
			})
		}
		eventually(t, "one call runs and two wait", func() bool {
			s := h.Status()
			return len(s) == 1 && s[0].InFlight == 1 && s[0].Waiting == 2
		})
		if records := h.refused(h.call("Echo", ""), assistant.CodeBusy, "too many calls wait"); len(records) != 0 {
			t.Errorf("records of a call that never reached the skill: %+v", records)
		}
		cancel()
		wg.Wait()
	})
}

func TestGrowsAndKeepsTheLimit(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, limits: runtime.Limits{Concurrency: 2, MaxInstances: 3}})
		var wg sync.WaitGroup
		var seen sync.Map
		within := func() invoke.Status {
			s := h.status()
			if s.InFlight > 6 || len(s.Instances)+s.Starting > 3 {
				t.Errorf("over the limits: %+v", s)
			}
			return s
		}
		for range 20 {
			wg.Go(func() {
				_, records, err := h.Invoke(t.Context(), h.hold())
				if err != nil || len(records) != 1 {
					t.Error(err)
					return
				}
				seen.Store(records[0].Instance, true)
				within()
			})
		}
		h.awaitHeld(6)
		eventually(t, "the others wait", func() bool { s := within(); return s.InFlight == 6 && s.Waiting == 14 })
		h.letGo()
		wg.Wait()
		n := 0
		seen.Range(func(any, any) bool { n++; return true })
		if n != 3 {
			t.Errorf("%d instances were used, want 3", n)
		}
	})
}

func TestWaitingCallTimesOut(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, limits: runtime.Limits{Concurrency: 1, MaxInstances: 1}})
		var wg sync.WaitGroup
		wg.Go(func() { h.do("Hold", h.file) })
		h.awaitHeld(1)
		c := h.call("Echo", "")
		c.Timeout = 50 * time.Millisecond
		if records := h.refused(c, assistant.CodeTimeout, "all its instances are busy"); len(records) != 0 {
			t.Errorf("records %+v", records)
		}
		h.letGo()
		wg.Wait()
		if s := h.status(); s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("left over: %+v", s)
		}
	})
}

func TestHangingInstanceIsReplaced(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, limits: runtime.Limits{MaxInstances: 1}})
		pid, first := h.do("PID", "")
		n, _ := strconv.Atoi(pid)
		if err := syscall.Kill(n, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the process has stopped", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n))
			return err == nil && strings.Contains(string(stat), ") T ")
		})
		for range 3 {
			c := h.call("Echo", "")
			c.Timeout = 20 * time.Millisecond
			h.refused(c, assistant.CodeTimeout, "let the deadline pass")
		}
		if _, next := h.do("Echo", ""); next.Instance == first.Instance {
			t.Error("the instance that hangs is still in use")
		}
	})
}

func TestDoesNotStart(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, start: "exit"})
		paused := false
		for range 10 {
			_, records, err := h.Invoke(t.Context(), h.call("Echo", ""))
			checkError(t, err, assistant.CodeSkillFailed, "panic: no such city: Atlantis")
			if len(records) != 0 {
				t.Errorf("records %+v", records)
			}
			paused = paused || assistant.AsError(err).RetryAfterMS > 0
		}
		s := h.status()
		if !strings.Contains(s.Failure, "exit status 3") {
			t.Errorf("status %+v", s)
		}
		// The pause doubles with each start, so that not each call can come after it.
		if !paused {
			t.Error("a skill in a crash loop is started without a pause")
		}
	})
}

func TestStartTakesLongerThanTheCall(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, start: "hang"})
		c := h.call("Echo", "")
		c.Timeout = 50 * time.Millisecond
		h.refused(c, assistant.CodeTimeout, "no instance has started yet")
	})
}

func TestIdleStop(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, limits: runtime.Limits{Idle: 50 * time.Millisecond, MinInstances: 1, Concurrency: 1}})
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
	})
}

// watched is a context that tells when somebody begins to wait for its end.
type watched struct {
	context.Context

	wait func()
}

func (c *watched) Done() <-chan struct{} {
	c.wait()
	return c.Context.Done()
}

func TestDrain(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, limits: runtime.Limits{Concurrency: 1, MaxInstances: 2}})
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, _, err := h.Invoke(t.Context(), h.hold()); err != nil {
					t.Error(err)
				}
			})
		}
		h.awaitHeld(2)
		eventually(t, "the others wait", func() bool { return h.status().Waiting == 4 })
		h.Drain(&watched{t.Context(), sync.OnceFunc(h.letGo)}, "probe", "1")
		if s := h.Status(); len(s) != 0 {
			t.Errorf("still there: %+v", s)
		}
		wg.Wait()
		if speech, r := h.do("Echo", "late"); speech != "late" || !r.Cold {
			t.Errorf("a late call: %q %+v", speech, r)
		}
		h.Drain(t.Context(), "probe", "none such")
	})
}

func TestDrainHurries(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		h.do("Echo", "")
		result := make(chan error, 1)
		go func() {
			_, _, err := h.Invoke(t.Context(), h.hold())
			result <- err
		}()
		h.awaitHeld(1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		h.Drain(ctx, "probe", "1")
		checkError(t, <-result, assistant.CodeSkillFailed, "it was stopped")
	})
}

// No call is lost or refused while versions are drained under load.
func TestDrainUnderLoad(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
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
	})
}

// Whatever dies, every call ends soon, well or with an apology, and is metered
// once if it was made.
func TestKillingUnderLoad(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way, limits: runtime.Limits{Concurrency: 4, MaxInstances: 3}})
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
					if took := time.Since(began); took > patience/2 {
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
	})
}

// deadFirst is a driver whose first instance has lost its connection.
type deadFirst struct {
	runtime.Driver
	first atomic.Bool
}

func (d *deadFirst) Start(ctx context.Context, spec runtime.Spec) (runtime.Instance, error) {
	i, err := d.Driver.Start(ctx, spec)
	if err != nil || !d.first.CompareAndSwap(false, true) {
		return i, err
	}
	conn, err := grpc.NewClient("passthrough:///dead", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, io.EOF }))
	return &deadInstance{i, conn}, err
}

type deadInstance struct {
	runtime.Instance
	conn *grpc.ClientConn
}

func (i *deadInstance) Conn() grpc.ClientConnInterface { return i.conn }

func (i *deadInstance) Stop(ctx context.Context) error {
	return errors.Join(i.conn.Close(), i.Instance.Stop(ctx))
}

// A call that cannot have been seen is given to another instance, and is metered once.
func TestCallThatNeverArrivedIsRepeated(t *testing.T) {
	bothWays(t, func(t wayTest) {
		h := newHouse(t, setup{way: t.way})
		driver := &deadFirst{Driver: h.driver}
		v, err := invoke.New(invoke.Options{Driver: driver, Specs: h, Prices: h.prices})
		if err != nil {
			t.Fatal(err)
		}
		h.run(v)
		a, records, err := v.Invoke(t.Context(), h.call("Echo", "x"))
		if err != nil || a.Speech != "x" || len(records) != 1 {
			t.Errorf("got %+v, %+v, %v", a, records, err)
		}
		if !driver.first.Load() {
			t.Error("the dead instance was never started")
		}
	})
}
