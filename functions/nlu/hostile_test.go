package nlu

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMatchBounded: no text takes long, whatever the templates. The bound is far
// above what is needed, for slow machines; without bounds in the matcher these
// would run for years.
func TestMatchBounded(t *testing.T) {
	src := one(
		"{a} x {b} x {c} x {d}", "{a} x {b} x {c} x y z", "{a}x{b}x{c}y z", "{a}{b}{c}{d}", "<opt> {a} <opt> end", "{a} {duration} {b} {duration} {c}",
		strings.Repeat("[a] ", 60)+"b", strings.Repeat("(a|aa|aaa)", 40)+"b", "(a;[a];[a];[a];[a];[a];[a];[a]) b", "{0..100:n}{a}{0..100:m}",
	)
	src.SkipWords = []string{"a", "x", "a x"}
	src.Rules = map[string]Template{"opt": {Text: strings.Repeat("[x|a|a x] ", 30)}}
	src.Lists = map[string]List{"a": {Kind: ListWildcard}, "b": {Kind: ListWildcard}, "c": {Kind: ListWildcard}, "d": {Kind: ListWildcard}}
	g := compile(t, "en", src)
	texts := []string{
		strings.Repeat("x ", 500), strings.Repeat("a ", 500), strings.Repeat("a x ", 250), strings.Repeat("x", 1000), strings.Repeat("a", 1000),
		strings.Repeat("1 ", 500), strings.Repeat("one hundred ", 80), strings.Repeat("1 hour ", 140), strings.Repeat("-", 1000), strings.Repeat(".", 1000),
		"y z " + strings.Repeat("x ", 490), strings.Repeat("x ", 490) + "z y",
		strings.Repeat("\u0301", 1000), strings.Repeat("一", 1000),
	}
	for _, text := range texts {
		start := time.Now()
		g.Match(text, Context{})
		t.Logf("%.12q... took %v", text, time.Since(start))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%.12q...: took %v", text, took)
		}
	}
	if !g.Match(strings.Repeat("x ", 500), Context{}).Truncated {
		t.Error("a search that was given up does not say so")
	}
	if res := g.Match(strings.Repeat("x", MaxTextLength+1), Context{}); !res.Truncated || len(res.Matches) > 0 {
		t.Errorf("a text that is too long: got %d matches, truncated %v", len(res.Matches), res.Truncated)
	}
}

// TestOneBadTemplateLeavesWorkForOthers: the bound is per template, too.
func TestOneBadTemplateLeavesWorkForOthers(t *testing.T) {
	src := one("{a}{a}{a}{a} y", "{a}{a}{a}", "{a}{b}", "{a}{a}{b}", "{a} {a}{b}", "<z> {a} end")
	src.Rules = map[string]Template{"z": {Text: "x"}}
	src.Lists = map[string]List{"a": {Kind: ListWildcard}, "b": {Kind: ListWildcard}}
	g := compile(t, "en", src)
	res := g.Match(strings.Repeat("x ", 150)+"y end", Context{})
	if len(res.Matches) == 0 || res.Matches[0].Template.Text != "<z> {a} end" {
		t.Errorf("got %d matches", len(res.Matches))
	}
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{"turn on the lamp", "请 打开 灯", "\xff\xfe", "ｆｕｌｌ", "A.C. on…", "set 5 5 5", "ﬁ ı İ ß", "e\u0301", "\u00ad", "x please y please", "\u0f5c"} {
		f.Add(seed)
	}
	src := one("turn on [the] (lamp;{area})", "say {what}", "{what} {0..100:n} {duration}", "请打开{what}灯")
	src.SkipWords = []string{"please"}
	src.Lists = map[string]List{"what": {Kind: ListWildcard}}
	chinese := src
	chinese.IgnoreWhitespace = true
	g, err := Compile("en", []Source{src, chinese})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range g.Match(text, Context{}).Matches {
			for name, slot := range m.Slots {
				if !strings.Contains(text, slot.Text) || slot.Text == "" {
					t.Errorf("%q: the words %q of slot %s are not in the text", text, slot.Text, name)
				}
			}
		}
	})
}

