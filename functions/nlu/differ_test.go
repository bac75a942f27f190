package nlu

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// MatchAll is Match without the help of the automaton and of keys.
func (g *Grammar) MatchAll(text string, ctx Context) Result {
	res, _ := g.match(text, ctx, false)
	return res
}

// sameResult compares what was found with and without that help.
func sameResult(tb testing.TB, g *Grammar, text string, ctx Context) {
	tb.Helper()
	quick, all := g.Match(text, ctx), g.MatchAll(text, ctx)
	switch {
	case all.Truncated:
		return // what was found until then may be less
	case quick.Truncated:
		tb.Errorf("%q: given up for the chosen templates, but not for all", text)
	case !reflect.DeepEqual(quick, all):
		tb.Errorf("%q: %d matches of the chosen templates, %d of all", text, len(quick.Matches), len(all.Matches))
		for _, m := range all.Matches {
			tb.Logf("template %q %s", m.Template.Text, show(&m))
		}
	}
}

// differSources are sentences with every construct, in both ways to read blanks.
func differSources(templates ...string) []Source {
	src := one(templates...)
	src.SkipWords = []string{"please", "would you", "请"}
	src.Rules = map[string]Template{
		"on": {Text: "[switch|turn] on"}, "the": {Text: "the|a"}, "odd": {Text: "[it's] ?. (a.c.|<on> <the>)-x"},
	}
	src.Lists = map[string]List{
		"any":   {Kind: ListWildcard},
		"color": {Values: []Value{{In: Template{Text: "[dark] red"}, Out: "red"}, {In: Template{Text: "(light|pale)[-]blue"}}, {In: Template{Text: "a.c."}}, {In: Template{Text: "[the] [big ]灯[ now]"}}}},
		"size":  {Values: []Value{{In: Template{Text: "[very] big"}}, {In: Template{Text: "as of {date} {time:at}"}}, {In: Template{Text: "{color} {number} tall"}}, {In: Template{Text: "[-] {any} bigger"}}}},
		"loose": {Values: []Value{{In: Template{Text: "<the> {number} x"}}, {In: Template{Text: strings.Repeat("[a|b] ", 8) + "end"}}, {In: Template{Text: "very {any} y"}}}},
		"heat":  {Kind: ListRange, Range: Range{From: 5, To: 30, Fractions: FractionsHalves}},
	}
	solid := src
	solid.Skill, solid.IgnoreWhitespace = "solid", true
	other := src
	other.Skill, other.SkipWords = "other", []string{}
	return []Source{src, solid, other}
}

