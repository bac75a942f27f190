package release_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/release"
)

func (h *house) warned(parts ...string) bool {
	return slices.ContainsFunc(h.steps, func(s release.Step) bool {
		return s.Name == "warning" && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s.Detail, part) })
	})
}

// A sentence that leaves the skill that answered it is said.
func TestASentenceTakenFromALiveSkillIsAWarning(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.mustDeploy(oracle("tea", "green").write(t))
	h.mustDeploy(oracle("coffee", "black").with(files{
		"sentences/en.yaml": "language: en\nintents:\n  Ask: [ask tea]\n  Count: [coffee count]\n",
	}).write(t))
	if !h.warned(`"ask tea" is answered by skill tea (Ask)`, "would be by coffee (Ask)") {
		t.Errorf("no warning: %+v", h.steps)
	}
	if h.mustDeploy(oracle("coffee", "white").write(t)); h.warned() {
		t.Errorf("a warning of nothing: %+v", h.steps)
	}
}

// A skill whose sentences cost too much to search is refused, whether its own
// tests show it or those of another.
func TestASkillThatFitsTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	tea := oracle("tea", "green")
	h.mustDeploy(tea.with(files{"sentences/en.yaml": tea["sentences/en.yaml"] +
		"  - {say: tea count, intent: Count}\n"}).write(t))
	var greedy strings.Builder
	greedy.WriteString("language: en\nlists: {a: wildcard}\nintents:\n  Ask: [ask soup]\n  Count:\n")
	for i := range 4900 {
		fmt.Fprintf(&greedy, "    - \"{a} [{a:b%d}] [{a:c}] {a:d} [{a:e}]\"\n", i%7)
	}
	soup := oracle("aab", "hot").with(files{"sentences/en.yaml": greedy.String()})
	_, err := h.deploy(soup.write(t))
	if err == nil || !strings.Contains(err.Error(), `"tea count", a sentence of skill tea`) || !strings.Contains(err.Error(), "too many ways") {
		t.Errorf("beside another: %v", err)
	}
	greedy.WriteString("tests:\n  - {say: ask soup, intent: Ask}\n")
	_, err = h.deploy(soup.with(files{"sentences/en.yaml": greedy.String()}).write(t))
	if err == nil || !strings.Contains(err.Error(), `"ask soup" fits the skill's sentences in too many ways`) {
		t.Errorf("its own: %v", err)
	}
	if got := h.ask("tea"); got != "green" {
		t.Errorf("tea answers %q", got)
	}
}

// What calls no handler in the tests with answers is called once.
func TestHandlersWithoutAnswersAreCalled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	tea := oracle("tea", "green")
	counted := tea["sentences/en.yaml"] + "  - {say: tea count, intent: Count}\n  - {say: tea count, intent: Count}\n"
	unasked := strings.Replace(tea["sentences/en.yaml"], ", answer: green", "", 1)
	for name, c := range map[string]struct {
		change files
		says   []string // empty: deployed
		warns  string
	}{
		"a handler that answers": {files{"sentences/en.yaml": counted}, nil, ""},
		"a handler that is missing": {
			files{
				"skill.yaml":        strings.Replace(tea["skill.yaml"], "Count]", "Count, Brew]", 1),
				"sentences/en.yaml": strings.Replace(tea["sentences/en.yaml"], "tests:", "  Brew: [brew tea]\ntests:\n  - {say: brew tea, intent: Brew}", 1),
			},
			[]string{"1 of 1 handlers", "sentences/en.yaml:7", "no handler for intent", "Brew"},
			"",
		},
		"state without a scope": {
			files{"skill.yaml": strings.Replace(tea["skill.yaml"], "state: home", "state: none", 1), "sentences/en.yaml": counted},
			[]string{"sentences/en.yaml:7", "state: none"},
			"",
		},
		"an answer beyond bounds": {
			files{"answer": strings.Repeat("tea ", 1100), "sentences/en.yaml": unasked},
			[]string{"sentences/en.yaml:6", "4000"},
			"",
		},
		"a handler that fails": {files{"answer": "", "sentences/en.yaml": unasked}, nil, "the handler failed"},
	} {
		_, err := h.deploy(tea.with(c.change).write(t))
		if (err != nil) != (c.says != nil) {
			t.Errorf("%s: error %v", name, err)
		}
		for _, want := range c.says {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q:\n%v", name, want, err)
			}
		}
		if h.warned() != (c.warns != "") || !h.warned(c.warns) && c.warns != "" {
			t.Errorf("%s: steps %+v", name, h.steps)
		}
	}
}

func TestReplacingABuiltinIsSaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	prebuilt := t.TempDir()
	oracle("tea", "green").write(t, prebuilt, "tea")
	h.builtins(prebuilt)
	old, _ := h.cat.Current().Skill("tea")
	if h.mustDeploy(oracle("tea", "my own").write(t)); !h.warned("replaces tea " + old.ID + " (built in)") {
		t.Errorf("not said: %+v", h.steps)
	}
	if h.mustDeploy(oracle("tea", "mine again").write(t)); h.warned() {
		t.Errorf("a warning of nothing: %+v", h.steps)
	}
}
