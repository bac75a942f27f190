package catalog_test

import (
	"os"
	"reflect"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
)

func builtIn(t *testing.T) []*catalog.Skill {
	t.Helper()
	var all []*catalog.Skill
	for _, name := range []string{"light", "sensor", "time", "timer"} {
		k, err := manifest.Load(os.DirFS("../../skills/" + name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &catalog.Skill{Skill: k, ID: name + "-1"})
	}
	return all
}

// Who was deployed first, and what was deployed and removed meanwhile, changes
// nothing: neither who wins, nor in which order the others come, nor the slots.
func TestTheOrderOfDeploymentChangesNothing(t *testing.T) {
	skills := builtIn(t)
	greedy := skill(t, "zebra", "z1", map[string]string{"en": "  Ask: [what time is it, turn on the desk lamp, set a timer for ten minutes]\n"})
	skills = append(skills, greedy, skill(t, "aardvark", "a1", map[string]string{"en": "  Ask: [what time is it, \"[please] turn on the desk lamp\"]\n"}))
	straight := build(t, skills...)
	winding := build(t)
	for i := range skills {
		var err error
		if winding, err = winding.With(skills[len(skills)-1-i]); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			if winding, err = winding.Without("zebra"); err != nil {
				t.Fatal(err)
			}
		}
	}
	winding, err := winding.With(greedy)
	if err != nil {
		t.Fatal(err)
	}
	sentences := 0
	for _, lang := range straight.Languages() {
		for _, k := range skills {
			s := k.Sentences[lang]
			if s == nil {
				continue
			}
			names, err := catalog.HomeLists(lang, s.Home.Entities, []assistant.Device{{Area: s.Home.Area}})
			if err != nil {
				t.Fatal(err)
			}
			ctx := nlu.Context{Lists: names, Values: map[string]any{"area": s.Home.Area}}
			for _, test := range s.Tests {
				sentences++
				if a, b := straight.Grammar(lang).Match(test.Say, ctx), winding.Grammar(lang).Match(test.Say, ctx); !reflect.DeepEqual(a, b) {
					t.Errorf("%q: %+v or %+v", test.Say, a, b)
				}
			}
		}
	}
	if sentences < 100 {
		t.Errorf("only %d sentences", sentences)
	}
	best := straight.Grammar("en").Match("what time is it", nlu.Context{})
	if rivals := best.Rivals(); best.Matches[0].Skill != "aardvark" || len(rivals) < 2 || rivals[len(rivals)-1].Skill != "zebra" {
		t.Errorf("equal readings: %+v", best.Matches)
	}
}

// Two versions of a skill stand side by side in one grammar: a home hears the
// sentences of its own. (A Snapshot holds one version of each skill as yet.)
func TestVersionsSideBySide(t *testing.T) {
	old := skill(t, "tea", "t1", map[string]string{"en": "  Ask: [make tea, stop]\n"})
	canary := skill(t, "tea", "t2", map[string]string{"en": "  Ask: [\"brew [some] tea\", stop]\n"})
	other := skill(t, "coffee", "c1", map[string]string{"en": "  Ask: [make coffee, stop]\n"})
	var sources []nlu.Source
	for _, k := range []*catalog.Skill{old, canary, other} {
		sources = append(sources, k.Sources(k.ID)...)
	}
	g, err := nlu.Compile("en", sources)
	if err != nil {
		t.Fatal(err)
	}
	runs := func(versions map[string]string) nlu.Context {
		return nlu.Context{Version: func(skill string) string { return versions[skill] }}
	}
	stable := runs(map[string]string{"tea": "t1", "coffee": "c1"})
	first := runs(map[string]string{"tea": "t2", "coffee": "c1"})
	none := runs(map[string]string{"coffee": "c1"})
	for _, c := range []struct {
		say  string
		home nlu.Context
		want []string
	}{
		{"make tea", stable, []string{"tea@t1"}},
		{"make tea", first, nil},
		{"brew tea", stable, nil},
		{"brew tea", first, []string{"tea@t2"}},
		{"make tea", none, nil},
		{"make coffee", stable, []string{"coffee@c1"}},
		{"make coffee", first, []string{"coffee@c1"}},
		{"stop", stable, []string{"coffee@c1", "tea@t1"}},
		{"stop", first, []string{"coffee@c1", "tea@t2"}},
		{"stop", none, []string{"coffee@c1"}},
	} {
		var got []string
		for _, m := range g.Match(c.say, c.home).Matches {
			got = append(got, m.Skill+"@"+m.Version)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v, want %v", c.say, got, c.want)
		}
	}
}

func TestUnderstand(t *testing.T) {
	s := build(t,
		skill(t, "tea", "t1", map[string]string{"en": "  Ask: [make tea, stop]\n", "zh-CN": "  Ask: [泡茶, OK]\n"}),
		skill(t, "soup", "s1", map[string]string{"en": "  Ask: [make soup]\n", "de": "  Ask: [ok]\n"}))
	for _, c := range []struct {
		text, lang string
		certain    bool
		langs      []string
		in         string
		parts      int
	}{
		{"make tea", "en", false, []string{"en", "de"}, "en", 0},
		{"make tea", "zh-CN", false, []string{"zh-CN", "de", "en"}, "en", 0},
		{"make tea", "zh-CN", true, []string{"zh-CN"}, "", 0},
		{"泡茶", "en", false, []string{"en", "zh-CN"}, "zh-CN", 0},
		{"ok", "zh-TW", false, []string{"zh-CN", "de", "en"}, "zh-CN", 0},
		{"ok", "fr", true, nil, "", 0},
		{"make soup and make tea", "de", false, []string{"de", "en"}, "en", 2},
		{"make a mess", "en", false, []string{"en", "de"}, "", 0},
	} {
		langs := s.LanguagesOf(c.text, c.lang, c.certain)
		u := s.Understand(c.text, langs, func(string) nlu.Context { return nlu.Context{} })
		if !reflect.DeepEqual(langs, c.langs) || u.Lang != c.in || len(u.Guess.Parts) != c.parts || (u.Lang != "" && c.parts == 0) != (len(u.Result.Matches) > 0) {
			t.Errorf("%q in %s: tried %v, understood in %q, %d parts, %d readings", c.text, c.lang, langs, u.Lang, len(u.Guess.Parts), len(u.Result.Matches))
		}
	}
}
