package nlu

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sentence draws a template and a sentence that it stands for, together.
func sentence(t *rapid.T, depth int) (template, text string) {
	kinds := 9
	if depth == 0 {
		kinds = 3
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0, 1:
		w := rapid.SampledFrom([]string{"on", "one", "o", "Lamp", "灯", "it's"}).Draw(t, "word")
		return w, w
	case 2:
		return "{color}", rapid.SampledFrom([]string{"red", "dark red", "redder"}).Draw(t, "color")
	case 3:
		return "<rule>", rapid.SampledFrom([]string{" please", "on please"}).Draw(t, "rule")
	case 4:
		inner, text := sentence(t, depth-1)
		if rapid.Bool().Draw(t, "left out") {
			text = ""
		}
		return "[" + inner + "]", text
	case 5:
		a, textA := sentence(t, depth-1)
		b, textB := sentence(t, depth-1)
		if rapid.Bool().Draw(t, "second") {
			textA = textB
		}
		return "(" + a + "|" + b + ")", textA
	case 6:
		a, textA := sentence(t, depth-1)
		b, textB := sentence(t, depth-1)
		if rapid.Bool().Draw(t, "swapped") {
			textA, textB = textB, textA
		}
		return "(" + a + ";" + b + ")", " " + textA + "  " + textB + " "
	}
	a, textA := sentence(t, depth-1)
	b, textB := sentence(t, depth-1)
	between := rapid.SampledFrom([]string{" ", ""}).Draw(t, "between")
	return a + between + b, textA + between + textB
}

// TestEverySentenceOfATemplateMatches: what a template stands for matches it, so
// neither the filters nor the memory of the matcher lose anything.
func TestEverySentenceOfATemplateMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		template, text := sentence(t, 6)
		src := one("start " + template + " end")
		src.Rules = map[string]Template{"rule": {Text: "[on] please"}}
		src.Lists = map[string]List{"color": {Values: []Value{{In: Template{Text: "[dark] red"}, Out: "red"}, {In: Template{Text: "redder"}}}}}
		src.SkipWords = []string{}
		g, err := Compile("en", []Source{src})
		if err != nil {
			if strings.Contains(err.Error(), "too large") {
				t.Skip(err)
			}
			t.Fatalf("%s: %v", template, err)
		}
		said := "start " + text + " end"
		if res := g.Match(said, Context{}); len(res.Matches) == 0 && !res.Truncated {
			t.Fatalf("%q does not match %q", said, template)
		}
	})
}
