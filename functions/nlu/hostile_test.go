package nlu

import (
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
	for _, seed := range []string{"turn on the lamp", "请 打开 灯", "\xff\xfe", "ｆｕｌｌ", "A.C. on…", "set 5 5 5", "ﬁ ı İ ß", "e\u0301", "\u00ad", "x please y please"} {
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