func differHome(tb testing.TB) *Lists {
	tb.Helper()
	home, err := NewLists(map[string]List{
		"name": {Values: []Value{
			{In: Literal("Desk Lamp")},
			{In: Literal("desk")},
			{In: Literal("on-air - sign")},
			{In: Literal("T.V.")},
			{In: Literal("客厅灯")},
			{In: Template{Text: "[big|small] (fan|fans) [two]"}},
			{In: Literal("...x")},
			{In: Template{Text: strings.Repeat("[o|p] ", 8) + "q"}},
		}},
		"area": {Kind: ListRange, Range: Range{From: 1, To: 9}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return home
}

// differTemplates are enough to make most of what can go wrong do so.
var differTemplates = []string{
	"<on> [<the>] {name} [please]", "<on> {color} {any}", "{any} <odd>", "set {heat}[%|degrees]", "{heat:a} {heat:b}", "on{name}on",
	"({name};{color};[now])", "say {any} to {name}", "{loose} and {loose:more}", "wait[ing] {duration}[.]", "[the ]{area} {number}", "what's-up [?] {any}?",
	"打开{name}", "{any}的{color}", "[a] [b] [c] (d|{any}) - e", `\-{number}`, "x {any} {any:more} y",
	"it is{size}", "{size}!", "wake me {time} [on {date:day}]", "{any} {time}", "{temperature}{percentage:p} {date}",
}

// differNow is when all is said.
func differNow() time.Time { return time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC) }

// speaker says sentences that templates stand for, more or less.
type speaker struct {
	t     *rapid.T
	lists map[string][]string
	rules map[string]Template
}

func (s *speaker) pick(from []string) string { return rapid.SampledFrom(from).Draw(s.t, "words") }

func (s *speaker) say(e expr) string {
	var b strings.Builder
	switch e := e.(type) {
	case exprText:
		return string(e.text)
	case exprBlank:
		return s.pick([]string{" ", " ", " ", " ", "-", "", "  ", ", ", " please "})
	case exprSeq:
		for _, part := range e {
			b.WriteString(s.say(part))
		}
	case exprAlt:
		return s.say(e[rapid.IntRange(0, len(e)-1).Draw(s.t, "branch")])
	case exprPerm:
		for _, part := range rapid.Permutation(e).Draw(s.t, "order") {
			b.WriteString(s.say(part))
		}
	case exprRule:
		return s.template(s.rules[e.name])
	case exprList:
		return s.pick(s.lists[e.list])
	}
	return b.String()
}

func (s *speaker) template(t Template) string {
	e, err := parseTemplate(t)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.say(e)
}

// TestChosenTemplates: whatever may be said, what the automaton chooses holds all
// that matches.
func TestChosenTemplates(t *testing.T) {
	home, sources := differHome(t), differSources(differTemplates...)
	g := compile(t, "en", sources...)
	lists := map[string][]string{
		"name": {"desk lamp", "desk", "on-air sign", "on air -sign", "t.v.", "TV", "desklamp", "客厅灯", "客 厅灯", "big fans two", "fan", "x", "...x", "o p q", "q"}, "area": {"5", "- 5", "12"},
		"color": {"dark red", "red", "light-blue", "pale blue", "a.c.", "the big 灯 now", "灯", " 灯"}, "any": {"x", "please", "the desk", "a.c.", "5 eggs", "to - and", "很好"},
		"loose": {"the five x", "a 2 x", "end", "a b end", "very please y", "very x y y"}, "heat": {"20", "20.5", "twenty", "7,5", "31", "-5"},
		"number": {"-3", "one hundred and five", "3 million", "minus two"}, "duration": {"an hour and a half", "5 minutes", "ten seconds"},
		"time": {"half past six", "7:30 pm tomorrow", "at seven", "in two hours", "31 june at 8", "the 5th at ten to ten"},
		"date": {"friday", "march 5th", "a week on friday", "february 30th", "2027-02-29"}, "temperature": {"21.5°c", "minus five degrees"}, "percentage": {"half", "20 %"},
		"size": {"as of today 7 pm", "big", "- big", " big", "bigger", " red-five tall"},
	}
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		s := &speaker{t: t, lists: lists, rules: sources[0].Rules}
		for _, template := range differTemplates {
			text := []rune(s.template(Template{Text: template}))
			switch at := rapid.IntRange(0, 4*len(text)).Draw(t, "at"); {
			case at >= len(text):
			case rapid.Bool().Draw(t, "cut"):
				text = append(text[:at], text[at+1:]...)
			default:
				text = append(text[:at], append([]rune(s.pick([]string{" ", "-", ".", "please ", "x", "1"})), text[at:]...)...)
			}
			ctx := Context{Lists: home}
			if rapid.Bool().Draw(t, "clock") {
				ctx.Now = differNow()
			}
			sameResult(rapidTB{t: t}, g, string(text), ctx)
			matched += len(g.Match(string(text), ctx).Matches)
		}
	})
	if matched == 0 {
		t.Error("nothing matched: the test shows nothing")
	}
	t.Logf("%d matches", matched)
}

// rapidTB lets rapid see what a helper finds.
type rapidTB struct {
	testing.TB
	t *rapid.T
}

func (r rapidTB) Helper()                           { r.t.Helper() }
func (r rapidTB) Errorf(format string, args ...any) { r.t.Errorf(format, args...) }
func (r rapidTB) Logf(format string, args ...any)   { r.t.Logf(format, args...) }

// FuzzChosen holds the automaton to the matcher, on any template and any text.
func FuzzChosen(f *testing.F) {
	texts := []string{
		"turn on the desk lamp please", "on dark-red it's a.c.-x", "set twenty one degrees", "请打开客厅灯", "on-air sign", "what's up .x", "very x y and a 5 x", "x - - e", "1 one 2.5",
		"q b end", "wait an hour and a half.", "red big fans two", "-5", "wake me at 7 on friday", "half past six tomorrow evening 21.5°c", "the 客厅灯 - T.V", "\xff ß ŸŘ",
	}
	for i, template := range differTemplates {
		f.Add(template, texts[i%len(texts)])
	}
	home := differHome(f)
	f.Fuzz(func(t *testing.T, template, text string) {
		if len(template) > 300 || len(text) > 200 {
			return
		}
		sources := differSources(template, "say {odd} now", "{name}{odd:more}")
		sources[0].Lists["odd"] = List{Values: []Value{{In: Template{Text: template}}, {In: Template{Text: "odd"}}}}
		g, err := Compile("en", sources)
		if err != nil {
			return
		}
		if odd, err := NewLists(map[string]List{"name": {Values: []Value{{In: Literal(template)}, {In: Literal(text)}}}}); err == nil {
			for _, said := range []string{text, "on " + text, "打开" + template, "say" + template + text, template + template} {
				sameResult(t, g, said, Context{Lists: odd, Now: differNow()})
			}
		}
		sameResult(t, g, text, Context{Now: differNow(), Lists: home, Values: map[string]any{"area": "hall"}})
		sameResult(t, g, template, Context{Now: differNow(), Lists: home}) // a text much like the template
		for _, s := range texts {
			sameResult(t, g, s, Context{Now: differNow(), Lists: home})
		}
	})
}
