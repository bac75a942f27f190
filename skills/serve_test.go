package skills_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"github.com/hark-voice/hark/skills"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const listenVar = "HARK_SKILL_LISTEN"

// patience is how long a test waits for what must happen, however busy the
// machine: only what is broken takes so long.
const patience = time.Minute

// The test binary is also a skill, so that tests can start real processes of it.
func TestMain(m *testing.M) {
	if os.Getenv("HARK_TEST_SKILL") != "" {
		skills.Serve(skills.Skill{Intents: skills.Intents{"Do": echo, "Wait": wait}})
	}
	os.Exit(m.Run())
}

func echo(_ context.Context, call *skills.Call) (*skills.Answer, error) {
	return skills.Speak(call.Now().Format(time.RFC3339) + " " + call.Slots["x"].Text), nil
}

// wait answers when the caller has given up or Hark asked the process to stop,
// and says which.
func wait(ctx context.Context, _ *skills.Call) (*skills.Answer, error) {
	fmt.Fprintln(os.Stderr, "waiting")
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(300 * time.Millisecond):
		return skills.Speak("waited"), nil
	}
}

// process is a running skill.
type process struct {
	*exec.Cmd

	client *grpc.ClientConn
	stderr *lines
}

// lines takes what a process writes and tells when something has come.
type lines struct {
	text    bytes.Buffer
	written chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	defer func() {
		select {
		case l.written <- struct{}{}:
		default:
		}
	}()
	return l.text.Write(p)
}

// startSkill starts the test binary as a skill that serves at where.
func startSkill(t *testing.T, where string, files ...*os.File) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), stderr: &lines{written: make(chan struct{}, 1)}}
	p.Env = []string{"HARK_TEST_SKILL=1", listenVar + "=" + where}
	p.Stderr, p.ExtraFiles = p.stderr, files
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// connect makes a client whose every connection comes from dial.
func (p *process) connect(t *testing.T, dial func(context.Context, string) (net.Conn, error)) {
	t.Helper()
	client, err := grpc.NewClient("passthrough:///skill",
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			MinConnectTimeout: 10 * time.Second,
			Backoff:           backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1.5, MaxDelay: 50 * time.Millisecond},
		}))
	if err != nil {
		t.Fatal(err)
	}
	p.client = client
	t.Cleanup(func() { _ = client.Close() })
}

// inherited starts a skill on descriptor 3.
func inherited(t *testing.T) *process {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	p := startSkill(t, "fd:3", theirs)
	_, _ = ours.Close(), theirs.Close()
	once := make(chan net.Conn, 1)
	once <- conn
	p.connect(t, func(context.Context, string) (net.Conn, error) {
		select {
		case conn := <-once:
			return conn, nil
		default:
			return nil, errors.New("there is only one connection")
		}
	})
	return p
}

func (p *process) invoke(t *testing.T, req *assistantv1.InvokeRequest) (*assistantv1.InvokeResponse, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return assistantv1.NewSkillClient(p.client).Invoke(ctx, req, grpc.WaitForReady(true))
}

func intent(name string) *assistantv1.InvokeRequest {
	return &assistantv1.InvokeRequest{
		NowMs: 1_700_000_000_000, TimeZone: "Asia/Tokyo",
		Request: &assistantv1.InvokeRequest_Intent{Intent: &assistantv1.IntentRequest{
			Name: name, Slots: map[string]*assistantv1.Slot{"x": {Text: "y"}},
		}},
	}
}

// check makes calls to a served skill.
func (p *process) check(t *testing.T) {
	t.Helper()
	health := grpc_health_v1.NewHealthClient(p.client)
	for _, service := range []string{"", "assistant.v1.Skill"} {
		h, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
		if err != nil || h.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v %v", service, h, err)
		}
	}
	resp, err := p.invoke(t, intent("Do"))
	if want := "2023-11-15T07:13:20+09:00 y"; err != nil || resp.GetSpeech() != want {
		t.Errorf("%v %v, want %q", resp, err, want)
	}
}

