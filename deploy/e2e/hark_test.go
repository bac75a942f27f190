package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver"
)

// patience is how long anything may take before a play is called off. It is
// long, because it is only ever waited for when something is broken.
const patience = 60 * time.Second

var harkBinary string

// TestMain builds the program once for all plays.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hark-e2e-")
	if err != nil {
		panic(err)
	}
	harkBinary = filepath.Join(dir, "hark")
	args := append(append([]string{"build", "-o", harkBinary}, raceFlag()...), "../hark")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build hark: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestSource looks at every file that the program is built from. The results of
// tests are remembered until a file that they looked at changes, and what the
// compiler reads, which TestMain starts, is not known to that.
func TestSource(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".json")) {
			files++
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil || files < 100 {
		t.Errorf("%d files of source, %v", files, err)
	}
}

// Hark is `hark up` as a process, with a data folder that outlives it.
type Hark struct {
	t    *testing.T
	Data string
	MQTT string // host:port
	HTTP string
	args []string
	cmd  *exec.Cmd
	out  *transcript
	done chan struct{}
}

// fresh is a data folder on which Hark was started once, so that not every play
// has to wait for the built-in skills to be compiled.
type fresh struct {
	once   sync.Once
	folder string
}

var atFirstStart fresh

// copyTo makes a data folder that is like after a first start.
func (f *fresh) copyTo(t *testing.T, folder string) {
	t.Helper()
	f.once.Do(func() {
		folder := filepath.Join(filepath.Dir(harkBinary), "data")
		h := &Hark{t: t, Data: folder, MQTT: "127.0.0.1:0", HTTP: "127.0.0.1:0"}
		defer h.Kill()
		h.Start()
		if code := h.Stop(); code != 0 {
			t.Errorf("the first Hark ended with exit code %d", code)
		}
		f.folder = folder
	})
	if f.folder == "" {
		t.Fatal("Hark did not start on an empty folder")
	}
	if err := os.CopyFS(folder, os.DirFS(f.folder)); err != nil {
		t.Fatal(err)
	}
}

// StartHark starts Hark on a data folder of its own and waits for READY.
func StartHark(t *testing.T, args ...string) *Hark {
	t.Helper()
	h := &Hark{t: t, Data: filepath.Join(t.TempDir(), "data"), MQTT: "127.0.0.1:0", HTTP: "127.0.0.1:0", args: args}
	if len(args) == 0 {
		atFirstStart.copyTo(t, h.Data)
	}
	t.Cleanup(func() {
		h.Kill()
		if t.Failed() {
			t.Logf("Hark said:\n%s", h.out.String())
		}
	})
	h.Start()
	return h
}

// onEachStore gives a play on each store that Hark can keep things in.
func onEachStore(t *testing.T, play func(t *testing.T, h *Hark)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { play(t, StartHark(t)) })
	t.Run("mongo", func(t *testing.T) { play(t, StartHark(t, "--store", mongoserver.Start(t))) })
}

// Start starts it, again on the same addresses if it ran before.
func (h *Hark) Start() {
	h.t.Helper()
	args := append([]string{"up", "--data", h.Data, "--mqtt", h.MQTT, "--http", h.HTTP, "--source", source(h.t)}, h.args...)
	h.cmd = exec.Command(harkBinary, args...)
	h.cmd.Env = append(os.Environ(), "TZ=UTC", "GORACE=halt_on_error=1")
	h.out, h.done = newTranscript(), make(chan struct{})
	h.cmd.Stdout, h.cmd.Stderr = h.out, h.out
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, out *transcript, done chan struct{}) { // Start may run again before this ends
		_ = cmd.Wait()
		out.close()
		close(done)
	}(h.cmd, h.out, h.done)
	line := h.out.await(h.t, regexp.MustCompile(`(?m)^mqtt  (\S+)    http  http://(\S+) `))
	h.MQTT, h.HTTP = line[1], line[2]
	h.out.await(h.t, regexp.MustCompile(`(?m)^READY$`))
}

// Kill ends Hark as a power cut would.
func (h *Hark) Kill() {
	_ = h.cmd.Process.Kill()
	<-h.done
}

// Stop asks Hark to end and returns its exit code.
func (h *Hark) Stop() int {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-h.done:
	case <-time.After(patience):
		h.t.Fatal("Hark does not stop")
	}
	return h.cmd.ProcessState.ExitCode()
}

