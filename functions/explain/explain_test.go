package explain_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/explain"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/sqlite"
)

// newExplainer knows two skills, and the home flat with a lamp in the study.
func newExplainer(t *testing.T) *explain.Explainer {
	t.Helper()
	clock := assistant.NewManualClock(time.Date(2026, 1, 2, 23, 30, 0, 0, time.UTC))
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "hark.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := errors.Join(
		store.PutHome(t.Context(), assistant.Home{ID: "flat", Zone: "Asia/Shanghai", Lang: "zh-CN"}),
		store.PutDevice(t.Context(), assistant.Device{Home: "flat", ID: "desk", Area: "study", Lang: "en"}),
		store.PutEntity(t.Context(), assistant.Entity{Home: "flat", ID: "light.x", Domain: "light", Name: "Lava Lamp", Area: "study"}),
	); err != nil {
		t.Fatal(err)
	}
	homes, err := household.New(household.Options{Store: store, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	skills, err := catalog.New()
	if err != nil {
		t.Fatal(err)
	}
	live, err := catalog.Build(
		skill(t, "lamp", map[string]string{
			"en":    "language: en\nlists: {any: wildcard}\nintents:\n  Ask:\n    - \"(turn|switch) on [the] {name}\"\n    - all [is] off\n    - \"say {any}\"\n    - wake me on {date:day}\n    - hush [now]\n    - sentences: [hush]\n      slots: {loud: 1}\n",
			"zh-CN": "language: zh-CN\nintents:\n  Ask:\n    - 打开[{area}的]灯\n",
		}),
		skill(t, "alarm", map[string]string{"en": "language: en\nlists: {what: wildcard}\nintents:\n  Ask:\n    - all off\n    - \"turn on {what}\"\n"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	skills.Publish(live)
	e, err := explain.New(explain.Options{Catalog: skills, Homes: homes, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func skill(t *testing.T, name string, sentences map[string]string) *catalog.Skill {
	t.Helper()
	langs, files := []string{}, map[string][]byte{}
	for lang, text := range sentences {
		langs, files[lang] = append(langs, lang), []byte(text)
	}
	slices.Sort(langs)
	k, err := manifest.Decode(fmt.Appendf(nil, "hark: 1\nname: %s\nversion: 1.0.0\nruntime: {go: .}\nlanguages: [%s]\ntriggers: {intents: [Ask]}\n", name, strings.Join(langs, ", ")), files)
	if err != nil {
		t.Fatal(err)
	}
	return &catalog.Skill{Skill: k, ID: "1.0.0-" + name}
}

func TestExplain(t *testing.T) {
	e := newExplainer(t)
	flat := func(text string) explain.Question { return explain.Question{Text: text, Home: "flat"} }
	for _, c := range []struct {
		q         explain.Question
		lang      string
		tried     string
		readings  []string // skill place why
		slots     string   // of the first
		ambiguous bool
		guess     []string
		nearest   string // the first
	}{
		{
			flat("turn on the lava lamp"), "en", "zh-CN,en",
			[]string{"lamp sentences/en.yaml:5 wins", "alarm sentences/en.yaml:6 names less: 0 letters against 8"},
			"map[name:{Lava Lamp lava lamp}]", false, nil, "",
		},
		{
			explain.Question{Text: "turn on the lava lamp", Lang: "en"},
			"en", "en",
			[]string{"alarm sentences/en.yaml:6 the only reading"},
			"map[what:{the lava lamp the lava lamp}]", false, nil, "",
		},
		{
			flat("all off"), "en", "zh-CN,en",
			[]string{"alarm sentences/en.yaml:5 wins", "lamp sentences/en.yaml:6 equal; alarm comes before lamp by name alone"},
			"map[]", true, nil, "",
		},
		{
			explain.Question{Text: "打开书房的灯", Home: "flat", Device: "desk"},
			"zh-CN", "en,zh-CN",
			[]string{"lamp sentences/zh-CN.yaml:4 the only reading"},
			"map[area:{study 书房}]", false, nil, "",
		},
		{ // the day is that of the home, where it is tomorrow already
			flat("wake me on tomorrow"), "en", "zh-CN,en",
			[]string{"lamp sentences/en.yaml:8 the only reading"},
			"2026-01-04", false, nil, "",
		},
		{flat("switch on the lava lamp and all is off"), "en", "zh-CN,en", nil, "", false, []string{"switch on the lava lamp", "all is off"}, ""},
		{flat("swich on lava lamp"), "", "zh-CN,en", nil, "", false, nil, "switch on lava lamp"},
		{ // within a skill, the author decides
			flat("hush"), "en", "zh-CN,en",
			[]string{"lamp sentences/en.yaml:9 wins", "lamp sentences/en.yaml:10 equal, but declared later"},
			"map[]", false, nil, "",
		},
		{flat("qqq"), "", "zh-CN,en", nil, "", false, nil, ""},
		{explain.Question{Text: "bonjour", Lang: "fr"}, "", "", nil, "", false, nil, ""},
	} {
		x, err := e.Explain(t.Context(), c.q)
		if err != nil {
			t.Errorf("%q: %v", c.q.Text, err)
			continue
		}
		var readings, guess []string
		for _, r := range x.Readings {
			readings = append(readings, strings.Join([]string{r.Skill, r.Place, r.Why}, " "))
			if r.Version != "1.0.0-"+r.Skill || r.Intent != "Ask" || r.Rival != strings.HasPrefix(r.Why, "equal") {
				t.Errorf("%q: %+v", c.q.Text, r)
			}
		}
		if x.Guess != nil {
			for _, p := range x.Guess.Parts {
				if guess = append(guess, p.Text); len(p.Readings) == 0 || len(p.Assumed) == 0 || x.Guess.Confidence <= 0 || x.Guess.Confidence >= 1 {
					t.Errorf("%q: %+v", c.q.Text, x.Guess)
				}
			}
		}
		nearest := ""
		if len(x.Nearest) > 0 {
			nearest = x.Nearest[0].Text
		}
		if x.Lang != c.lang || strings.Join(x.Tried, ",") != c.tried || !slices.Equal(readings, c.readings) || x.Ambiguous != c.ambiguous ||
			!slices.Equal(guess, c.guess) || nearest != c.nearest {
			t.Errorf("%q: in %q of %v: %q, ambiguous %v, guess %q, nearest %q", c.q.Text, x.Lang, x.Tried, readings, x.Ambiguous, guess, nearest)
		}
		if len(x.Readings) > 0 && !strings.Contains(fmt.Sprint(x.Readings[0].Slots), c.slots) {
			t.Errorf("%q: slots %v", c.q.Text, x.Readings[0].Slots)
		}
	}
	if _, err := e.Explain(t.Context(), explain.Question{Text: "x", Home: "flat", Device: "nobody"}); !errors.Is(err, assistant.ErrNotFound) {
		t.Errorf("a device that is not there: %v", err)
	}
	if _, err := explain.New(explain.Options{}); err == nil {
		t.Error("an Explainer was made of nothing")
	}
}

// Of what is not understood, the pieces are told that are.
func TestPieces(t *testing.T) {
	e := newExplainer(t)
	for text, want := range map[string]string{
		"all is off and the foozle":            "[{all is off true} {and the foozle false}]",
		"the foozle, then hush now":            "[{the foozle, then false} {hush now true}]",
		"hush now foozle hush":                 "[{hush now true} {foozle false} {hush true}]",
		"打开书房的灯说说":                             "[{打开书房的灯 true} {说说 false}]",
		"foozle the lamp":                      "[]",
		strings.Repeat("foozle ", 70) + "hush": "[]",
	} {
		x, err := e.Explain(t.Context(), explain.Question{Text: text, Home: "flat"})
		if err != nil || x.Lang != "" || fmt.Sprint(x.Pieces) != want {
			t.Errorf("%.40q: in %q: %v, %v; want %s", text, x.Lang, x.Pieces, err, want)
		}
	}
}

func TestWhatSkillsSpeakIsToldOfALanguageThatNoneDoes(t *testing.T) {
	x, err := newExplainer(t).Explain(t.Context(), explain.Question{Text: "bonjour", Lang: "fr"})
	if err != nil || !slices.Equal(x.Languages, []string{"en", "zh-CN"}) {
		t.Errorf("%+v, %v", x, err)
	}
}
