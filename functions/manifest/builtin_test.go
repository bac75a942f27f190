package manifest_test

import (
	"maps"
	"os"
	"path"
	"testing"

	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
)

// The built-in skills are strangers' skills that happen to be at hand: their
// folders load, and their test sentences are understood beside each other.
func TestBuiltInSkills(t *testing.T) {
	skills := make(map[string]*manifest.Skill)
	sources := make(map[string][]nlu.Source)
	for _, name := range []string{"time", "timer"} {
		skill, err := manifest.Load(os.DirFS(path.Join("../../skills", name)))
		if err != nil {
			t.Fatal(err)
		}
		skills[name] = skill
		for _, source := range skill.Sources("1") {
			sources[source.Lang] = append(sources[source.Lang], source)
		}
	}
	for lang, sources := range sources {
		grammar, err := nlu.Compile(lang, sources)
		if err != nil {
			t.Fatal(err)
		}
		for name, skill := range skills {
			for _, test := range skill.Sentences[lang].Tests {
				checkSentence(t, grammar, name, test)
			}
		}
	}
}

func checkSentence(t *testing.T, grammar *nlu.Grammar, skill string, test manifest.Test) {
	t.Helper()
	result := grammar.Match(test.Say, nlu.Context{})
	if len(result.Matches) == 0 {
		t.Errorf("%s:%d: %q is not understood", test.File, test.Line, test.Say)
		return
	}
	best := result.Matches[0]
	slots := make(map[string]any, len(best.Slots))
	for name, slot := range best.Slots {
		slots[name] = slot.Value
	}
	if best.Skill != skill || best.Intent != test.Intent || !maps.Equal(slots, test.Slots) {
		t.Errorf("%s:%d: %q is understood as %s/%s %v by %s:%d (%s)", test.File, test.Line, test.Say,
			best.Skill, best.Intent, slots, best.Template.File, best.Template.Line, best.Template.Text)
	}
}
