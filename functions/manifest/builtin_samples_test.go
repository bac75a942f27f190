package manifest_test

import (
	"slices"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/nlu"
)

// Of every template of the built-in skills there are sentences, and each is
// understood by that template, among all others.
func TestSamplesOfBuiltInSkills(t *testing.T) {
	skills := loadBuiltIn(t, "time", "timer", "light", "sensor")
	for lang, grammar := range compileBuiltIn(t, skills) {
		for name, skill := range skills {
			home := skill.Sentences[lang].Home
			if home.Area == "" {
				home.Area = "kitchen"
			}
			lists, err := catalog.HomeLists(lang, home.Entities, []assistant.Device{{Area: home.Area}})
			if err != nil {
				t.Fatal(err)
			}
			ctx := nlu.Context{Lists: lists, Values: map[string]any{"area": home.Area}, Now: home.Now}
			shown := make(map[nlu.Template]int)
			for s := range grammar.Samples(name, ctx, 12) {
				shown[s.Template]++
				matches := grammar.Match(s.Text, ctx).Matches
				if !slices.ContainsFunc(matches, func(m nlu.Match) bool { return m.Skill == name && m.Template == s.Template && m.Intent == s.Intent }) {
					t.Errorf("%s: %q is not understood by %s %q", name, s.Text, s.Template.Place(), s.Template.Text)
				}
			}
			for _, intent := range skill.Sentences[lang].Source.Intents {
				for _, group := range intent.Groups {
					for _, template := range group.Templates {
						if shown[template] == 0 {
							t.Errorf("%s: no sentence of %s %q", name, template.Place(), template.Text)
						}
					}
				}
			}
		}
	}
}
