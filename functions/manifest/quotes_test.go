package manifest_test

import (
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/manifest"
)

// What developers forget to put in quotes is found, wherever YAML's own error
// points.
func TestMissingQuotesAreFound(t *testing.T) {
	const skill = "hark: 1\nname: tea\nversion: 1.0.0\nruntime: {go: .}\nlanguages: [en]\ntriggers: {intents: [Brew]}\n"
	for name, c := range map[string]struct{ text, want string }{
		"brackets": {
			"  Brew:\n    - make tea\n    - [please] brew a coffee\n    - make coffee\n",
			`sentences/en.yaml:5:7: not valid YAML: a sentence that begins with [ or { must be in quotes: "[please] brew a coffee"`,
		},
		"braces": {
			"  Brew:\n    - make tea\n    - make it\n    - {number} more # cups\n",
			`sentences/en.yaml:6:7: not valid YAML: a sentence that begins with [ or { must be in quotes: "{number} more"`,
		},
		"with quotes in it": {
			"  Brew:\n    - [it's] \"tea\"\n",
			`must be in quotes: '[it''s] "tea"'`,
		},
		"brackets alone":    {"  Brew:\n    - [please]\n", "sentences/en.yaml:4:7: Brew: a sentence must be a text; one that begins with [ or { must be in quotes"},
		"braces alone":      {"  Brew:\n    - {number}\n", "sentences/en.yaml:4:7: Brew: a sentence must be a text; one that begins with [ or { must be in quotes"},
		"an answer, braces": {"  Brew:\n    - x\nanswers:\n  a: b\n  total: {{number .Total}}\n", "sentences/en.yaml:7:10: answers.total must be a text; one that begins with [ or {"},
		"an answer that goes on": {
			"  Brew:\n    - x\nanswers:\n  a: b\n  total: {{number .Total}} cups\n",
			`sentences/en.yaml:7:10: not valid YAML: a text that begins with [ or { must be in quotes: "{{number .Total}} cups"`,
		},
		"a colon": {
			"  Brew:\n    - x\nanswers:\n  a: b\n  brewing: Coffee: ready\n",
			`sentences/en.yaml:7:12: not valid YAML: a text that has a colon before a blank in it must be in quotes: "Coffee: ready"`,
		},
		"an at":                  {"  Brew:\n    - @home\n", "sentences/en.yaml:4:7: not valid YAML: a sentence that begins with @ must be in quotes"},
		"a tab":                  {"  Brew:\n\t- x\n", "sentences/en.yaml:4:1: not valid YAML: indent with blanks instead of tabs"},
		"within brackets":        {"  Brew: [[please] brew, x]\n", "text that holds any of these needs quotes"},
		"a list that is closed":  {"  Brew: [x]\n  Other: {a: [b]\n", "not valid YAML: did not find"},
		"text of several lines":  {"  Brew: [x]\nanswers:\n  a: |\n    Coffee: is: ready\n\n    - [x] y\n  b: \"c\" d\n", "not valid YAML: did not find expected key"},
		"Chinese before a colon": {"  Brew:\n    - x\nanswers:\n  好: 茶: 好\n", "sentences/en.yaml:6:3: not valid YAML: a text that has a colon"},
	} {
		_, err := manifest.Decode([]byte(skill), map[string][]byte{"en": []byte("language: en\nintents:\n" + c.text)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got\n%v\nwant\n%s", name, err, c.want)
		}
	}
}
