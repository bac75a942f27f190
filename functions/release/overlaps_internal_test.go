package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
)

// sentencesOf is a skill with one sentence file, which begins at line 1 with the
// language.
func sentencesOf(t *testing.T, name, lang, sentences string) *catalog.Skill {
	t.Helper()
	k, err := manifest.Decode(
		fmt.Appendf(nil, "hark: 1\nname: %s\nversion: 1.0.0\nruntime: {go: .}\nlanguages: [%s]\ntriggers: {intents: [Ask]}\n", name, lang),
		map[string][]byte{lang: []byte("language: " + lang + "\n" + sentences)})
	if err != nil {
		t.Fatal(err)
	}
	return &catalog.Skill{Skill: k, ID: "1"}
}

// overlapsOf are the steps that tell what a new skill shares with the others.
func overlapsOf(ctx context.Context, t *testing.T, k *catalog.Skill, others ...*catalog.Skill) (steps []Step) {
	t.Helper()
	alone, err := catalog.Build(k)
	if err != nil {
		t.Fatal(err)
	}
	next, err := catalog.Build(append(others, k)...)
	if err != nil {
		t.Fatal(err)
	}
	o := &overlaps{k: k, alone: alone, next: next, known: make(map[pair]bool), limit: time.Hour}
	if err := o.find(ctx, func(s Step) { steps = append(steps, s) }); err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestOverlaps(t *testing.T) {
	const wild = "lists: {any: wildcard}\n"
	for name, c := range map[string]struct {
		lang, own, its string
		want           []Step
	}{
		"nothing in common": {"en", "intents: {Ask: [make tea]}\n", "intents: {Ask: [make coffee, tea]}\n", nil},
		"equal": {"en", "intents: {Ask: [\"[now] open it (up|)\"]}\n", "intents: {Ask: [open it up]}\n", []Step{
			{"warning", `"open it up" (sentences/en.yaml:2) is also matched by skill old, template "open it up" (sentences/en.yaml:2); new wins; old: equal; new comes before old by name alone`},
		}},
		"the new one has the words": {"en", "intents: {Ask: [\"make [me] tea\"]}\n", wild + "intents: {Ask: [\"make {any}\"]}\n", []Step{
			{"overlap", `"make me tea" (sentences/en.yaml:2) is also matched by skill old, template "make {any}" (sentences/en.yaml:3); new wins; old: more wildcards: 1 against 0`},
		}},
		"the other has": {"en", wild + "intents: {Ask: [\"make {any}\"]}\n", "intents: {Ask: [\"make [me] tea\"]}\n", []Step{
			{"overlap", `"make me tea" (sentences/en.yaml:3) is also matched by skill old, template "make [me] tea" (sentences/en.yaml:2); old wins; new: more wildcards: 1 against 0`},
		}},
		"a name of the other's home": {
			"en", "intents: {Ask: [start the fan]}\n",
			"home: {entities: [{id: fan.x, name: fan}]}\nintents: {Ask: [\"start [the] {name}\"]}\n",
			[]Step{
				{"overlap", `"start the fan" (sentences/en.yaml:2) is also matched by skill old, template "start [the] {name}" (sentences/en.yaml:3); old wins; new: names less: 0 letters against 3`},
			},
		},
		"several, the doubtful first": {
			"en", wild + "intents: {Ask: [\"make {any}\", stop, \"{any} on\"]}\n", "intents: {Ask: [make tea, stop, light on]}\n", []Step{
				{"warning", `"stop" (sentences/en.yaml:3) is also matched by skill old, template "stop" (sentences/en.yaml:2); new wins; old: equal; new comes before old by name alone`},
				{"overlap", `"make tea" (sentences/en.yaml:3) is also matched by skill old, template "make tea" (sentences/en.yaml:2); old wins; new: more wildcards: 1 against 0`},
				{"overlap", `"light on" (sentences/en.yaml:3) is also matched by skill old, template "light on" (sentences/en.yaml:2); old wins; new: more wildcards: 1 against 0`},
			},
		},
		"Chinese": {"zh-CN", "intents: {Ask: [\"(打开|开)灯[吧]\"]}\n", "intents: {Ask: [\"[把]{area}灯打开\", 开灯吧]}\n", []Step{
			{"warning", `"开灯吧" (sentences/zh-CN.yaml:2) is also matched by skill old, template "开灯吧" (sentences/zh-CN.yaml:2); new wins; old: equal; new comes before old by name alone`},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := overlapsOf(t.Context(), t, sentencesOf(t, "new", c.lang, c.own), sentencesOf(t, "old", c.lang, c.its))
			if !slices.Equal(got, c.want) {
				t.Errorf("steps\n%+v\nwant\n%+v", got, c.want)
			}
		})
	}
}

// What is shown is bounded, and so is the time that the search takes; what was
// left out is said.
func TestTheSearchForOverlapsIsBounded(t *testing.T) {
	many := func(name, format string, n int) *catalog.Skill {
		var b strings.Builder
		b.WriteString("home: {area: kitchen}\nintents:\n  Ask:\n")
		for i := range n {
			fmt.Fprintf(&b, "    - \""+format+"\"\n", i)
		}
		return sentencesOf(t, name, "en", b.String())
	}
	some := overlapsOf(t.Context(), t, many("new", "(switch|turn) on the fan %d", 25), many("old", "turn on the fan %d", 25))
	if len(some) != maxOverlaps+1 || some[maxOverlaps].Detail != "and 15 more pairs of templates" {
		t.Errorf("25 pairs: %+v", some)
	}

	var others []*catalog.Skill
	for i := range 2 {
		others = append(others, many(fmt.Sprintf("old%d", i), fmt.Sprintf("(turn|switch|put) [the] (lamp|light) %d of {area} number %%d (on|off) [please]", i), 2600))
	}
	steps := overlapsOf(t.Context(), t, many("new", "turn lamp 1 number %d on", 200), others...)
	if !slices.ContainsFunc(steps, func(s Step) bool { return strings.Contains(s.Detail, "no more than 11 sentences of each") }) {
		t.Errorf("not said that few sentences were tried: %+v", steps)
	}

	over, cancel := context.WithCancel(t.Context())
	cancel()
	if steps := overlapsOf(over, t, many("new", "fan %d", 2), many("old", "fan %d", 3)); len(steps) != 1 || !strings.Contains(steps[0].Detail, "5 templates were not tried") {
		t.Errorf("out of time: %+v", steps)
	}
}
