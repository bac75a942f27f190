package release

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
)

func TestNeighbor(t *testing.T) {
	by := func(skills ...string) nlu.Result {
		var r nlu.Result
		for _, s := range skills {
			r.Matches = append(r.Matches, nlu.Match{Skill: s, Intent: "Ask"})
		}
		return r
	}
	cut := func(r nlu.Result, skills ...string) nlu.Result {
		r.Truncated, r.Cut = true, skills
		return r
	}
	for name, c := range map[string]struct {
		with, without nlu.Result
		fails, warns  string
	}{
		"as before":                      {with: by("time", "new"), without: by("time")},
		"taken":                          {with: by("new", "time"), without: by("time"), warns: `"what time is it" is answered by skill time (Ask), and would be by new (Ask); time: equal; new comes before time by name alone`},
		"taken before":                   {with: by("new"), without: by("new", "time")},
		"taken from nobody":              {with: by("new"), without: by()},
		"another's, as before":           {with: by("other", "time"), without: by("other", "time")},
		"too many ways of the new skill": {with: cut(by("time"), "new"), without: by("time"), fails: "in too many ways"},
		"lost":                           {with: by(), without: by("time"), fails: "which skill time answers, would not be understood"},
		"never understood":               {with: by(), without: by()},
		"cut off":                        {with: cut(by("time"), "time"), without: by("time"), fails: "would not be understood"},
		"cut off before":                 {with: cut(by("time"), "time"), without: cut(by("time"), "time")},
	} {
		var warnings []string
		f := &findings{progress: func(s Step) { warnings = append(warnings, s.Detail) }}
		skill := func(name string) *catalog.Skill {
			return &catalog.Skill{Skill: &manifest.Skill{Manifest: manifest.Manifest{Name: name}}}
		}
		f.neighbor(skill("new"), skill("time"), manifest.Test{Say: "what time is it", File: "en.yaml", Line: 3}, c.with, func() nlu.Result { return c.without })
		err := errors.Join(f.failures...)
		if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: error %v, want %q", name, err, c.fails)
		}
		if got := strings.Join(warnings, ""); got != c.warns {
			t.Errorf("%s: warning %q, want %q", name, got, c.warns)
		}
	}
}

func TestSlotsAreShownWithTheirTypes(t *testing.T) {
	result := func(value any) nlu.Result {
		return nlu.Result{Matches: []nlu.Match{{Intent: "Set", Slots: map[string]assistant.Slot{"n": {Value: value}}}}}
	}
	for _, c := range []struct {
		want, got any
		says      string
	}{
		{"600", 600.0, `n = 600; it should be "600" (text)`},
		{600.0, "600", `n = "600" (text); it should be 600`},
		{true, "true", `n = "true" (text); it should be true`},
	} {
		err := check(manifest.Test{Say: "x", Intent: "Set", Slots: map[string]any{"n": c.want}}, result(c.got), "timer")
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v and %v: %v", c.want, c.got, err)
		}
	}
}

func TestWarningsAreBounded(t *testing.T) {
	var steps []Step
	f := &findings{progress: func(s Step) { steps = append(steps, s) }}
	for range maxFailures + 5 {
		f.warn("a sentence")
	}
	f.warned()
	if len(steps) != maxFailures+1 || !slices.Contains(steps, Step{"warning", "and 5 more sentences"}) {
		t.Errorf("%d warnings: %v", len(steps), steps)
	}
}
