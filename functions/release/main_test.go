package release_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/invoke"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/release/bundle"
	"github.com/hark-voice/hark/functions/runtime"
	"github.com/hark-voice/hark/functions/sqlite"
	"github.com/hark-voice/hark/functions/usage"
	"go.uber.org/goleak"
)

var program string // the built testdata/program

func TestMain(m *testing.M) { goleak.VerifyTestMain(withProgram{m}) }

// withProgram builds the program around the tests.
type withProgram struct{ *testing.M }

func (m withProgram) Run() int {
	dir, err := os.MkdirTemp("", "hark-release-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "program")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", program, "./testdata/program").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.M.Run()
}

// house is a Manager with real processes, on a store and a folder that outlive it.
type house struct {
	*release.Manager

	t      *testing.T
	store  *sqlite.Store
	folder string
	source string
	cat    *catalog.Catalog
	calls  *invoke.Invoker
	clock  *assistant.ManualClock
	stop   func()
	steps  []release.Step
}

// newHouse makes a house that builds against the source, if that is not empty.
func newHouse(t *testing.T, source string) *house {
	t.Helper()
	h := &house{t: t, folder: filepath.Join(t.TempDir(), "skills"), source: source}
	h.clock = assistant.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	var err error
	if h.store, err = sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "hark.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	h.start()
	return h
}

// start makes a new Manager and Invoker and loads what is deployed.
func (h *house) start() {
	h.t.Helper()
	processes, err := runtime.NewProcesses(runtime.ProcessOptions{StartTimeout: time.Minute}) // the machine may be busy
	if err != nil {
		h.t.Fatal(err)
	}
	if h.cat, err = catalog.New(); err != nil {
		h.t.Fatal(err)
	}
	prices, err := usage.DefaultPrices()
	if err != nil {
		h.t.Fatal(err)
	}
	h.Manager, err = release.New(release.Options{
		Store: h.store, Catalog: h.cat, Clock: h.clock, Folder: h.folder, Source: h.source, Missing: []string{"walls"}, Overlaps: time.Hour,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if h.calls, err = invoke.New(invoke.Options{Driver: processes, Specs: h.Manager, Prices: prices, Clock: h.clock}); err != nil {
		h.t.Fatal(err)
	}
	h.Connect(h.calls)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = h.calls.Run(ctx) })
	h.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := processes.Close(); err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(h.stop)
	if err := h.Load(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// restart is an end of Hark and a new start on the same data.
func (h *house) restart() {
	h.t.Helper()
	h.stop()
	h.start()
}

// deploy packs a folder and deploys it.
func (h *house) deploy(dir string) (assistant.LiveSkill, error) {
	h.t.Helper()
	var archive bytes.Buffer
	if err := bundle.Pack(&archive, dir, nil); err != nil {
		h.t.Fatal(err)
	}
	h.steps = nil
	return h.Deploy(h.t.Context(), &archive, func(s release.Step) { h.steps = append(h.steps, s) })
}

func (h *house) mustDeploy(dir string) assistant.LiveSkill {
	h.t.Helper()
	live, err := h.deploy(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	return live
}

// ask calls the live version of a skill, and returns what it says.
func (h *house) ask(skill string) string {
	h.t.Helper()
	k, ok := h.cat.Current().Skill(skill)
	if !ok {
		return "nobody answers"
	}
	answer, _, err := h.calls.Invoke(h.t.Context(), &assistant.Call{
		ID: "i", Turn: "t", Home: assistant.Home{ID: "demo", Lang: "en"}, Device: assistant.Device{Home: "demo", ID: "speaker"},
		Lang: "en", Now: h.clock.Now(), Skill: skill, Version: k.ID, Text: "ask", Session: "s",
		Intent: &assistant.Intent{Skill: skill, Name: "Ask", Confidence: 1},
	})
	if err != nil {
		return err.Error()
	}
	return answer.Speech
}

// files are those of a skill by their paths; one whose content begins with #!
// is executable.
type files map[string]string

// oracle is a skill run by a command, that answers "ask NAME" with a text.
func oracle(name, answer string) files {
	return files{
		"skill.yaml": "hark: 1\nname: " + name + "\nversion: 1.0.0\nruntime: {command: [./serve]}\nlanguages: [en]\nstate: home\n" +
			"limits: {timeout: 30s}\ntriggers: {intents: [Ask, Count]}\n",
		"sentences/en.yaml": "language: en\nintents:\n  Ask: [ask " + name + "]\n  Count: [" + name + " count]\ntests:\n" +
			"  - {say: ask " + name + ", intent: Ask, answer: " + answer + "}\n",
		"serve": "#!/bin/sh\nexec " + program + "\n", "answer": answer + "\n",
	}
}

// with returns a copy in which some files are others; an empty one is left out.
func (f files) with(changes files) files {
	all := maps.Clone(f)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, content string) bool { return content == "" })
	return all
}

// write makes the files in a new folder, or in the one that is named.
func (f files) write(t *testing.T, folder ...string) string {
	t.Helper()
	dir := t.TempDir()
	if len(folder) > 0 {
		dir = filepath.Join(folder...)
	}
	for name, content := range f {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// names lists the entries of a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
