package release_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/release/bundle"
)

func TestACommandSkillIsDeployedAndAnswers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	live := h.mustDeploy(oracle("tea", "green").write(t))
	if live.Skill != "tea" || !strings.HasPrefix(live.Version, "1.0.0-") || !live.Since.Equal(h.clock.Now()) {
		t.Errorf("live %+v", live)
	}
	var steps []string
	for _, s := range h.steps {
		steps = append(steps, s.Name)
	}
	if want := []string{"read", "pack", "test", "start", "store"}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
	list, err := h.Status(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("status %+v, %v", list, err)
	}
	s := list[0]
	if s.Skill != "tea" || s.Version != live.Version || s.Instances != 1 || s.Failure != "" || !slices.Equal(s.Missing, []string{"walls"}) ||
		!slices.Equal(s.Languages, []string{"en"}) || !slices.Equal(s.Intents, []string{"Ask", "Count"}) {
		t.Errorf("status %+v", s)
	}
}

func TestANewVersionReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	first := h.mustDeploy(oracle("tea", "green").write(t))
	h.clock.Advance(time.Minute)
	second := h.mustDeploy(oracle("tea", "black").write(t))
	if first.Version == second.Version {
		t.Errorf("both are %s", first.Version)
	}
	if got := h.ask("tea"); got != "black" {
		t.Errorf("answer %q", got)
	}
	for _, s := range h.calls.Status() { // the old one leaves as soon as it can
		if s.Version == first.Version {
			h.calls.Drain(t.Context(), "tea", first.Version)
		}
	}
	h.restart()
	if got := h.ask("tea"); got != "black" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestTheSameContentIsTheSameVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	first := h.mustDeploy(oracle("tea", "green").write(t))
	again := h.mustDeploy(oracle("tea", "green").with(files{"main_test.go": "package main", ".env": "x"}).write(t))
	if again.Version != first.Version {
		t.Errorf("versions %s and %s", first.Version, again.Version)
	}
	versions, err := h.store.Versions(t.Context(), "tea")
	if err != nil || len(versions) != 1 {
		t.Errorf("versions %+v, %v", versions, err)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
	back := h.mustDeploy(oracle("tea", "black").write(t))
	if last := h.mustDeploy(oracle("tea", "green").write(t)); last.Version != first.Version || back.Version == first.Version {
		t.Errorf("versions %s, %s, %s", first.Version, back.Version, last.Version)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("deployed again after another: %q", got)
	}
}

// A deployment that fails says what to mend, and leaves no trace.
func TestABrokenDeploymentLeavesTheRunningVersion(t *testing.T) {
	h := newHouse(t, "")
	good := oracle("tea", "green")
	live := h.mustDeploy(good.write(t))
	sentences, skillYAML := good["sentences/en.yaml"], good["skill.yaml"]
	for name, c := range map[string]struct {
		change files
		says   []string
	}{
		"no manifest":       {files{"skill.yaml": ""}, []string{"skill.yaml", "no such file"}},
		"a broken manifest": {files{"skill.yaml": skillYAML + "color: red\n"}, []string{"skill.yaml:9:1", "color"}},
		"an image":          {files{"skill.yaml": strings.Replace(skillYAML, "command: [./serve]", "image: x/y", 1)}, []string{"Kubernetes"}},
		"go without source": {files{"skill.yaml": strings.Replace(skillYAML, "command: [./serve]", "go: .", 1), "main.go": "package main"}, []string{"--source"}},
		"no sentences":      {files{"sentences/en.yaml": ""}, []string{"sentences"}},
		"a broken template": {files{"sentences/en.yaml": strings.Replace(sentences, "[ask tea]", "[\"ask (tea\"]", 1)}, []string{"sentences/en.yaml:3"}},
		"a sentence that is not understood": {
			files{"sentences/en.yaml": sentences + "  - {say: open the door, intent: Ask}\n"},
			[]string{"1 of 2 test sentences", "sentences/en.yaml:7", "open the door", "not understood"},
		},
		"a sentence that means another": {
			files{"sentences/en.yaml": sentences + "  - {say: tea count, intent: Ask}\n"},
			[]string{"means tea.Count", "should mean Ask"},
		},
		"another answer": {files{"answer": "black"}, []string{"sentences/en.yaml:6", `"black"`, `"green"`}},
		"an exit at its start": {
			files{"mode": "exit"}, []string{"does not start", "exit status 3", "no such city: Atlantis"},
		},
		"a program that is missing": {files{"serve": ""}, []string{"does not start", "serve"}},
		"a program that is none":    {files{"serve": "hello"}, []string{"does not start"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := h.deploy(good.with(c.change).write(t))
			if err == nil {
				t.Fatalf("deployed %+v", got)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), h.folder) {
				t.Errorf("the error names a folder that the developer does not know:\n%v", err)
			}
			if got := h.ask("tea"); got != "green" {
				t.Errorf("the version before answers %q", got)
			}
			stored, err := h.store.Live(t.Context())
			if err != nil || len(stored) != 1 || stored[0].Version != live.Version {
				t.Errorf("live %+v, %v", stored, err)
			}
		})
	}
	if versions, err := h.store.Versions(t.Context(), "tea"); err != nil || len(versions) != 1 {
		t.Errorf("versions %+v, %v", versions, err)
	}
	for _, archive := range []string{"", "not an archive", strings.Repeat("x", 1000)} {
		if _, err := h.Deploy(t.Context(), strings.NewReader(archive), func(release.Step) {}); err == nil || !strings.Contains(err.Error(), "not gzip") {
			t.Errorf("archive %.20q: %v", archive, err)
		}
	}
}

