package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/deploy/hark/cli"
	"github.com/hark-voice/hark/functions/admin"
	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/explain"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/release/bundle"
	"github.com/hark-voice/hark/functions/runtime"
	"github.com/hark-voice/hark/functions/sqlite"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

const token = "an-operators-token-of-32-letters"

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"hark": hark}) }

// hark is the command line as the program has it, but for the commands that run
// Hark, with a device that answers by itself.
func hark() {
	root := &cobra.Command{Use: "hark", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(cli.Commands(talk)...)
	nlu := &cobra.Command{Use: "nlu"}
	nlu.AddCommand(cli.Explain())
	root.AddCommand(nlu)
	if err := root.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "hark:", err)
		os.Exit(1)
	}
}

// talk answers with what it was told, and with whose login.
func talk(_ context.Context, login cli.Login, text, lang string) ([]byte, error) {
	if len(login.Password) < 26 {
		return nil, errors.New("the login is not worth much")
	}
	switch text {
	case "say nothing":
		return nil, errors.New("no reply")
	case "say nonsense":
		return []byte("{"), nil
	case "colorless green ideas":
		return []byte(`{"id":"x","turn":"t77","speech":"Sorry?","error":{"code":"not_understood","message":"no sentence matches"}}`), nil
	}
	return json.Marshal(map[string]string{"speech": fmt.Sprintf("%s, to %s at %s in %q", text, login.Username, login.MQTT, lang), "turn": "t1"})
}

// TestScripts plays testdata/*.txtar, each against a service of its own: the
// real one on a real store, but for releases, which only read what they get.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		service, err := newService(e)
		if err != nil {
			return err
		}
		server := httptest.NewServer(service)
		e.Defer(server.Close)
		stranger := httptest.NewServer(nil) // answers 404 in plain text
		e.Defer(stranger.Close)
		e.Setenv("HARK_HTTP", server.URL)
		e.Setenv("HARK_TOKEN", token)
		e.Setenv("STRANGER", stranger.URL)
		e.Setenv("TZ", "UTC")
		return goEnvironment(e)
	}})
}

// goEnvironment lets scripts run the go command, which testscript keeps from its
// caches, and tells where Hark's source is.
func goEnvironment(e *testscript.Env) error {
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPATH").Output()
	if err != nil {
		return err
	}
	values := map[string]string{}
	if err := json.Unmarshal(out, &values); err != nil {
		return err
	}
	for name, value := range values {
		e.Setenv(name, value)
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	e.Setenv("SOURCE", bundle.FindSource(here))
	return nil
}

func newService(e *testscript.Env) (*admin.Server, error) {
	store, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(e.WorkDir, ".service", "hark.db")})
	if err != nil {
		return nil, err
	}
	e.Defer(func() { _ = store.Close() })
	logs, err := runtime.NewFileLogs(runtime.FileLogsOptions{Dir: filepath.Join(e.WorkDir, ".service", "logs")})
	if err != nil {
		return nil, err
	}
	e.Defer(func() { _ = logs.Close() })
	if err := stock(store, logs); err != nil {
		return nil, err
	}
	skills := &releases{dir: filepath.Join(e.WorkDir, ".service")}
	if skills.live, err = catalog.New(); err != nil {
		return nil, err
	}
	clock := assistant.NewManualClock(noon())
	homes, err := household.New(household.Options{Store: store, Clock: clock})
	if err != nil {
		return nil, err
	}
	explainer, err := explain.New(explain.Options{Catalog: skills.live, Homes: homes, Clock: clock})
	if err != nil {
		return nil, err
	}
	return admin.New(admin.Options{
		Store: store, Releases: skills, Logs: logs, Explain: explainer, Token: token, Version: "1",
		Clock:   clock,
		MQTT:    func() string { return "127.0.0.1:1883" },
		Revoked: func(topic.Device) {}, Changed: homes.Changed, Ready: func(context.Context) error { return nil },
	})
}

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// stock puts something on the books: a turn that went well, one that did not,
// the timer that is set, and what the skill printed.
func stock(store *sqlite.Store, logs *runtime.FileLogs) error {
	made := assistant.Invocation{
		ID: "good.i0", Skill: "timer", Version: "1.0.0-abc", Outcome: assistant.OutcomeOK, Cold: true,
		Wall: 12 * time.Millisecond, CPU: 3 * time.Millisecond, MemoryMiB: 64, MicroCU: 42,
	}
	good := &assistant.Turn{
		ID: "good", Kind: assistant.KindUtterance, Home: "demo", Device: "kitchen", Text: "set a timer", Received: noon(),
		Finished: noon().Add(15 * time.Millisecond), Intent: &assistant.Intent{Skill: "timer", Name: "SetTimer", Template: "en.yaml:3"},
		Reply: &assistant.Reply{Speech: "It is set."}, Invocations: []assistant.Invocation{made},
		Trace: []assistant.Stage{{Name: "understand", Micros: 1500, Detail: "en", Cands: []assistant.TraceIntent{{Skill: "timer", Intent: "SetTimer", Why: "chosen"}}}},
	}
	bad := &assistant.Turn{
		ID: "bad", Kind: assistant.KindUtterance, Home: "demo", Device: "kitchen", Text: "mumble", Received: noon().Add(time.Second),
		Reply: &assistant.Reply{Speech: "Sorry?", Error: assistant.Errorf(assistant.CodeNotUnderstood, "no sentence matches")},
	}
	several := &assistant.Turn{
		ID: "several", Kind: assistant.KindUtterance, Home: "demo", Device: "kitchen", Text: "set a timer and cancel all", Received: noon().Add(2 * time.Second),
		Reply: &assistant.Reply{Speech: "Not all."}, Trace: []assistant.Stage{{Name: "part", Detail: "first"}, {Name: "part", Detail: "second"}, {Name: "part", Detail: "gone"}},
	}
	part := func(id, text, intent string, failed *assistant.Error) *assistant.Commit {
		return &assistant.Commit{Turn: &assistant.Turn{
			ID: id, Kind: assistant.KindPart, PartOf: "several", Home: "demo", Device: "kitchen", Text: text, Received: several.Received,
			Intent: &assistant.Intent{Skill: "timer", Name: intent, Confidence: 0.8}, Reply: &assistant.Reply{Error: failed},
		}}
	}
	set := assistant.Schedule{
		ScheduleKey: assistant.ScheduleKey{Home: "demo", Skill: "timer", ID: "tea"}, Due: noon().Add(time.Hour), Device: "kitchen", Kind: "timer",
	}
	ctx := context.Background()
	return errors.Join(
		store.Commit(ctx, &assistant.Commit{Turn: good, Set: []assistant.Schedule{set}}),
		store.Commit(ctx, &assistant.Commit{Turn: bad}),
		store.Commit(ctx, part("first", "set a timer", "SetTimer", nil)),
		store.Commit(ctx, part("second", "cancel all", "Cancel", assistant.Errorf(assistant.CodeSkillFailed, "it fell"))),
		store.Commit(ctx, &assistant.Commit{Turn: several}),
		logs.Append("timer", []runtime.LogLine{{Time: noon(), Instance: "timer-1", Line: "hello"}, {Time: noon(), Instance: "timer-1", Line: "goodbye"}}),
	)
}