// ends waits for the process.
func (p *process) ends(t *testing.T, code int) {
	t.Helper()
	_ = p.Wait()
	if got := p.ProcessState.ExitCode(); got != code {
		t.Errorf("exit status %d, want %d; it wrote %s", got, code, p.stderr.text.String())
	}
}

func TestServeInheritedConnection(t *testing.T) {
	p := inherited(t)
	p.check(t)
	_ = p.client.Close()
	p.ends(t, 0) // because the connection is gone
}

// reserved is an address that nobody is given by chance while the test lasts, but
// that may be listened on.
func reserved(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
}

func TestServeSockets(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "skill")
	address := reserved(t)
	for where, dial := range map[string][2]string{
		"unix:" + socket: {"unix", socket},
		"tcp:" + address: {"tcp", address},
	} {
		p := startSkill(t, where)
		p.connect(t, func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, dial[0], dial[1])
		})
		p.check(t)
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.ends(t, 0)
	}
}

// A call that is running when the process is asked to stop still gets its answer.
func TestStopIsGraceful(t *testing.T) {
	p := inherited(t)
	p.check(t)
	answered := make(chan string, 1)
	go func() {
		resp, err := assistantv1.NewSkillClient(p.client).Invoke(context.Background(), intent("Wait"))
		answered <- fmt.Sprint(resp.GetSpeech(), err)
	}()
	<-p.stderr.written // the handler runs
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got != "waited<nil>" {
		t.Errorf("answer %s", got)
	}
	p.ends(t, 0)
}

func TestServeRefuses(t *testing.T) {
	for where, want := range map[string]struct {
		code int
		text string
	}{
		"":                {2, "hark skill deploy"},
		"fd:3":            {1, "descriptor 3 is not a connected socket"},
		"fd:x":            {1, "not the number of a file descriptor"},
		"http://x":        {1, "want fd:NUMBER, unix:PATH or tcp:ADDRESS"},
		"tcp:0.0.0.0:0":   {1, "not a loopback address"},
		"tcp::0":          {1, "not a loopback address"},
		"tcp:127.0.0.1":   {1, "missing port"},
		"unix:/no/such/x": {1, "no such file"},
	} {
		p := startSkill(t, where)
		p.ends(t, want.code)
		if got := p.stderr.text.String(); !strings.Contains(got, want.text) {
			t.Errorf("%q: wrote %q, want %q", where, got, want.text)
		}
	}
}

func TestRunChecksTheSkill(t *testing.T) {
	for want, skill := range map[string]skills.Skill{
		"no handlers":       {},
		`intent "A" is nil`: {Intents: skills.Intents{"A": nil}},
	} {
		if err := skills.Run(t.Context(), skill, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// What this SDK does not answer is an error that says so.
func TestUnknownRequests(t *testing.T) {
	p := inherited(t)
	zone := intent("Do")
	zone.TimeZone = "Mars/Base"
	event := func(e *assistantv1.EventRequest) *assistantv1.InvokeRequest {
		return &assistantv1.InvokeRequest{Request: &assistantv1.InvokeRequest_Event{Event: e}}
	}
	for want, req := range map[string]*assistantv1.InvokeRequest{
		`"Mars/Base"`: zone,
		"no handler":  {},
		"Launch":      {Request: &assistantv1.InvokeRequest_Launch{Launch: &assistantv1.LaunchRequest{}}},
		"Reading":     event(&assistantv1.EventRequest{Event: &assistantv1.EventRequest_Reading{}}),
		"skills.Skill.Schedule is not set": event(&assistantv1.EventRequest{
			Event: &assistantv1.EventRequest_Schedule{Schedule: &assistantv1.ScheduleEvent{Id: "a"}},
		}),
	} {
		resp, err := p.invoke(t, req)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%v %v, want %q", resp, err, want)
		}
	}
}