// Test sentences with answers run one after another with the state that each leaves.
func TestTestSentencesKeepState(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	skill := oracle("tea", "green")
	counts := "  - {say: tea count, intent: Count, answer: \"1\"}\n  - {say: tea count, intent: Count, answer: \"2\"}\n"
	h.mustDeploy(skill.with(files{"sentences/en.yaml": skill["sentences/en.yaml"] + counts}).write(t))
}

// What another skill would take is said, and is no failure.
func TestASentenceThatAnotherSkillTakesIsAWarning(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("apple", "red").with(files{
		"sentences/en.yaml": "language: en\nintents:\n  Ask: [what is it]\n  Count: [apple count]\n",
	}).write(t))
	h.mustDeploy(oracle("berry", "blue").with(files{
		"sentences/en.yaml": "language: en\nintents:\n  Ask: [what is it]\n  Count: [berry count]\ntests:\n  - {say: what is it, intent: Ask}\n",
	}).write(t))
	if !slices.ContainsFunc(h.steps, func(s release.Step) bool { return s.Name == "warning" && strings.Contains(s.Detail, "apple") }) {
		t.Errorf("no warning: %+v", h.steps)
	}
}

func TestARemovedSkillAnswersNoMore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("tea", "green").write(t))
	h.mustDeploy(oracle("soup", "hot").write(t))
	if err := h.Remove(t.Context(), "tea"); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove(t.Context(), "tea"); !errors.Is(err, assistant.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	for range 2 {
		if got := h.ask("tea"); got != "nobody answers" {
			t.Errorf("tea answers %q", got)
		}
		if got := h.ask("soup"); got != "hot" {
			t.Errorf("soup answers %q", got)
		}
		h.restart()
	}
}

// A deployment whose caller has left does not happen, or happens whole.
func TestADeploymentWhoseCallerLeftDoesNotHappen(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("tea", "green").write(t))
	for _, at := range []string{"read", "start", "store"} {
		ctx, cancel := context.WithCancel(t.Context())
		var archive bytes.Buffer
		if err := bundle.Pack(&archive, oracle("tea", "black").write(t), nil); err != nil {
			t.Fatal(err)
		}
		live, err := h.Deploy(ctx, &archive, func(s release.Step) {
			if s.Name == at {
				cancel()
			}
		})
		cancel()
		if err == nil {
			t.Errorf("left at %s: deployed %+v", at, live)
		}
		if got := h.ask("tea"); got != "green" {
			t.Errorf("left at %s: %q answers", at, got)
		}
	}
	h.restart()
	if got := h.ask("tea"); got != "green" {
		t.Errorf("after a restart %q answers", got)
	}
}

// What one version's files have become keeps no other skill from answering.
func TestLoadLeavesOutWhatItCannotRead(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("tea", "green").write(t))
	for _, v := range []assistant.SkillVersion{
		{Skill: "broken", ID: "1", Manifest: []byte("hark: 9"), Created: h.clock.Now()},
		{
			Skill: "clumsy", ID: "1", Created: h.clock.Now(), Manifest: []byte(oracle("clumsy", "x")["skill.yaml"]),
			Sentences: map[string][]byte{"en": []byte("language: en\nintents:\n  Ask: [\"ask (\"]\n  Count: [c]\n")},
		},
	} {
		if err := errors.Join(h.store.PutVersion(t.Context(), v), h.store.SetLive(t.Context(), assistant.LiveSkill{Skill: v.Skill, Version: v.ID})); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.store.SetLive(t.Context(), assistant.LiveSkill{Skill: "lost", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	h.restart()
	if got := h.ask("tea"); got != "green" {
		t.Errorf("tea answers %q", got)
	}
	list, err := h.Status(t.Context())
	if err != nil || len(list) != 4 {
		t.Fatalf("status %+v, %v", list, err)
	}
	for _, s := range list {
		if (s.Failure != "") != (s.Skill != "tea") {
			t.Errorf("%s: failure %q", s.Skill, s.Failure)
		}
	}
}

func TestAnArtifactIsFetchedFromTheStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("tea", "green").write(t))
	h.stop()
	if err := os.RemoveAll(h.folder); err != nil {
		t.Fatal(err)
	}
	h.start()
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
	if n := len(names(t, filepath.Join(h.folder, "artifacts"))); n != 1 {
		t.Errorf("%d artifacts", n)
	}
	if left := names(t, filepath.Join(h.folder, "work")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestUnfinishedWorkIsClearedAtTheStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("tea", "green").write(t))
	h.stop()
	oracle("half", "done").write(t, h.folder, "work", "upload-123")
	h.start()
	if left := names(t, filepath.Join(h.folder, "work")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	skills, err := catalog.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.New(release.Options{Catalog: skills, Clock: assistant.SystemClock{}, Folder: t.TempDir()}); err == nil {
		t.Error("a Manager without a store was made")
	}
}