// Run runs a command of hark against it.
func (h *Hark) Run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, harkBinary, args...)
	cmd.Env = append(os.Environ(), "HARK_HTTP="+h.HTTP, "HARK_DATA="+h.Data, "HARK_SOURCE="+source(h.t))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), errors.New(strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// Must is Run for a command that must succeed.
func (h *Hark) Must(args ...string) string {
	h.t.Helper()
	out, err := h.Run(args...)
	if err != nil {
		h.t.Fatalf("hark %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// Usage returns how often each skill was invoked.
func (h *Hark) Usage() map[string]int {
	h.t.Helper()
	var rows []struct {
		Skill       string `json:"skill"`
		Invocations int    `json:"invocations"`
	}
	if err := json.Unmarshal([]byte(h.Must("usage", "--json")), &rows); err != nil {
		h.t.Fatal(err)
	}
	used := map[string]int{}
	for _, r := range rows {
		used[r.Skill] = r.Invocations
	}
	return used
}

// Turn is what `hark trace --json` shows of a turn.
type Turn struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"`
	Device      string `json:"device"`
	Message     string `json:"message"`
	Text        string `json:"text"`
	Reply       *Reply `json:"reply"`
	Invocations []struct {
		ID      string `json:"id"`
		Outcome string `json:"outcome"`
	} `json:"invocations"`
}

// Turns returns the last turns.
func (h *Hark) Turns(n int) []Turn {
	h.t.Helper()
	var turns []Turn
	if err := json.Unmarshal([]byte(h.Must("trace", "--last", strconv.Itoa(n), "--json")), &turns); err != nil {
		h.t.Fatal(err)
	}
	return turns
}

// AddDevice makes a device and returns its login.
func (h *Hark) AddDevice(home, device string, flags ...string) Login {
	h.t.Helper()
	var l Login
	out := h.Must(append([]string{"device", "add", home, device, "--json"}, flags...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		h.t.Fatal(err)
	}
	return l
}

// Login is what `hark device add --json` prints.
type Login struct {
	Home     string `json:"home"`
	Device   string `json:"device"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// Topic is one of the device's topics.
func (l Login) Topic(kind string) string { return "hark/" + l.Home + "/" + l.Device + "/" + kind }

// awaitSkill waits until a skill has logged a word, and returns its process.
func (h *Hark) awaitSkill(skill, word string) *os.Process {
	h.t.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); {
		if out, err := h.Run("skill", "logs", skill); err == nil && strings.Contains(out, word) {
			break
		}
	}
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range environments {
		// A process that is gone, or another user's, cannot be read: not ours.
		environ, _ := os.ReadFile(path)
		inOurs, _ := os.Readlink(filepath.Join(filepath.Dir(path), "cwd"))
		if strings.Contains(string(environ), "HARK_SKILL_NAME="+skill+"\x00") && strings.HasPrefix(inOurs, h.Data) {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			if err != nil {
				h.t.Fatal(err)
			}
			process, err := os.FindProcess(pid)
			if err != nil {
				h.t.Fatal(err)
			}
			return process
		}
	}
	h.t.Fatalf("no process of skill %s was found", skill)
	return nil
}

// source is the folder of Hark's own source.
func source(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// transcript is what a process has printed so far; it can be waited on.
type transcript struct {
	mu     sync.Mutex
	text   bytes.Buffer
	grown  chan struct{} // closed and replaced when text grows
	closed bool
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.grown)
	s.grown = make(chan struct{})
	return s.text.Write(p)
}

func (s *transcript) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the transcript matches.
func (s *transcript) await(t *testing.T, pattern *regexp.Regexp) []string {
	t.Helper()
	late := time.After(4 * patience) // a first build takes its time
	for {
		s.mu.Lock()
		match, grown, closed := pattern.FindStringSubmatch(s.text.String()), s.grown, s.closed
		s.mu.Unlock()
		if match != nil {
			return match
		}
		if closed {
			t.Fatalf("the process ended before it said %s", pattern)
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("the process never said %s", pattern)
		}
	}
}

// need skips a play that needs a program which is not here, loudly; where
// everything is required it fails.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("HARK_TEST_REQUIRE") == "all" {
		t.Fatalf("%s is missing and HARK_TEST_REQUIRE=all", program)
	}
	t.Skipf("SKIPPED: %s is not installed; this play needs it", program)
}

// Mosquitto is a subscription by mosquitto_sub, and publishes by mosquitto_pub.
type Mosquitto struct {
	t     *testing.T
	hark  *Hark
	login Login
	lines chan string
}

// StartMosquitto subscribes to all topics of a device, and waits until it is.
func StartMosquitto(t *testing.T, h *Hark, l Login) *Mosquitto {
	t.Helper()
	need(t, "mosquitto_sub")
	need(t, "mosquitto_pub")
	m := &Mosquitto{t: t, hark: h, login: l, lines: make(chan string, 1000)}
	// Line by line, so that its SUBACK is seen when it comes.
	args := append([]string{"-oL", "mosquitto_sub"}, m.address()...)
	cmd := exec.Command("stdbuf", append(args, "-q", "1", "-d", "-t", "hark/"+l.Username+"/#", "-F", "GOT %t %p")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	subscribed := make(chan struct{})
	go m.read(out, subscribed)
	select {
	case <-subscribed:
	case <-time.After(patience):
		t.Fatal("mosquitto_sub does not subscribe")
	}
	return m
}

func (m *Mosquitto) read(out io.Reader, subscribed chan struct{}) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "SUBACK") {
			close(subscribed)
		}
		if got, ok := strings.CutPrefix(lines.Text(), "GOT "); ok {
			m.lines <- got
		}
	}
}

func (m *Mosquitto) address() []string {
	host, port, _ := strings.Cut(m.hark.MQTT, ":")
	return []string{"-h", host, "-p", port, "-u", m.login.Username, "-P", m.login.Password}
}

// Publish publishes at QoS 1 and returns when it is acknowledged.
func (m *Mosquitto) Publish(topic, payload string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	from := "-s" // standard input
	if payload == "" {
		from = "-n" // an empty message
	}
	cmd := exec.CommandContext(ctx, "mosquitto_pub", append(m.address(), "-q", "1", "-t", topic, from)...)
	cmd.Stdin = strings.NewReader(payload)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mosquitto_pub: %w: %s", err, out)
	}
	return nil
}

// Next returns the next message on a topic of the device; another topic is a failure.
func (m *Mosquitto) Next(kind string) string {
	m.t.Helper()
	select {
	case line := <-m.lines:
		payload, ok := strings.CutPrefix(line, m.login.Topic(kind)+" ")
		if !ok {
			m.t.Fatalf("got %s, want a %s", line, kind)
		}
		return payload
	case <-time.After(patience):
		m.t.Fatalf("no %s came", kind)
	}
	return ""
}
