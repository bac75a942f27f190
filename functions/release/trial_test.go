package release_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/nlu"
	"github.com/hark-voice/hark/functions/release"
	"github.com/hark-voice/hark/functions/release/bundle"
)

// test packs a folder and tests it.
func (h *house) test(dir string) (release.Tested, error) {
	h.t.Helper()
	var archive bytes.Buffer
	if err := bundle.Pack(&archive, dir, nil); err != nil {
		h.t.Fatal(err)
	}
	h.steps = nil
	return h.Test(h.t.Context(), &archive, func(s release.Step) { h.steps = append(h.steps, s) })
}

// A test goes as far as a deployment, and leaves nothing.
func TestATestDeploysNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	live := h.mustDeploy(oracle("tea", "green").write(t))
	before := names(t, filepath.Join(h.folder, "artifacts"))
	untouched := func(what string) {
		t.Helper()
		if k, ok := h.cat.Current().Skill("tea"); !ok || k.ID != live.Version || len(h.cat.Current().Skills()) != 1 {
			t.Errorf("%s: live is %+v", what, h.cat.Current().Skills())
		}
		if got := h.ask("tea"); got != "green" {
			t.Errorf("%s: tea answers %q", what, got)
		}
		if after := names(t, filepath.Join(h.folder, "artifacts")); !slices.Equal(after, before) {
			t.Errorf("%s: artifacts %v", what, after)
		}
		if versions, err := h.store.Versions(t.Context(), "tea"); err != nil || len(versions) != 1 {
			t.Errorf("%s: versions %v, %v", what, versions, err)
		}
	}
	black := oracle("tea", "black")
	black["sentences/en.yaml"] += "  - {say: tea count, intent: Count}\n"
	got, err := h.test(black.write(t))
	if err != nil || got.Skill != "tea" || !strings.HasPrefix(got.Version, "1.0.0-") || got.Sentences != 2 || got.Answers != 1 || got.Handlers != 1 {
		t.Errorf("tested %+v, %v", got, err)
	}
	untouched("passed")
	_, err = h.test(black.with(files{"answer": "red"}).write(t))
	if err == nil || !strings.Contains(err.Error(), "sentences/en.yaml:6") || !strings.Contains(err.Error(), `"red"`) {
		t.Errorf("another answer: %v", err)
	}
	untouched("failed")
	if got, err := h.test(oracle("tea", "green").write(t)); err != nil || got.Version != live.Version {
		t.Errorf("what is live: %+v, %v", got, err)
	}
	untouched("the same")
	if _, err := h.Test(t.Context(), strings.NewReader("no archive"), nil); err == nil || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("no archive: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(h.folder, "work")); err != nil || len(left) > 1 { // the bench
		t.Errorf("left at work: %v, %v", left, err)
	}
}

// Sentences that a new skill shares with one that is live are told as it is
// deployed, once for each pair of templates; what it takes of them more loudly.
func TestSharedSentencesAreToldAtDeployment(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("tea", "green").write(t))
	coffee := oracle("coffee", "black").with(files{
		"sentences/en.yaml": "language: en\nlists: {any: wildcard}\nintents:\n  Ask: [ask tea]\n  Count: [\"tea {any}\"]\n",
	})
	h.mustDeploy(coffee.write(t))
	var told []release.Step
	for _, s := range h.steps {
		if s.Name == "warning" || s.Name == "overlap" {
			told = append(told, s)
		}
	}
	want := []release.Step{
		{Name: "warning", Detail: `"ask tea" is answered by skill tea (Ask), and would be by coffee (Ask); tea: equal; coffee comes before tea by name alone`},
		{Name: "overlap", Detail: `"tea count" (sentences/en.yaml:5) is also matched by skill tea, template "tea count" (sentences/en.yaml:4); tea wins; coffee: more wildcards: 1 against 0`},
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%+v\nwant\n%+v", told, want)
	}
}

// What a sentence means does not hang on who was deployed first, nor on a restart.
func TestTheOrderOfDeploymentDecidesNothing(t *testing.T) {
	t.Parallel()
	same := func(name string) files {
		return oracle(name, name).with(files{"sentences/en.yaml": "language: en\nintents:\n  Ask: [ask me]\n  Count: [count me]\n"})
	}
	var got [][]string
	for _, order := range [][]string{{"alpha", "beta"}, {"beta", "alpha"}} {
		h := newHouse(t, "")
		for _, name := range order {
			h.mustDeploy(same(name).write(t))
		}
		for range 2 {
			var readings []string
			result := h.cat.Current().Grammar("en").Match("ask me", nlu.Context{})
			for _, m := range result.Matches {
				readings = append(readings, m.Skill+" "+nlu.Why(&result.Matches[0], &m))
			}
			got = append(got, readings)
			h.restart()
		}
	}
	for i, readings := range got {
		if len(readings) != 2 || !strings.HasPrefix(readings[0], "alpha ") || readings[1] != "beta equal; alpha comes before beta by name alone" || !slices.Equal(readings, got[0]) {
			t.Errorf("%d: %q", i, readings)
		}
	}
}

// A handler that is late fails a test; a deployment only says it. For neither has
// it passed.
func TestAHandlerThatIsLateFailsATest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	tea := oracle("tea", "green")
	late := tea.with(files{
		"mode":              "silent\n",
		"skill.yaml":        strings.Replace(tea["skill.yaml"], "timeout: 30s", "timeout: 100ms", 1),
		"sentences/en.yaml": "language: en\nintents:\n  Ask: [ask tea]\n  Count: [tea count]\ntests:\n  - {say: tea count, intent: Count}\n",
	})
	got, err := h.test(late.write(t))
	if err == nil || !strings.Contains(err.Error(), `sentences/en.yaml:6: "tea count"`) || !strings.Contains(err.Error(), "in time") || got.Sentences != 1 || got.Handlers != 0 {
		t.Errorf("tested %+v, %v", got, err)
	}
	if h.warned() {
		t.Errorf("a warning, too: %+v", h.steps)
	}
	if h.mustDeploy(late.write(t)); !h.warned(`"tea count"`, "in time") {
		t.Errorf("deployed without a warning: %+v", h.steps)
	}
}
