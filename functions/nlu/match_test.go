package nlu

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func compile(tb testing.TB, lang string, sources ...Source) *Grammar {
	tb.Helper()
	g, err := Compile(lang, sources)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func best(tb testing.TB, g *Grammar, text string, ctx Context) *Match {
	tb.Helper()
	res := g.Match(text, ctx)
	if res.Truncated {
		tb.Errorf("%q: the search was given up", text)
	}
	if len(res.Matches) == 0 {
		return nil
	}
	return &res.Matches[0]
}

// show writes slots as name=value, by name.
func show(m *Match) string {
	if m == nil {
		return "-"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m.Slots)) {
		parts = append(parts, fmt.Sprintf("%s=%v", name, m.Slots[name].Value))
	}
	return strings.Join(parts, " ")
}

func TestMatchConstructs(t *testing.T) {
	cases := []struct {
		template string
		yes, no  []string // a wanted text may be followed by " => slots"
	}{
		{"turn on", []string{"turn on", "Turn ON", " turn   on ", "turn-on", "turn on!", "¿turn on?", "ｔｕｒｎ　ｏｎ"}, []string{"turn", "turnon", "turn on x", ""}},
		{"turn [the] lamp", []string{"turn lamp", "turn the lamp"}, []string{"turn the", "turn thelamp", "turnlamp"}},
		{"lamp[s] on", []string{"lamp on", "lamps on"}, []string{"lamp s on"}},
		{"(a|b|) x", []string{"a x", "b x", "x"}, []string{"c x", "a b x", "ax"}},
		{"[a|b] x", []string{"a x", "b x", "x"}, nil},
		{"x (a;b;c) y", []string{"x a b c y", "x c b a y", "x b a c y"}, []string{"x a b y", "x a b c c y", "x ab c y"}},
		{"(a|b;c)", []string{"a c", "c b"}, []string{"a b", "a", "c"}},
		{"[a;b] x", []string{"x", "a b x", "b a x"}, []string{"a x"}},
		{"(a;[b]) x", []string{"a x", "a b x", "b a x"}, []string{"b x"}},
		{`\(x\) \<y\> \\`, []string{`(x) <y> \`}, []string{"x y"}},
		{"what's the time?", []string{"what's the time", "What’s the time ?"}, []string{"whats the time"}},
		{"<greet> {who}", []string{"hello bob => who=bob", "good day bob => who=bob"}, []string{"day bob"}},
		{"{color} lamp", []string{"dark-red lamp => color=maroon", "green lamp => color=green", "greenlamp => color=green"}, []string{"blue lamp"}},
		{"{music}", []string{"pop music => music=pop music", "pop-music => music=pop music"}, []string{"popmusic"}},
		{"the {color:paint} one", []string{"the red one => paint=#f00"}, nil},
		{"say {who} now", []string{"say bob, my friend now => who=bob, my friend", "say now now => who=now"}, []string{"say now", "saynow now"}},
		{"say {who}", []string{"Say Hello, World!  => who=Hello, World", "say A.C. => who=A.C."}, []string{"say", "say !"}},
		{"{who} says {what}", []string{"bob says says who => what=says who who=bob"}, nil},
		{"{who:@x} left", []string{"bob left => "}, nil},
		{"set {0..100,5:n}", []string{"set 35 => n=35", "set thirty five => n=35", "set ３５ => n=35"}, []string{"set 33", "set -5", "set 105"}},
		{"heat {heat}", []string{"heat 20.5 => heat=20.5", "heat 20,5 => heat=20.5", "heat 20 => heat=20"}, []string{"heat 20.7", "heat 31"}},
		{"dim by {less}", []string{"dim by ten => less=-10", "dim by 10 => less=-10"}, nil},
		{"{who} {0..60:n} [minutes]", []string{"eggs 5 minutes => n=5 who=eggs"}, []string{"eggs 5 minutes 30 minutes"}},
		{"straße", []string{"STRASSE", "Straße"}, nil},
		{"café", []string{"CAFE\u0301", "café"}, []string{"cafe"}},
	}
	for _, c := range cases {
		src := one(c.template)
		src.Rules = map[string]Template{"greet": {Text: "hello|good (day|morning)"}}
		src.Lists = map[string]List{
			"who": {Kind: ListWildcard}, "what": {Kind: ListWildcard},
			"color": {Values: []Value{
				{In: Template{Text: "red"}, Out: "#f00"}, {In: Template{Text: "green"}}, {In: Template{Text: "[dark] red"}, Out: "maroon"},
			}},
			"music": {Values: []Value{{In: Template{Text: "pop music"}}}},
			"heat":  {Kind: ListRange, Range: Range{From: 5, To: 30, Fractions: FractionsHalves}},
			"less":  {Kind: ListRange, Range: Range{From: 0, To: 100, Multiplier: -1}},
		}
		g := compile(t, "en", src)
		for _, y := range c.yes {
			text, slots, _ := strings.Cut(y, " => ")
			if m := best(t, g, text, Context{}); m == nil || show(m) != slots {
				t.Errorf("%s on %q: got %s, want %s", c.template, text, show(m), slots)
			}
		}
		for _, n := range c.no {
			if m := best(t, g, n, Context{}); m != nil {
				t.Errorf("%s on %q: matches, %s", c.template, n, show(m))
			}
		}
	}
}

func TestMatchChinese(t *testing.T) {
	src := one("把{area}的灯打开", "播放{song}", "{song}添加到清单", "设[一]个{duration}的计时器")
	src.Lang, src.IgnoreWhitespace, src.SkipWords = "zh-CN", true, []string{"请", "请问", "谢谢"}
	src.Lists = map[string]List{"song": {Kind: ListWildcard}}
	g := compile(t, "zh-CN", src)
	home, err := NewLists(map[string]List{"area": {Values: []Value{{In: Literal("客厅")}}}})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"把客厅的灯打开":           "area=客厅",
		"把 客 厅 的 灯 打 开":     "area=客厅",
		"请把客厅的灯打开，谢谢！":      "area=客厅",
		"请 问 把客厅的灯打开":       "area=客厅",
		"播放 Taylor Swift":   "song=Taylor Swift",
		"播放Taylor Swift的歌。": "song=Taylor Swift的歌",
		"播放请你，谢谢":           "song=请你，谢谢", // content, not politeness
		"设一个五秒的计时器":         "duration=5",
		"设个１０分钟的计时器":        "duration=600",
		"设一个一个半小时的计时器":      "duration=5400",
		"请帮我把客厅的灯打开":        "-",
	}
	for text, want := range cases {
		if got := show(best(t, g, text, Context{Lists: home})); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestMatchSkipWords(t *testing.T) {
	src := one("turn on the lamp", "tell {who} to {what}", "{what} is what i said")
	src.SkipWords = []string{"please", "would you", "would"}
	src.Lists = map[string]List{"who": {Kind: ListWildcard}, "what": {Kind: ListWildcard}}
	g := compile(t, "en", src)
	cases := map[string]string{
		"please turn on the lamp":                    "",
		"would you please turn on, please, the lamp": "",
		"turn pleaseon the lamp":                     "-",
		"tell bob to please call":                    "what=please call who=bob",
		"please tell bob to come, please":            "what=come, please who=bob",
		"would you tell bob please to come":          "what=come who=bob",
		"would you tell bob to would you come, bob":  "what=would you come, bob who=bob",
		"please come is what I said":                 "what=please come",
		"please":                                     "-",
	}
	for text, want := range cases {
		if got := show(best(t, g, text, Context{})); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// TestMatchLanguageDefaults: a source that says nothing of its language gets what
// is known of it.
func TestMatchLanguageDefaults(t *testing.T) {
	english, chinese := compile(t, "en-US", one("open the door")), compile(t, "zh-CN", one("打开门，关上灯"))
	for text, g := range map[string]*Grammar{
		"could you open the door, please": english, "请 打开门 关上灯": chinese, "打开门，关上灯，谢谢。": chinese, "打开门关上灯": chinese,
	} {
		if best(t, g, text, Context{}) == nil {
			t.Errorf("%s: no match", text)
		}
	}
	bare := one("open the door")
	bare.SkipWords = []string{}
	if best(t, compile(t, "en-US", bare), "open the door please", Context{}) != nil {
		t.Error("a source that wants no skip words has some")
	}
}

func TestMatchContext(t *testing.T) {
	tpl := func(s string) []Template { return []Template{{Text: s}} }
	src := Source{Skill: "light", Intents: []Intent{{Name: "On", Groups: []Group{
		{ID: "named", Templates: tpl("turn on {name}"), Requires: []Condition{{Key: "domain", Values: []any{"light", "fan"}}}, Slots: map[string]any{"kind": "named", "level": 3}},
		{ID: "here", Templates: tpl("light please"), Requires: []Condition{{Key: "area", Slot: "area"}}},
		{ID: "away", Templates: tpl("lock up"), Excludes: []Condition{{Key: "mode", Values: []any{"night"}}}},
		{ID: "floor", Templates: tpl("mind the {floor}")},
	}}}}
	g := compile(t, "en", src)
	home, err := NewLists(map[string]List{"name": {Values: []Value{
		{In: Literal("Desk Lamp"), Context: map[string]any{"domain": "light"}},
		{In: Literal("front door"), Out: "door.front", Context: map[string]any{"domain": "lock"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		text   string
		values map[string]any
		want   string
	}{
		{"turn on desk lamp", nil, "kind=named level=3 name=Desk Lamp"},
		{"turn on desk lamp", map[string]any{"domain": "lock"}, "-"}, // the caller's word decides early
		{"turn on front door", nil, "-"},
		{"light please", map[string]any{"area": "kitchen"}, "area=kitchen"},
		{"light please", map[string]any{"area": ""}, "-"},
		{"light please", nil, "-"},
		{"lock up", nil, ""},
		{"lock up", map[string]any{"mode": "day"}, ""},
		{"lock up", map[string]any{"mode": "night"}, "-"},
		{"mind the gap", nil, "-"}, // this home has no floors
	}
	for _, c := range cases {
		if got := show(best(t, g, c.text, Context{Values: c.values, Lists: home})); got != c.want {
			t.Errorf("%s with %v: got %s, want %s", c.text, c.values, got, c.want)
		}
	}
}

func TestMatchRank(t *testing.T) {
	src := one("play {any}", "play {any} on {name}", "play {any} [on] the radio", "play the radio", "play {music}", "ring {name}", "ring {any}", "stop", "stop")
	src.Lists = map[string]List{"any": {Kind: ListWildcard}, "music": {Values: []Value{{In: Template{Text: "jazz"}}}}}
	g := compile(t, "en", src)
	home, err := NewLists(map[string]List{"name": {Values: []Value{
		{In: Literal("desk")}, {In: Literal("desk lamp")}, {In: Literal("radio")},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"play jazz":              "play {music}",              // no wildcard
		"play the radio":         "play the radio",            // no wildcard
		"play news on the radio": "play {any} [on] the radio", // most literal letters
		"play news on radio":     "play {any} on {name}",      // a name goes first
		"ring desk lamp":         "ring {name}",
		"play news":              "play {any}",
		"stop":                   "stop",
	}
	for text, want := range cases {
		m := best(t, g, text, Context{Lists: home})
		if m == nil || m.Template.Text != want {
			t.Errorf("%s: got %+v, want %s", text, m, want)
		}
	}
	stop := g.Match("stop", Context{}).Matches
	if len(stop) != 2 || !stop[0].Rank.Ties(stop[1].Rank) || stop[0].Template.Line != 8 {
		t.Errorf("equal templates: got %+v, want two that tie, the first declared first", stop)
	}
}

func TestMatchSlotWords(t *testing.T) {
	g := compile(t, "en", one("set a timer for {duration:length}"))
	m := best(t, g, "Set a timer for FIVE Minutes, now", Context{})
	if m != nil {
		t.Fatalf("matched a foreign word: %+v", m)
	}
	m = best(t, g, "Set a timer for FIVE  Minutes.", Context{})
	if m == nil || m.Slots["length"].Value != 300.0 || m.Slots["length"].Text != "FIVE  Minutes" {
		t.Errorf("got %+v", m)
	}
}

func TestMatchVersions(t *testing.T) {
	v1, v2 := one("old words"), one("new words")
	v1.Version, v2.Version = "1", "2"
	g := compile(t, "en", v1, v2)
	ctx := Context{Version: func(string) string { return "2" }}
	if m := best(t, g, "new words", ctx); m == nil || m.Version != "2" {
		t.Errorf("the version of the home: got %+v", m)
	}
	if m := best(t, g, "old words", ctx); m != nil {
		t.Errorf("another version: got %+v", m)
	}
	if m := best(t, g, "old words", Context{}); m == nil {
		t.Error("no version asked for: no match")
	}
}

func TestMatchScopes(t *testing.T) {
	tpl := func(s string) []Template { return []Template{{Text: s}} }
	src := Source{
		Rules: map[string]Template{"go": {Text: "go <where>"}, "where": {Text: "home"}},
		Intents: []Intent{{Name: "Go", Groups: []Group{
			{ID: "own", Templates: tpl("<go>"), Rules: map[string]Template{"where": {Text: "{day}"}}, Lists: map[string]List{"day": {Values: []Value{{In: Template{Text: "west"}}}}}},
			{ID: "shared", Templates: tpl("<go> {day}")},
		}}},
	}
	g := compile(t, "en", src)
	for text, want := range map[string]string{"go west": "own", "go home tomorrow": "shared", "go tomorrow": "", "go home": ""} {
		m := best(t, g, text, Context{})
		if got := groupID(m); got != want {
			t.Errorf("%s: got group %q, want %q", text, got, want)
		}
	}
}

func groupID(m *Match) string {
	if m == nil {
		return ""
	}
	return m.Group.ID
}

func TestMatchConcurrently(t *testing.T) {
	g := compile(t, "en", one("set [a] timer for {duration}"))
	done := make(chan string)
	for range 8 {
		go func() {
			res := g.Match("set a timer for two and a half minutes", Context{})
			done <- show(&res.Matches[0])
		}()
	}
	for range 8 {
		if got := <-done; got != "duration=150" {
			t.Errorf("got %s", got)
		}
	}
}
