package runtime_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/runtime"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
)

func spec(start string) runtime.Spec {
	return runtime.Spec{
		Skill: "probe", Version: "1.0.0", Dir: filepath.Dir(testSkill), Command: []string{"skill"},
		Env: map[string]string{"START": start},
	}
}

func newDriver(tb testing.TB, opts runtime.ProcessOptions) *runtime.Processes {
	tb.Helper()
	d, err := runtime.NewProcesses(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func start(tb testing.TB, d *runtime.Processes, s runtime.Spec) runtime.Instance {
	tb.Helper()
	i, err := d.Start(tb.Context(), s)
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

func call(ctx context.Context, i runtime.Instance, intent, arg string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := pb.NewSkillClient(i.Conn()).Invoke(ctx, &pb.InvokeRequest{
		TurnId: "turn1",
		Request: &pb.InvokeRequest_Intent{Intent: &pb.IntentRequest{
			Name: intent, Slots: map[string]*pb.Slot{"arg": {Text: arg}},
		}},
	})
	return r.GetSpeech(), err
}

func mustCall(tb testing.TB, i runtime.Instance, intent, arg string) string {
	tb.Helper()
	got, err := call(tb.Context(), i, intent, arg)
	if err != nil {
		tb.Fatalf("%s: %v", intent, err)
	}
	return got
}

func pidOf(tb testing.TB, i runtime.Instance) int {
	tb.Helper()
	pid, err := strconv.Atoi(mustCall(tb, i, "PID", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return pid
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

// exists tells whether a process is there, be it a zombie.
func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

// running tells whether a process is there and no zombie. What a killed parent
// leaves behind is reaped by whoever adopts it, in its own time.
func running(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(raw), ") Z ")
}

func TestStartCallStop(t *testing.T) {
	for _, listen := range []runtime.Listen{"", runtime.ListenFD, runtime.ListenUnix} {
		t.Run("listen "+string(listen), func(t *testing.T) {
			d := newDriver(t, runtime.ProcessOptions{SocketDir: t.TempDir()})
			s := spec("")
			s.Listen = listen
			i := start(t, d, s)
			if got := mustCall(t, i, "Echo", "hello"); got != "hello" {
				t.Fatalf("got %q", got)
			}
			pid := pidOf(t, i)
			if err := i.Stop(t.Context()); err != nil || i.Err() != nil {
				t.Fatalf("stop: %v, %v", err, i.Err())
			}
			select {
			case <-i.Done():
			default:
				t.Error("Stop has returned before the instance was done")
			}
			if exists(pid) {
				t.Error("the process is still there, or a zombie")
			}
			if cpu, err := i.CPU(); err != nil || cpu <= 0 {
				t.Errorf("cpu of an instance that has ended: %v, %v", cpu, err)
			}
		})
	}
}

func TestSpecIsChecked(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{})
	for want, change := range map[string]func(*runtime.Spec){
		"a name is missing":             func(s *runtime.Spec) { s.Skill = "" },
		"no command":                    func(s *runtime.Spec) { s.Command = nil },
		"the folder":                    func(s *runtime.Spec) { s.Dir = "" },
		`listen "tcp" is unknown`:       func(s *runtime.Spec) { s.Listen = "tcp" },
		"HARK_HOME: names that begin":   func(s *runtime.Spec) { s.Env = map[string]string{"HARK_HOME": ""} },
		"= and NUL":                     func(s *runtime.Spec) { s.Env = map[string]string{"A=B": ""} },
		`the program "skil" is neither`: func(s *runtime.Spec) { s.Command = []string{"skil"} },
		"permission denied":             func(s *runtime.Spec) { s.Command = []string{"/"} },
	} {
		s := spec("")
		change(&s)
		if _, err := d.Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// deadline is a context whose deadline passes when a skill has logged a line.
type deadline struct {
	context.Context

	passed chan struct{}
	once   sync.Once
}

func (c *deadline) Append(string, []runtime.LogLine) error {
	c.once.Do(func() { close(c.passed) })
	return nil
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

func TestFailedStarts(t *testing.T) {
	for name, c := range map[string]struct {
		start   string
		command []string
		timeout time.Duration // zero: when it has logged a line
		want    []string
	}{
		"exit":            {"exit", nil, patience, []string{"exit status 3", "before it was ready", "panic: no such city: Atlantis"}},
		"hang":            {"hang", nil, 0, []string{"not ready in time", "waiting for a database"}},
		"no health":       {"sick", nil, patience, []string{"does not serve grpc.health.v1.Health"}},
		"closed socket":   {"close", nil, 400 * time.Millisecond, []string{"not ready in time"}},
		"another program": {"", []string{"echo", "I am no skill"}, patience, []string{"exit status 0", "I am no skill"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, opts := t.Context(), runtime.ProcessOptions{StartTimeout: c.timeout}
			if c.timeout == 0 {
				logged := &deadline{Context: ctx, passed: make(chan struct{})}
				ctx, opts = logged, runtime.ProcessOptions{StartTimeout: patience, Logs: logged}
			}
			d := newDriver(t, opts)
			s := spec(c.start)
			if c.command != nil {
				s.Command = c.command
			}
			_, err := d.Start(ctx, s)
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
}

func TestStartIsCancelled(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{StartTimeout: patience})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := d.Start(ctx, spec("hang")); err == nil {
		t.Error("it started")
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
}

// A program that is still open for writing, as it is in a process that was forked
// while it was unpacked, is run once it is not.
func TestProgramIsBusy(t *testing.T) {
	s := spec("")
	s.Dir = t.TempDir()
	program, err := os.ReadFile(testSkill)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(s.Dir, "skill"), os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(program); err != nil {
		t.Fatal(err)
	}
	hasty := newDriver(t, runtime.ProcessOptions{StartTimeout: 50 * time.Millisecond})
	began := time.Now()
	if _, err := hasty.Start(t.Context(), s); !errors.Is(err, syscall.ETXTBSY) || time.Since(began) < 50*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	d := newDriver(t, runtime.ProcessOptions{StartTimeout: patience})
	result := make(chan error, 1)
	go func() {
		_, err := d.Start(t.Context(), s)
		result <- err
	}()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestCrash(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{})
	i := start(t, d, spec(""))
	began := time.Now()
	if got, err := call(t.Context(), i, "Crash", ""); err == nil {
		t.Fatalf("got %q", got)
	}
	<-i.Done()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v to notice", took)
	}
	var exit *runtime.ExitError
	if err := i.Err(); !errors.As(err, &exit) || exit.Status != "exit status 2" || !exit.Started || exit.Output[0] != "panic: index out of range" {
		t.Errorf("got %#v", err)
	}
}

func TestIsolation(t *testing.T) {
	logs, err := runtime.NewFileLogs(runtime.FileLogsOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d := newDriver(t, runtime.ProcessOptions{Logs: logs})
	t.Cleanup(func() { _ = logs.Close() })
	t.Setenv("SECRET_OF_HARK", "x")
	seen := func(s runtime.Spec, intents ...string) string {
		i := start(t, d, s)
		for _, intent := range intents {
			mustCall(t, i, intent, "")
		}
		if err := i.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		lines, err := logs.Logs("probe", 1000)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, l := range lines {
			if l.Instance == i.ID() {
				all = append(all, strings.Join(strings.Fields(l.Line), " "))
			}
		}
		return "\n" + strings.Join(all, "\n") + "\n"
	}
	env := strings.Split(strings.TrimSpace(seen(spec("env"))), "\n")
	slices.Sort(env)
	want := "GOMAXPROCS=1 GOMEMLIMIT=117964KiB HARK_SKILL_LISTEN=fd:3 HARK_SKILL_NAME=probe HARK_SKILL_VERSION=1.0.0 LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin START=env"
	if got := strings.Join(env, " "); got != want {
		t.Errorf("environment\n%s\nwant\n%s", got, want)
	}
	status := spec("")
	status.Limits.MemoryMiB = 100
	got := seen(status, "Status")
	for _, want := range []string{
		"\nNoNewPrivs: 1\n", "\nMax core file size 0 0 bytes\n", "\nMax open files 1024 1024 files\n",
		fmt.Sprintf("\nMax data size %d %d bytes\n", (100+192)<<20, (100+192)<<20), "\nfd 0 /dev/null\n", "\noom_score_adj 500\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in%s", want, got)
		}
	}
	if strings.Count(got, " socket:") != 1 {
		t.Errorf("not one socket:%s", got)
	}
	if len(d.Missing()) == 0 {
		t.Error("nothing is missing, says the driver")
	}
}

func TestLeakEndsTheLeakerAlone(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{})
	s := spec("")
	s.Limits.MemoryMiB = 32
	good, bad := start(t, d, s), start(t, d, s)
	if _, err := call(t.Context(), bad, "Leak", ""); err == nil {
		t.Fatal("it has answered")
	}
	<-bad.Done()
	if err := bad.Err(); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("got %v", err)
	}
	mustCall(t, good, "Echo", "")
}

func TestStopKillsTheGroup(t *testing.T) {
	for _, c := range []string{"stop", "crash"} {
		t.Run(c, func(t *testing.T) {
			d := newDriver(t, runtime.ProcessOptions{})
			i := start(t, d, spec(""))
			child, err := strconv.Atoi(mustCall(t, i, "Fork", ""))
			if err != nil || !running(child) {
				t.Fatalf("child %d: %v", child, err)
			}
			if c == "stop" {
				err = i.Stop(t.Context())
			} else {
				_, _ = call(t.Context(), i, "Crash", "")
			}
			if err != nil {
				t.Fatal(err)
			}
			<-i.Done()
			eventually(t, "the child has ended", func() bool { return !running(child) })
		})
	}
}

func TestStopOfTheDeaf(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{Grace: 50 * time.Millisecond})
	i := start(t, d, spec("deaf"))
	pid := pidOf(t, i)
	began := time.Now()
	if err := i.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 50*time.Millisecond || took > patience/2 {
		t.Errorf("it took %v", took)
	}
	if exists(pid) {
		t.Error("it lives")
	}
}

func TestCloseEndsAll(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{})
	running := start(t, d, spec(""))
	result := make(chan error, 1)
	go func() {
		_, err := d.Start(t.Context(), spec("hang"))
		result <- err
	}()
	eventually(t, "the second start is on", func() bool { return runtime.Running(d) == 2 })
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err == nil {
		t.Error("a start has survived")
	}
	<-running.Done()
	if _, err := d.Start(t.Context(), spec("")); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestParentDeath(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), "HARK_TEST_PARENT="+testSkill)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !running(pid) {
		t.Fatalf("process %q: %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "the instance has died with its parent", func() bool { return !running(pid) })
}

// The launching thread must outlive the instances, or they would be killed.
func TestInstancesOutliveTheirStarter(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{})
	started := make(chan runtime.Instance)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			i, err := d.Start(t.Context(), spec(""))
			if err != nil {
				t.Error(err)
				return
			}
			started <- i
		})
	}
	go func() { wg.Wait(); close(started) }()
	var all []runtime.Instance
	for i := range started {
		all = append(all, i)
	}
	for _, i := range all {
		if i.Err() != nil {
			t.Error(i.Err())
		}
		mustCall(t, i, "Echo", "")
	}
}

func TestNoDescriptorLeaks(t *testing.T) {
	count := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	cycle := func() {
		hasty, err := runtime.NewProcesses(runtime.ProcessOptions{StartTimeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		d, err := runtime.NewProcesses(runtime.ProcessOptions{StartTimeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		unix := spec("hang")
		unix.Listen = runtime.ListenUnix
		missing := spec("")
		missing.Command = []string{"none"}
		for _, s := range []runtime.Spec{spec("exit"), spec("hang"), unix, missing} {
			if _, err := hasty.Start(t.Context(), s); err == nil {
				t.Fatal("it started")
			}
		}
		for range 5 {
			_ = start(t, d, spec("")).Stop(t.Context())
		}
		if err := errors.Join(hasty.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
	cycle() // opens what the Go runtime itself keeps open
	before := count()
	cycle()
	cycle()
	eventually(t, "no more descriptors than before", func() bool { return count() <= before })
}

func TestCPU(t *testing.T) {
	d := newDriver(t, runtime.ProcessOptions{})
	i := start(t, d, spec(""))
	before, err := i.CPU()
	if err != nil || before <= 0 {
		t.Fatalf("%v, %v", before, err)
	}
	mustCall(t, i, "Burn", "100ms")
	after, err := i.CPU()
	if used := after - before; err != nil || used < 90*time.Millisecond || used > 300*time.Millisecond {
		t.Errorf("used %v, %v", used, err)
	}
}

func BenchmarkColdStart(b *testing.B) {
	d := newDriver(b, runtime.ProcessOptions{})
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		i := start(b, d, spec(""))
		mustCall(b, i, "Echo", "hello")
		took = append(took, time.Since(began))
		if err := i.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-worst")
}

func BenchmarkCPU(b *testing.B) {
	i := start(b, newDriver(b, runtime.ProcessOptions{}), spec(""))
	for b.Loop() {
		if _, err := i.CPU(); err != nil {
			b.Fatal(err)
		}
	}
}
