package nlu

import (
	"errors"
	"strings"
	"testing"
)

// one is a source with a single intent of the templates.
func one(templates ...string) Source {
	group := Group{}
	for i, text := range templates {
		group.Templates = append(group.Templates, Template{Text: text, File: "sentences/en.yaml", Line: i + 1, Col: 5})
	}
	return Source{Skill: "test", Lang: "en", Intents: []Intent{{Name: "Do", Groups: []Group{group}}}}
}

func TestCompileErrors(t *testing.T) {
	cases := []struct{ template, want string }{
		{"turn on (the light", `sentences/en.yaml:1:13: '(' is never closed`},
		{"turn on [the light", `sentences/en.yaml:1:13: '[' is never closed`},
		{"turn on {light", `sentences/en.yaml:1:13: '{' is never closed`},
		{"turn <on", `sentences/en.yaml:1:10: '<' is never closed`},
		{"turn on) now", `sentences/en.yaml:1:12: ')' closes nothing`},
		{"turn (on]", `sentences/en.yaml:1:13: ']' closes nothing`},
		{"turn > on", `sentences/en.yaml:1:10: '>' closes nothing`},
		{"turn on {lamp}", `sentences/en.yaml:1:13: there is no list {lamp}; built in are {number}`},
		{"turn on <lamp>", `sentences/en.yaml:1:13: there is no rule <lamp>`},
		{"turn on {}", `sentences/en.yaml:1:13: {} does not name a list`},
		{"turn on {a b}", `does not name a list`},
		{"turn on <a b>", `does not name a rule`},
		{"set {0..10}", `sentences/en.yaml:1:9: {0..10} needs a slot: write {0..10:slot}`},
		{"set {10..0:x}", `the range ends before it begins`},
		{"set {0..ten:x}", `"ten" is not a number`},
		{"set {0..10,-1:x}", `the step of a range is above zero`},
		{`turn on \`, `a backslash stands at the end`},
		{"[please] [now]", `sentences/en.yaml:1:5: the template matches the empty sentence`},
		{"", `the template matches the empty sentence`},
		{"go (a;b;c;d;e;f;g;h;i)", `more than 8 parts in any order`},
		{strings.Repeat("[", 50) + "x" + strings.Repeat("]", 50), `more than 40 deep`},
		{strings.Repeat("x", 9000), `longer than 8000 characters`},
		{strings.Repeat("(a|b|c|d|e|f|g|h)", 470), ``},
	}
	for _, c := range cases {
		_, err := Compile("en", []Source{one(c.template)})
		if c.want == "" {
			if err != nil {
				t.Errorf("%.40q: %v", c.template, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: got error %v, want %s", c.template, err, c.want)
		}
		if syntax, ok := errors.AsType[*SyntaxError](err); !ok || syntax.Line != 1 {
			t.Errorf("%.40q: %v is no *SyntaxError in line 1", c.template, err)
		}
	}
}

func TestCompileReportsAllErrors(t *testing.T) {
	_, err := Compile("en", []Source{one("turn (on", "good one", "turn {of")})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"sentences/en.yaml:1:10", "sentences/en.yaml:3:10"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

func TestCompileRecursion(t *testing.T) {
	at := func(text string, line int) Template { return Template{Text: text, File: "en.yaml", Line: line, Col: 1} }
	cases := map[string]struct {
		rules map[string]Template
		lists map[string]List
		want  string
	}{
		"rule in itself": {rules: map[string]Template{"a": at("x <a>", 1)}, want: "en.yaml:1:3: <a> holds itself: <a> -> <a>"},
		"rules in a circle": {
			rules: map[string]Template{"a": at("x <b>", 1), "b": at("y [<c>]", 2), "c": at("(z|<a>)", 3)},
			want:  "en.yaml:3:4: <a> holds itself: <a> -> <b> -> <c> -> <a>",
		},
		"list in itself": {
			lists: map[string]List{"l": {Values: []Value{{In: at("x {l}", 1)}}}}, want: "en.yaml:1:3: {l} holds itself",
		},
		"list through a rule": {
			rules: map[string]Template{"a": at("y {l}", 2)},
			lists: map[string]List{"l": {Values: []Value{{In: at("x <a>", 1)}}}}, want: "holds itself",
		},
	}
	for name, c := range cases {
		src := one("go")
		src.Rules, src.Lists = c.rules, c.lists
		if _, err := Compile("en", []Source{src}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// TestCompileBounds holds small sources that would become huge to an error.
func TestCompileBounds(t *testing.T) {
	src := one("go <r20>")
	src.Lists = map[string]List{"any": {Kind: ListWildcard}}
	src.Rules = map[string]Template{"r0": {Text: "x {any} y"}}
	name := func(i int) string { return "r" + string(rune('0'+i/10)) + string(rune('0'+i%10)) }
	src.Rules[name(0)] = src.Rules["r0"]
	for i := 1; i <= 20; i++ {
		src.Rules[name(i)] = Template{Text: "<" + name(i-1) + "> <" + name(i-1) + ">"}
	}
	if _, err := Compile("en", []Source{src}); err == nil || !strings.Contains(err.Error(), "too large once its rules are put in place") {
		t.Errorf("rules that double 20 times: got %v", err)
	}
}

func TestLiteral(t *testing.T) {
	for _, name := range []string{"lamp (left)", `a\b`, "{x}", "a|b;c", "A.C.", "<r>", "me@home"} {
		lists, err := NewLists(map[string]List{"name": {Values: []Value{{In: Literal(name)}}}})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		m := best(t, compile(t, "en", one("turn on {name}")), "turn on "+name, Context{Lists: lists})
		if m == nil || m.Slots["name"].Value != name {
			t.Errorf("%q: got %+v", name, m)
		}
	}
}

// FuzzCompile: whatever a template holds, it compiles or is refused with its
// place, and what compiles can be matched within bounds.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"turn on [the] {name} (in;[the] {area})", "a|b;c", "{0..100,5:x} <r>", `\{x\} {any:@y} {@number}`,
		"((((a))))", "[[[]]]", "(;)", "{x:y:z}", "<>", "设[一]个{duration}的(计时器|闹钟)", "{any}{any}{any}",
	} {
		f.Add(seed, "turn on the lamp in the kitchen 5 5 5")
	}
	f.Fuzz(func(t *testing.T, template, text string) {
		src := one(template)
		src.Rules = map[string]Template{"r": {Text: "[the] lamp|light"}}
		src.Lists = map[string]List{"any": {Kind: ListWildcard}, "x": {Values: []Value{{In: Template{Text: "<r>"}}}}}
		g, err := Compile("en", []Source{src})
		if err != nil {
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Errorf("%v is no *SyntaxError", err)
			}
			return
		}
		first, second := g.Match(text, Context{}), g.Match(text, Context{})
		if len(first.Matches) != len(second.Matches) {
			t.Error("equal input, other output")
		}
	})
}

// Keyboards for Chinese write full-width brackets.
func TestFullWidthBrackets(t *testing.T) {
	src := one("（打开｜关闭）［客厅的］｛what：thing｝＜please＞", "数（｛1..9：n｝｜\\（九\\））")
	src.Lists = map[string]List{"what": {Values: []Value{{In: Literal("灯（大）")}}}}
	src.Rules = map[string]Template{"please": {Text: "吧"}}
	g := compile(t, "zh-CN", src)
	for text, want := range map[string]string{
		"打开客厅的灯（大）吧": "thing", "关闭灯（大）吧": "thing", "关闭灯(大)吧": "thing", "关闭灯大吧": "", "数5": "n", "数（九）": "none", "数九九": "",
	} {
		got := ""
		if matches := g.Match(text, Context{}).Matches; len(matches) > 0 {
			got = "none"
			for slot := range matches[0].Slots {
				got = slot
			}
		}
		if got != want {
			t.Errorf("%q fills %q, want %q", text, got, want)
		}
	}
	if _, err := Compile("zh-CN", []Source{one("（打开")}); err == nil || !strings.Contains(err.Error(), "sentences/en.yaml:1:5: '(' is never closed") {
		t.Errorf("error %v", err)
	}
}
