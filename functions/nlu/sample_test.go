package nlu_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/nlu"
	"github.com/hark-voice/hark/functions/nlu/eval"
)

func TestSamplesShowEveryAlternative(t *testing.T) {
	home, err := nlu.NewLists(map[string]nlu.List{"name": {Kind: nlu.ListValues, Values: []nlu.Value{
		{In: nlu.Literal("Desk Lamp"), Context: map[string]any{"domain": "light"}},
		{In: nlu.Literal("fan"), Context: map[string]any{"domain": "fan"}},
		{In: nlu.Template{Text: "([old] heater|stove)"}, Context: map[string]any{"domain": "fan"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	light := []nlu.Condition{{Key: "domain", Values: []any{"light"}}}
	for _, c := range []struct {
		lang, template string
		group          nlu.Group
		most           int
		want           []string
	}{
		{"en", "turn on the light", nlu.Group{}, 9, []string{"turn on the light"}},
		{"en", "[please] go (home|away)", nlu.Group{}, 9, []string{"please go home", "go away", "please go away", "go home"}},
		{"en", "a [b|c]", nlu.Group{}, 2, []string{"a b", "a c"}},
		{"en", "a [b|c|d|e]", nlu.Group{}, 3, []string{"a b", "a c", "a e"}},
		{"en", "(red;blue)", nlu.Group{}, 9, []string{"red blue", "blue red"}},
		{"en", "size {size}", nlu.Group{}, 9, []string{"size small", "size large", "size 3 meters"}},
		{"en", "wait {duration}", nlu.Group{}, 9, []string{"wait ten minutes", "wait 1 hour"}},
		{"en", "say {message}", nlu.Group{}, 9, []string{"say something"}},
		{"en", "level {10..20,5:level}", nlu.Group{}, 9, []string{"level 15", "level 10", "level 20"}},
		{"en", "dim {name}", nlu.Group{Requires: light}, 9, []string{"dim desk lamp"}},
		{"en", "dim {name}", nlu.Group{Excludes: light}, 9, []string{"dim fan", "dim old heater"}},
		{"en", "go to {area}", nlu.Group{}, 9, nil},
		{"en", "go [to {area}]", nlu.Group{}, 9, []string{"go"}},
		{"en", "<nested>", nlu.Group{}, 9, []string{"x y1", "x z2", "x y2", "x z1"}},
		{"en", "<own>", nlu.Group{Rules: map[string]nlu.Template{"own": {Text: "mine"}}}, 9, []string{"mine"}},
		{"zh-CN", "打开 (灯|TV 柜)", nlu.Group{}, 9, []string{"打开灯", "打开tv 柜"}},
		{"xx", "say {message}", nlu.Group{}, 9, []string{"say abc"}},
	} {
		c.group.Templates = []nlu.Template{{Text: c.template}}
		g, err := nlu.Compile(c.lang, []nlu.Source{{
			Skill: "s", Lang: c.lang, Intents: []nlu.Intent{{Name: "I", Groups: []nlu.Group{c.group}}}, SkipWords: []string{},
			Lists: map[string]nlu.List{
				"message": {Kind: nlu.ListWildcard},
				"meters":  {Kind: nlu.ListRange, Range: nlu.Range{From: 3, To: 3}},
				"size":    {Kind: nlu.ListValues, Values: []nlu.Value{{In: nlu.Template{Text: "small"}}, {In: nlu.Template{Text: "(big|large)"}}, {In: nlu.Template{Text: "{meters} meters"}}}},
			},
			Rules: map[string]nlu.Template{"nested": {Text: "x <deep>"}, "deep": {Text: "(y|z)(1|2)"}, "own": {Text: "everybody's"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for s := range g.Samples("", nlu.Context{Lists: home}, c.most) {
			got = append(got, s.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %q: %q, want %q", c.lang, c.template, got, c.want)
		}
	}
}

func TestSamplesAreOfTheSkillAndTheVersion(t *testing.T) {
	source := func(skill, version, text string) nlu.Source {
		return nlu.Source{Skill: skill, Version: version, Intents: []nlu.Intent{{Name: "I", Groups: []nlu.Group{{Templates: []nlu.Template{{Text: text}}}}}}}
	}
	g, err := nlu.Compile("en", []nlu.Source{source("a", "1", "one"), source("a", "2", "two"), source("b", "1", "three")})
	if err != nil {
		t.Fatal(err)
	}
	second := nlu.Context{Version: func(string) string { return "2" }}
	for _, c := range []struct {
		skill string
		ctx   nlu.Context
		want  []string
	}{
		{"", nlu.Context{}, []string{"one", "two", "three"}},
		{"a", nlu.Context{}, []string{"one", "two"}},
		{"a", second, []string{"two"}},
		{"b", second, nil},
		{"c", nlu.Context{}, nil},
	} {
		var got []string
		for s := range g.Samples(c.skill, c.ctx, 5) {
			got = append(got, s.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("skill %q: %q, want %q", c.skill, got, c.want)
		}
	}
	for range g.Samples("", nlu.Context{}, 5) {
		break // who has enough may stop
	}
}

// What rules within rules make of a short template is bounded.
func TestSamplesOfHugeTemplatesAreBounded(t *testing.T) {
	rules := map[string]nlu.Template{"r0": {Text: "(x|y)"}, "e0": {Text: "[x]"}}
	for i, name := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
		before := "0"
		if i > 0 {
			before = []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}[i-1]
		}
		rules["r"+name] = nlu.Template{Text: "<r" + before + "><r" + before + ">"}
		rules["e"+name] = nlu.Template{Text: "<e" + before + "><e" + before + ">"}
	}
	g, err := nlu.Compile("en", []nlu.Source{{Skill: "s", Rules: rules, Intents: []nlu.Intent{{Name: "I", Groups: []nlu.Group{{
		Templates: []nlu.Template{{Text: "<rk>"}, {Text: "a <ek>"}, {Text: "fine"}},
	}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for s := range g.Samples("", nlu.Context{}, 5) {
		got = append(got, s.Text)
	}
	if !slices.Contains(got, "fine") {
		t.Errorf("samples %.200q", got)
	}
}

// Every sentence that is made of the templates of the vectors means, among
// others, what its template does; and of nearly all templates there are some.
func TestSamplesOfVectors(t *testing.T) {
	dir := os.Getenv("HARK_NLU_VECTORS")
	if dir == "" {
		if os.Getenv("HARK_TEST_REQUIRE") == "all" {
			t.Fatal("HARK_NLU_VECTORS is not set: name the folder with the test vectors")
		}
		t.Skip("SKIPPED: HARK_NLU_VECTORS is not set, so no test vectors are run")
	}
	grammars, err := filepath.Glob(filepath.Join(dir, "*.grammar.json"))
	if err != nil || len(grammars) == 0 {
		t.Fatalf("no *.grammar.json in %s: %v", dir, err)
	}
	for _, path := range grammars {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".grammar.json"), func(t *testing.T) {
			suite := loadSuite(t, path)
			shown, made := make(map[nlu.Template]bool), 0
			for _, home := range homesOf(t, suite, strings.TrimSuffix(path, "grammar.json")+"tests.jsonl") {
				ctx := nlu.Context{Lists: home, Values: map[string]any{"area": "kitchen"}}
				for s := range suite.Grammar.Samples("", ctx, 4) {
					shown[s.Template] = true
					if made++; made%11 != 0 {
						continue
					}
					found := suite.Grammar.Match(s.Text, ctx)
					if !slices.ContainsFunc(found.Matches, func(m nlu.Match) bool { return m.Template == s.Template && m.Intent == s.Intent }) && !found.Truncated {
						t.Errorf("%q does not match %q", s.Text, s.Template.Text)
					}
				}
			}
			t.Logf("%d sentences of %d of %d templates", made, len(shown), suite.Grammar.Templates())
			if len(shown) < suite.Grammar.Templates()*8/10 { // the homes lack what others need
				t.Errorf("no sentences of %d templates", suite.Grammar.Templates()-len(shown))
			}
		})
	}
}

// homesOf returns some of the homes that test sentences are spoken in.
func homesOf(t *testing.T, suite *eval.Suite, path string) (homes []*nlu.Lists) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = suite.Each(f, eval.Options{Every: 7}, func(_ string, ctx nlu.Context) {
		if len(homes) < 12 && !slices.Contains(homes, ctx.Lists) {
			homes = append(homes, ctx.Lists)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return homes
}

func TestRivals(t *testing.T) {
	source := func(skill string, slots map[string]any, templates ...string) nlu.Source {
		s := nlu.Source{Skill: skill, Intents: []nlu.Intent{{Name: "I", Groups: []nlu.Group{{Slots: slots}}}}, Lists: map[string]nlu.List{"any": {Kind: nlu.ListWildcard}}}
		for _, text := range templates {
			s.Intents[0].Groups[0].Templates = append(s.Intents[0].Groups[0].Templates, nlu.Template{Text: text})
		}
		return s
	}
	apple := source("apple", nil, "open up", "[x] open up", "close it")
	berry := source("berry", nil, "open up", "go {any}")
	cherry := source("cherry", nil, "go home", "open {any}")
	for _, order := range [][]nlu.Source{{apple, berry, cherry}, {cherry, berry, apple}, {berry, cherry, apple}} {
		g, err := nlu.Compile("en", order)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]struct{ readings, rivals, why []string }{
			"open up": {
				[]string{"apple", "apple", "berry", "cherry"},
				[]string{"berry"},
				[]string{"equal, and the same in the end", "equal; apple comes before berry by name alone", "more wildcards: 1 against 0"},
			},
			"go home":  {[]string{"cherry", "berry"}, nil, []string{"more wildcards: 1 against 0"}},
			"close it": {[]string{"apple"}, nil, nil},
			"nothing":  {nil, nil, nil},
		} {
			result := g.Match(text, nlu.Context{})
			var readings, rivals, why []string
			for i, m := range result.Matches {
				if readings = append(readings, m.Skill); i > 0 {
					why = append(why, nlu.Why(&result.Matches[0], &m))
				}
			}
			if result.Ambiguous() != (len(want.rivals) > 0) {
				t.Errorf("%q: ambiguous %v", text, result.Ambiguous())
			}
			for _, m := range result.Rivals() {
				rivals = append(rivals, m.Skill)
			}
			if !reflect.DeepEqual([][]string{readings, rivals, why}, [][]string{want.readings, want.rivals, want.why}) {
				t.Errorf("%q: %q, rivals %q, %q", text, readings, rivals, why)
			}
		}
	}
}
