package nlu

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestKeysFindAllValues: keys find every value, and every end of it, that its
// program finds.
func TestKeysFindAllValues(t *testing.T) {
	templates := []string{
		"desk lamp", "desk", "T.V.", "t.v", "on-air - sign", "door ?", "? door", "a.b [c] d", "[the] [big ]lamp[s][ now]", "(a|b|) - c", "[d] ?e", "客厅 灯", "...x", "_x_", "lamp 5",
		strings.Repeat("[o|p] ", 8) + "q", "<r> of (a|b)", "{inner} x",
	}
	src := one("{list}")
	src.SkipWords = []string{}
	src.Rules = map[string]Template{"r": {Text: "[the] (a|b)-c [d]"}}
	list := List{}
	for _, text := range templates {
		list.Values = append(list.Values, Value{In: Template{Text: text}})
	}
	src.Lists = map[string]List{"list": list, "inner": {Values: []Value{{In: Template{Text: "in"}}}}}
	solid := src
	solid.IgnoreWhitespace = true
	pieces := strings.Split("desk|lamp|desklamp|t.v.|t.v|tv|on|air|on-air|sign|door|?|a.b|c|d|the|big|lamps|now|a|b|-|_|e|客厅|灯|客厅灯|x|_x_|5|o p q|q|of|b-c|in x|.|!", "|")
	hyphens := regexp.MustCompile(`[-_][-_ ]*[-_]`)
	found := 0
	for _, g := range []*Grammar{compile(t, "en", src), compile(t, "en", solid)} {
		l := g.code.lists[len(g.code.lists)-1].list
		if want := []int32{15, 17}; !slices.Equal(l.keys.loose, want) {
			t.Errorf("values %v have no keys, want %v", l.keys.loose, want)
		}
		rapid.Check(t, func(t *rapid.T) {
			var b strings.Builder
			for range rapid.IntRange(1, 5).Draw(t, "pieces") {
				b.WriteString(rapid.SampledFrom(pieces).Draw(t, "piece"))
				b.WriteString(rapid.SampledFrom([]string{" ", "", "-", " - "}).Draw(t, "between"))
			}
			if hyphens.MatchString(b.String()) {
				t.Skip("several hyphens in a row: see wordStart")
			}
			m := g.matcher(Context{})
			v := &m.texts(0, b.String(), foldText(b.String())).whole
			for pos := range v.runes {
				hits := l.keys.hits(nil, v, pos)
				for i := range l.values {
					if slices.Contains(l.keys.loose, int32(i)) {
						continue
					}
					for _, start := range []bool{true, false} {
						m.begin(maxSourceSteps)
						for _, e := range m.value(v, l, int32(i), state{pos: int32(pos), start: start}) {
							found++
							if int(e.pos) > pos && !slices.Contains(hits, hit{int32(i), e.pos}) {
								t.Errorf("%q at %d: %q is not found, up to %d", string(v.runes), pos, templates[i], e.pos)
							}
						}
					}
				}
			}
		})
	}
	if found == 0 {
		t.Error("nothing was found: the test shows nothing")
	}
}
