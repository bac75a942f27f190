package eval

import (
	"encoding/json"
	"strings"
	"testing"
)

const smallGrammar = `{
  "language": "en",
  "settings": {"ignore_whitespace": false},
  "skip_words": ["kindly"],
  "lists": {
    "shade": {"type": "values", "values": [{"in": "(warm|cosy)", "out": ["amber", "gold"]}, {"in": "cold", "out": 7}]},
    "level": {"type": "range", "from": 0, "to": 10, "fractions": "halves", "multiplier": 2},
    "words": {"type": "wildcard"}
  },
  "rules": {"paint": "(paint|colour) [the]"},
  "intents": {
    "Paint": {"groups": [
      {"id": "Paint#0", "combination": "named", "templates": ["<paint> {name} {shade}"], "slots": {"by": "hand"}, "requires_context": {"domain": ["wall"]}},
      {"id": "Paint#1", "combination": "here", "templates": ["<paint> this {shade}"], "requires_context": {"area": {"value": null, "slot": true}}}
    ]},
    "Level": {"groups": [{"id": "Level#0", "combination": "level", "templates": ["level {level}"], "excludes_context": {"mode": "night"}}]},
    "Again": {"groups": [{"id": "Again#0", "combination": "level", "templates": ["level {level}"]}]}
  },
  "fixtures": {"home": {"entities": [{"name": "north side", "domain": "wall"}, {"name": "oak", "domain": "tree"}], "areas": [{"name": "hall"}], "floors": []}},
  "number_words": {"3.5": ["three point five"]}
}`

const smallTests = `{"id":"1","text":"kindly paint the north side cold","fixture":"home","intent":"Paint","combination":"named","slots":{"name":"north side","shade":7,"by":"hand"}}
{"id":"2","text":"paint oak cold","fixture":"home","intent":null}

{"id":"3","text":"paint this cosy","fixture":"home","context":{"area":"hall"},"intent":"Paint","combination":"here","slots":{"shade":"gold"},"context_slots":{"area":"hall"}}
{"id":"4","text":"level three point five","fixture":"home","intent":"Level","combination":"level","slots_any_of":{"level":[1,7]}}
{"id":"5","text":"level 2","fixture":"home","context":{"mode":"night"},"intent":"Again","combination":"level","slots":{"level":4}}
`

// wrongTests hold a wrong intent, slot, combination, value and a missed match.
const wrongTests = `{"id":"6","text":"level 2","fixture":"home","intent":"Paint","slots":{"level":4}}
{"id":"7","text":"level 2","fixture":"home","intent":"Level","slots":{"level":4,"more":1}}
{"id":"8","text":"level 2","fixture":"home","intent":"Level","combination":"other","slots":{"level":4}}
{"id":"9","text":"level 2","fixture":"home","intent":"Level","slots":{"level":2}}
{"id":"10","text":"level 2","fixture":"home","intent":null}
{"id":"11","text":"what","fixture":"home","intent":"Level"}
`

func small(t *testing.T) *Suite {
	t.Helper()
	suite, err := Load("small", strings.NewReader(smallGrammar))
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

func TestRun(t *testing.T) {
	suite, report := small(t), &Report{}
	if err := suite.Run(strings.NewReader(smallTests), Options{}, report); err != nil {
		t.Fatal(err)
	}
	if report.Total != 5 || report.Passed != 5 || len(report.Failures) > 0 {
		t.Errorf("right sentences: got %+v", report)
	}
	if report.Ties != 1 { // Level and Again have the same template
		t.Errorf("got %d ties, want 1", report.Ties)
	}
	if err := suite.Run(strings.NewReader(wrongTests), Options{MaxFailures: 4}, report); err != nil {
		t.Fatal(err)
	}
	if report.Total != 11 || report.Passed != 5 || len(report.Failures) != 4 || report.Failures[0].ID != "6" {
		t.Errorf("wrong sentences: got %+v", report)
	}
	sampled := &Report{}
	if err := suite.Run(strings.NewReader(wrongTests), Options{Every: 3}, sampled); err != nil || sampled.Total != 2 {
		t.Errorf("every third sentence: got %+v, %v", sampled, err)
	}
}

func TestRunErrors(t *testing.T) {
	for line, want := range map[string]string{
		`{"id":`:                                 "line 1 of the sentences",
		`{"id":"x","text":"a","fixture":"none"}`: `no fixture "none"`,
		strings.Repeat("x", maxLineBytes+1):      "token too long",
	} {
		err := small(t).Run(strings.NewReader(line), Options{}, &Report{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %s", line, err, want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for grammar, want := range map[string]string{
		`{`:                              "unexpected end",
		`{"lists":{"a":{"type":"odd"}}}`: `list a: unknown type "odd"`,
		`{"lists":{"a":{"type":"range","fractions":"thirds"}}}`:                                                      `list a: unknown fractions "thirds"`,
		`{"number_words":{"x":[]}}`:                                                                                  `"x" is not a number`,
		`{"intents":{"A":{"groups":[{"templates":["go (on"]}]}}}`:                                                    `g.json:1:46: '(' is never closed`,
		"{\"lists\": {\n  \"é\": {\"type\": \"values\", \"values\": [{\"in\": \"a \\\" b\"}, {\"in\": \"c [d\"}]}}}": `g.json:2:66: '[' is never closed`,
		"{\"rules\": {\"r\": \"<none>\"}}":                                                                           `g.json:1:18: there is no rule <none>`,
		`{"fixtures":{"f":{"areas":[{"name":"[x"}]}}}`:                                                               `fixture f of g.json: g.json:1:37: '[' is never closed`,
		`{"intents":[]}`: "intents",
	} {
		if _, err := Load("g.json", strings.NewReader(grammar)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", grammar, err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(smallGrammar, smallTests)
	f.Fuzz(func(t *testing.T, grammar, tests string) {
		suite, err := Load("fuzz", strings.NewReader(grammar))
		if err != nil {
			return
		}
		report := &Report{}
		if err := suite.Run(strings.NewReader(tests), Options{}, report); err == nil && report.Passed > report.Total {
			t.Error("more passed than were run")
		}
		if _, err := json.Marshal(report); err != nil {
			t.Error(err)
		}
	})
}
