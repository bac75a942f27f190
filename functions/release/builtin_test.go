package release_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/release/bundle"
)

func (h *house) builtins(prebuilt string) []string {
	h.t.Helper()
	deployed, err := h.DeployBuiltins(h.t.Context(), prebuilt, func(string, release.Step) {})
	if err != nil {
		h.t.Fatal(err)
	}
	return deployed
}

func TestBuiltinsAreDeployedOnceAndRenewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	prebuilt := t.TempDir()
	oracle("tea", "green").write(t, prebuilt, "tea")
	oracle("soup", "hot").write(t, prebuilt, "soup")
	files{"README": "no skill"}.write(t, prebuilt, "notes")
	if got := h.builtins(prebuilt); !slices.Equal(got, []string{"soup", "tea"}) {
		t.Errorf("deployed %v", got)
	}
	for range 2 {
		if got := h.builtins(prebuilt); len(got) != 0 {
			t.Errorf("deployed again: %v", got)
		}
		h.restart()
	}
	oracle("tea", "black").write(t, prebuilt, "tea")
	if got := h.builtins(prebuilt); !slices.Equal(got, []string{"tea"}) {
		t.Errorf("deployed after a change: %v", got)
	}
	if tea, soup := h.ask("tea"), h.ask("soup"); tea != "black" || soup != "hot" {
		t.Errorf("answers %q and %q", tea, soup)
	}
	if got := names(t, filepath.Join(prebuilt, "tea")); slices.Contains(got, "go.mod") {
		t.Errorf("the folder was written to: %v", got)
	}
}

// A change that gives the same artifact is deployed once, not at each start.
func TestABuiltinIsNotDeployedAtEachStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	prebuilt := t.TempDir()
	oracle("tea", "green").with(files{"main_test.go": "package main"}).write(t, prebuilt, "tea")
	h.builtins(prebuilt)
	files{"main_test.go": "package main // tested better"}.write(t, prebuilt, "tea")
	h.builtins(prebuilt)
	if got := h.builtins(prebuilt); len(got) != 0 {
		t.Errorf("deployed again: %v", got)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
}

func TestBuiltinsLeaveTheOperatorsChoice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	prebuilt := t.TempDir()
	oracle("tea", "green").write(t, prebuilt, "tea")
	oracle("soup", "hot").write(t, prebuilt, "soup")
	h.builtins(prebuilt)
	if err := h.Remove(t.Context(), "soup"); err != nil {
		t.Fatal(err)
	}
	h.mustDeploy(oracle("tea", "my own").write(t))
	oracle("tea", "black").write(t, prebuilt, "tea")
	oracle("soup", "hotter").write(t, prebuilt, "soup")
	for range 2 {
		if got := h.builtins(prebuilt); len(got) != 0 {
			t.Errorf("deployed %v", got)
		}
		if tea, soup := h.ask("tea"), h.ask("soup"); tea != "my own" || soup != "nobody answers" {
			t.Errorf("answers %q and %q", tea, soup)
		}
		h.restart()
	}
}

// A built-in skill that cannot be renewed keeps Hark from nothing; one that
// cannot be deployed at all is said.
func TestABrokenBuiltin(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	prebuilt := t.TempDir()
	oracle("tea", "green").write(t, prebuilt, "tea")
	h.builtins(prebuilt)
	oracle("tea", "black").with(files{"mode": "exit"}).write(t, prebuilt, "tea")
	if got := h.builtins(prebuilt); len(got) != 0 {
		t.Errorf("deployed %v", got)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
	oracle("soup", "hot").with(files{"mode": "exit"}).write(t, prebuilt, "soup")
	_, err := h.DeployBuiltins(t.Context(), prebuilt, func(string, release.Step) {})
	if err == nil || !strings.Contains(err.Error(), "soup") || !strings.Contains(err.Error(), "Atlantis") {
		t.Errorf("error %v", err)
	}
}

func TestNoBuiltinsAtAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	if _, err := h.DeployBuiltins(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "--source") {
		t.Errorf("error %v", err)
	}
	h.mustDeploy(oracle("tea", "green").write(t))
	if _, err := h.DeployBuiltins(t.Context(), t.TempDir(), nil); err != nil {
		t.Errorf("with a skill of the operator's own: %v", err)
	}
}

// source is Hark's own source.
func source(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := bundle.FindSource(here)
	if dir == "" {
		t.Fatal("Hark's source is not above this folder")
	}
	return dir
}

// teaInGo is the skill tea, as a Go program that is built on deployment.
func teaInGo(t *testing.T) files {
	t.Helper()
	code, err := os.ReadFile("testdata/program/main.go")
	if err != nil {
		t.Fatal(err)
	}
	tea := oracle("tea", "green")
	return tea.with(files{
		"skill.yaml": strings.Replace(tea["skill.yaml"], "command: [./serve]", "go: .", 1), "serve": "", "main.go": string(code),
	})
}

func TestAGoSkillIsBuilt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, source(t))
	skill := teaInGo(t)
	live := h.mustDeploy(skill.write(t))
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
	version, err := h.store.Version(t.Context(), "tea", live.Version)
	if err != nil {
		t.Fatal(err)
	}
	got := names(t, filepath.Join(h.folder, "artifacts", version.Artifact))
	if want := []string{"answer", "sentences", "skill", "skill.yaml"}; !slices.Equal(got, want) {
		t.Errorf("the artifact holds %v, want %v", got, want)
	}
	if again := h.mustDeploy(skill.write(t)); again.Version != live.Version {
		t.Errorf("the same source gave %s, then %s", live.Version, again.Version)
	}

	for name, c := range map[string]struct {
		change files
		says   []string
		lacks  []string
	}{
		"a syntax error": {files{"main.go": "package main\n\nfunc main() {\n"}, []string{"does not compile", "main.go:4"}, []string{"# skill", h.folder}},
		"type errors": {
			files{"main.go": "package main\n\nfunc main() { undefined(); var x int = \"y\" }\n"},
			[]string{"does not compile", "main.go:3:15", "undefined", "cannot use"},
			[]string{"# skill", h.folder},
		},
		"another package":   {files{"main.go": "package tea\n"}, []string{"package main"}, nil},
		"a broken go.mod":   {files{"go.mod": "module tea\nrequires x\n"}, []string{"does not compile", "go.mod:2"}, nil},
		"a missing package": {files{"main.go": "package main\n\nimport _ \"tea.invalid/leaf\"\n\nfunc main() {}\n"}, []string{"tea.invalid/leaf"}, nil},
	} {
		_, err := h.deploy(skill.with(c.change).write(t))
		if err == nil {
			t.Errorf("%s: deployed", name)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q:\n%v", name, want, err)
			}
		}
		for _, not := range c.lacks {
			if strings.Contains(err.Error(), not) {
				t.Errorf("%s: the error says %q:\n%v", name, not, err)
			}
		}
		if got := h.ask("tea"); got != "green" {
			t.Errorf("%s: %q answers", name, got)
		}
	}
}

// What an installation without source and toolchain comes with is taken as it is.
func TestAGoSkillThatWasBuiltBefore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	tea := teaInGo(t)
	dir := tea.with(files{"main.go": "", "skill": "#!/bin/sh\nexec " + program + "\n"}).write(t, t.TempDir(), "tea")
	if got := h.builtins(filepath.Dir(dir)); !slices.Equal(got, []string{"tea"}) {
		t.Errorf("deployed %v", got)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("answer %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "skill")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.deploy(dir); err == nil || !strings.Contains(err.Error(), "--source") {
		t.Errorf("neither source nor program: %v", err)
	}
}