// releases reads the manifest of what is deployed or tested, and runs nothing.
type releases struct {
	dir  string
	live *catalog.Catalog
	mu   sync.Mutex
	list []release.Status
}

func (r *releases) Deploy(_ context.Context, archive io.Reader, progress func(release.Step)) (assistant.LiveSkill, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := r.read(archive, progress)
	if err != nil {
		return assistant.LiveSkill{}, err
	}
	s := release.Status{Skill: k.Name, Version: k.Version + "-abc", Since: noon(), Languages: k.Languages, Intents: k.Intents, Instances: 1, Missing: []string{"no walls"}}
	if strings.Contains(k.Name, "sick") {
		s.Failure = "it ends with exit status 3"
	}
	next, err := r.live.Current().With(&catalog.Skill{Skill: k, ID: s.Version})
	if err != nil {
		return assistant.LiveSkill{}, err
	}
	r.live.Publish(next)
	r.list = append(r.list, s)
	return assistant.LiveSkill{Skill: k.Name, Version: s.Version, Since: s.Since}, nil
}

func (r *releases) read(archive io.Reader, progress func(release.Step)) (*manifest.Skill, error) {
	dir, err := os.MkdirTemp(r.dir, "upload-")
	if err != nil {
		return nil, err
	}
	if err := bundle.Unpack(archive, dir); err != nil {
		return nil, err
	}
	progress(release.Step{Name: "read", Detail: "skill.yaml"})
	if _, err := os.Stat(filepath.Join(dir, "warned")); err == nil {
		progress(release.Step{Name: "warning", Detail: "it may rain"})
		progress(release.Step{Name: "overlap", Detail: "it rains elsewhere"})
	}
	return manifest.Load(os.DirFS(dir))
}

// Test runs the sentences, and takes the handlers for good.
func (r *releases) Test(_ context.Context, archive io.Reader, progress func(release.Step)) (release.Tested, error) {
	k, err := r.read(archive, progress)
	if err != nil {
		return release.Tested{}, err
	}
	sentences, err := release.TestSentences(k)
	return release.Tested{Skill: k.Name, Version: k.Version + "-abc", Sentences: sentences, Answers: 1, Handlers: 2}, err
}

func (r *releases) Remove(_ context.Context, skill string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range r.list {
		if s.Skill == skill {
			r.list = append(r.list[:i], r.list[i+1:]...)
			return nil
		}
	}
	return assistant.ErrNotFound
}

func (r *releases) Status(context.Context) ([]release.Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]release.Status(nil), r.list...), nil
}