// TestOneSkillLeavesWorkForOthers: what a skill understands does not hang on the
// sentences of those that are asked before it, and who was cut is named.
func TestOneSkillLeavesWorkForOthers(t *testing.T) {
	greedy := one()
	greedy.Skill = "aab"
	greedy.Lists = map[string]List{"a": {Kind: ListWildcard}}
	for i := range 4900 {
		greedy.Intents[0].Groups[0].Templates = append(greedy.Intents[0].Groups[0].Templates, Template{Text: fmt.Sprintf("{a} t%d {area} {a}", i)},
			Template{Text: "{a} {area}{a}"})
	}
	clock, greeter := one("what time is it in {area} please tell"), one("hello {0..100:n} [<again>]")
	clock.Skill, greeter.Skill = "time", "hello"
	greeter.Rules = map[string]Template{"again": {Text: "[again] what time is it [in] (the|a) kitchen please tell"}}
	home, err := NewLists(map[string]List{"area": {Values: []Value{{In: Template{Text: "[the] [big|small] kitchen"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	g := compile(t, "en", greedy, clock, greeter)
	for text, want := range map[string]string{
		"what time is it in the kitchen please tell":                  "time",
		"hello twenty again what time is it in a kitchen please tell": "hello",
	} {
		alone := compile(t, "en", clock, greeter).Match(text, Context{Lists: home})
		if len(alone.Matches) == 0 || alone.Truncated || alone.Cut != nil {
			t.Fatalf("%q alone: %+v", text, alone)
		}
		res := g.Match(text, Context{Lists: home})
		if len(res.Matches) == 0 || res.Matches[0].Skill != want {
			t.Errorf("%q is not understood by %s: %d matches", text, want, len(res.Matches))
		}
		if !res.Truncated || !slices.Equal(res.Cut, []string{"aab"}) {
			t.Errorf("%q: truncated %v, cut %v", text, res.Truncated, res.Cut)
		}
	}
}

// TestManySkillsAreBounded: all that is searched is bounded, and each has its share.
func TestManySkillsAreBounded(t *testing.T) {
	for n, want := range map[int]int{0: maxSourceSteps, 1: maxSourceSteps, 20: maxSourceSteps, 40: maxSteps / 40, 1000: leastSourceSteps} {
		if got := sourceSteps(n); got != want {
			t.Errorf("%d sources: %d steps each, want %d", n, got, want)
		}
	}
	var sources []Source
	for i := range 100 {
		s := one("{a}{a}{a}{a} y", "{a}{a}{a} y", "{a} {a} {a} {a}", "{a}x{a} x {a}")
		s.Skill = fmt.Sprintf("s%03d", i)
		s.Lists = map[string]List{"a": {Kind: ListWildcard}}
		sources = append(sources, s)
	}
	start := time.Now()
	res := compile(t, "en", sources...).Match(strings.Repeat("x ", 400)+"y end", Context{})
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	} else {
		t.Logf("100 hostile skills took %v", took)
	}
	if len(res.Cut) != 100 {
		t.Errorf("%d skills were cut", len(res.Cut))
	}
}

// TestACutSearchIsNotShared: what one skill could not find out about a list of
// the home, because its steps came to an end there, another does.
func TestACutSearchIsNotShared(t *testing.T) {
	greedy, guide := one("{a} {area} {a} {area}"), one("{a} then {area}")
	greedy.Skill, guide.Skill = "aab", "guide"
	greedy.Lists = map[string]List{"a": {Kind: ListWildcard}}
	guide.Lists = greedy.Lists
	room := func(i int) string {
		return strings.NewReplacer("0", "o", "1", "m").Replace(fmt.Sprintf("room %012b", i))
	}
	// In so many ways that all rooms are tried at every place.
	said := func(i int) Template {
		return Template{Text: strings.Repeat("[(the|this|that|my)] ", 4) + room(i)}
	}
	var rooms []Value
	for i := range 3000 {
		rooms = append(rooms, Value{In: said(i)})
	}
	home, err := NewLists(map[string]List{"area": {Values: rooms}})
	if err != nil {
		t.Fatal(err)
	}
	g := compile(t, "en", greedy, guide)
	cut := 0
	for n := range 40 {
		res := g.Match("go "+strings.Repeat(room(7)+" ", n)+"then "+room(2999), Context{Lists: home})
		if !slices.ContainsFunc(res.Matches, func(m Match) bool { return m.Skill == "guide" }) {
			t.Errorf("%d rooms: not understood; cut %v", n, res.Cut)
		}
		cut += len(res.Cut)
	}
	if cut == 0 {
		t.Error("no search was cut: the test shows nothing")
	}
}

// TestHugeTemplatesAreBounded: rules within rules that are doubled at every level
// are left to the matcher, which takes each rule once, and the other templates
// are chosen as ever.
func TestHugeTemplatesAreBounded(t *testing.T) {
	src := one("<r0> stop", "stop [<r20>] now")
	src.Rules = map[string]Template{"r30": {Text: "a"}}
	for i := range 30 {
		src.Rules[fmt.Sprintf("r%d", i)] = Template{Text: fmt.Sprintf("[<r%d>] [b <r%d>]", i+1, i+1)}
	}
	g := compile(t, "en", src, one("go on"), one("stop it now"))
	if want := []int32{0}; !slices.Equal(g.always, want) {
		t.Errorf("templates %v are too large, want %v", g.always, want)
	}
	start := time.Now()
	for text, want := range map[string]string{"a b a b a stop": "<r0> stop", "stop now": "stop [<r20>] now", "go on": "go on", "stop it now": "stop it now"} {
		if m := best(t, g, text, Context{}); m == nil || m.Template.Text != want {
			t.Errorf("%q: got %+v, want %s", text, m, want)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestOddNamesAreBounded: names that may stand in a sentence in many ways.
func TestOddNamesAreBounded(t *testing.T) {
	var names []Value
	for n := range 30 {
		for _, piece := range []string{"- ", "-_ ", "a ", "a - ", "?a ", "a.? ", "-a"} {
			names = append(names, Value{In: Literal("x " + strings.Repeat(piece, n) + "z")})
		}
	}
	home, err := NewLists(map[string]List{"name": {Values: names}})
	if err != nil {
		t.Fatal(err)
	}
	g := compile(t, "en", one("go [to] {name} {name}"))
	for _, piece := range []string{"-", "- ", "a-", "a - ", "a", "a ", "a.", "-a ", "x -", "x a.?"} {
		start := time.Now()
		text := "go x " + strings.Repeat(piece, 900/len(piece))
		res := g.Match(text, Context{Lists: home})
		if took := time.Since(start); took > 2*time.Second || len(res.Matches) > 0 {
			t.Errorf("%.12q...: took %v, %d matches", text, took, len(res.Matches))
		}
	}
}
