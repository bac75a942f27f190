package manifest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/nlu"
)

const (
	goodManifest = `hark: 1
name: egg-timer
version: 1.2.3-beta.1
runtime: {go: ./src}
languages: [en, zh-CN]
triggers:
  intents: [Boil]
`
	goodEnglish = "intents: {Boil: [boil an egg]}\n"
	goodChinese = "intents: {Boil: [煮个鸡蛋]}\n"
)

// folder is a good skill's folder with other files in place of some of its own;
// an empty one is left out.
func folder(changed map[string]string) fstest.MapFS {
	files := map[string]string{
		"skill.yaml": goodManifest, "sentences/en.yaml": goodEnglish, "sentences/zh-CN.yaml": goodChinese,
	}
	maps.Copy(files, changed)
	fsys := fstest.MapFS{}
	for name, text := range files {
		if text != "" {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return fsys
}

func TestDefaults(t *testing.T) {
	skill, err := Load(folder(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := Manifest{
		Name: "egg-timer", Version: "1.2.3-beta.1", Runtime: Runtime{Go: "src"},
		Languages: []string{"en", "zh-CN"}, Intents: []string{"Boil"}, State: StateNone, StateVersion: 1,
		Limits: Limits{
			MemoryMiB: 64, CPU: 0.5, Timeout: 5 * time.Second, Concurrency: 16, MinInstances: 0, MaxInstances: 4, Idle: time.Minute,
		},
	}
	if !reflect.DeepEqual(skill.Manifest, want) {
		t.Errorf("manifest %+v, want %+v", skill.Manifest, want)
	}
	sources := skill.Sources("v1")
	if len(sources) != 2 || sources[0].Lang != "en" || sources[1].Lang != "zh-CN" || sources[0].Version != "v1" ||
		sources[0].IgnoreWhitespace || !sources[1].IgnoreWhitespace || sources[0].Skill != "egg-timer" {
		t.Errorf("sources %+v", sources)
	}
}

func TestFullManifest(t *testing.T) {
	skill, err := Load(folder(map[string]string{"skill.yaml": goodManifest + `
description: {en: Boils eggs., zh-CN: 煮鸡蛋。}
state: home
state_version: 3
settings: {}
permissions: {entities: [light, "switch"], hosts: [], secrets: }
limits: {memory: 1GiB, cpu: 2, timeout: 500ms, concurrency: 1, min_instances: 1, max_instances: 2, idle: 1h}
`}))
	if err != nil {
		t.Fatal(err)
	}
	want := Limits{
		MemoryMiB: 1024, CPU: 2, Timeout: 500 * time.Millisecond, Concurrency: 1, MinInstances: 1, MaxInstances: 2, Idle: time.Hour,
	}
	if !slices.Equal(skill.Entities, []string{"light", "switch"}) {
		t.Errorf("entities %q", skill.Entities)
	}
	if skill.Limits != want || skill.State != StateHome || skill.StateVersion != 3 || skill.Description["zh-CN"] != "煮鸡蛋。" {
		t.Errorf("manifest %+v", skill.Manifest)
	}
}

func TestSentences(t *testing.T) {
	const english = `language: en
intents:
  Boil:
    - boil an egg
    - "boil {number:eggs} eggs"
    - sentences: ['boil {size} eggs <now>']
      slots: {eggs: 2, soft: true, how: well}
      requires: {area: {slot: room}, domain: [stove, 2], kind: pan, any: }
      excludes: {floor: {values: cellar}}
      lists: {size: wildcard}
      rules: {now: right now}
    - >-
      boil
      some eggs
lists:
  size:
    - small
    - {in: (big|large), out: 10, context: {domain: stove}}
  volume: 0..100,5
  level: {from: -1, to: 1.5, step: 0.5, fractions: tenths, multiplier: -1}
  message: wildcard
rules: {now: "[right] now"}
skip_words: [please, 5]
answers:
  one: hello {{.}}
  two: [a, b]
home:
  now: 2026-03-01T22:30:00
  area: kitchen
  entities:
    - {id: light.desk, name: desk lamp, area: study, state: {state: on, brightness: 40}, offline: true}
    - {id: s1, domain: stove}
tests:
  - {say: boil an egg, intent: Boil}
  - say: boil 3 eggs
    intent: Boil
    slots: {eggs: 3}
    answer: Yes.
`
	chinese := goodChinese + "answers: {one: 你好, two: 甲}\n"
	skill, err := Load(folder(map[string]string{"sentences/en.yaml": english, "sentences/zh-CN.yaml": chinese}))
	if err != nil {
		t.Fatal(err)
	}
	at := func(line, col int, text string) nlu.Template {
		return nlu.Template{Text: text, File: "sentences/en.yaml", Line: line, Col: col}
	}
	want := nlu.Source{
		Skill: "egg-timer", Lang: "en", SkipWords: []string{"please", "5"},
		Intents: []nlu.Intent{{Name: "Boil", Groups: []nlu.Group{
			{Templates: []nlu.Template{at(4, 7, "boil an egg"), at(5, 8, "boil {number:eggs} eggs")}},
			{
				Templates: []nlu.Template{at(6, 20, "boil {size} eggs <now>")},
				Slots:     map[string]any{"eggs": 2.0, "soft": true, "how": "well"},
				Requires: []nlu.Condition{
					{Key: "area", Slot: "room"}, {Key: "domain", Values: []any{"stove", 2.0}}, {Key: "kind", Values: []any{"pan"}}, {Key: "any"},
				},
				Excludes: []nlu.Condition{{Key: "floor", Values: []any{"cellar"}}},
				Lists:    map[string]nlu.List{"size": {Kind: nlu.ListWildcard}},
				Rules:    map[string]nlu.Template{"now": at(11, 20, "right now")},
			},
			{Templates: []nlu.Template{at(13, 7, "boil some eggs")}},
		}}},
		Lists: map[string]nlu.List{
			"size": {Values: []nlu.Value{
				{In: at(17, 7, "small")},
				{In: at(18, 12, "(big|large)"), Out: 10.0, Context: map[string]any{"domain": "stove"}},
			}},
			"volume":  {Kind: nlu.ListRange, Range: nlu.Range{To: 100, Step: 5}},
			"level":   {Kind: nlu.ListRange, Range: nlu.Range{From: -1, To: 1.5, Step: 0.5, Fractions: nlu.FractionsTenths, Multiplier: -1}},
			"message": {Kind: nlu.ListWildcard},
		},
		Rules: map[string]nlu.Template{"now": at(22, 15, "[right] now")},
	}
	got := skill.Sentences["en"]
	if !reflect.DeepEqual(got.Source, want) {
		t.Errorf("source\n%+v, want\n%+v", got.Source, want)
	}
	home := Home{Now: time.Date(2026, 3, 1, 22, 30, 0, 0, time.UTC), Area: "kitchen", Entities: []assistant.Entity{
		{
			ID: "light.desk", Domain: "light", Name: "desk lamp", Area: "study", Offline: true,
			State: map[string]any{"state": "on", "brightness": 40.0},
		},
		{ID: "s1", Domain: "stove"},
	}}
	if !reflect.DeepEqual(got.Home, home) {
		t.Errorf("home %+v", got.Home)
	}
	answers := map[string][]string{"one": {"hello {{.}}"}, "two": {"a", "b"}}
	if !reflect.DeepEqual(got.Answers, answers) {
		t.Errorf("answers %v", got.Answers)
	}
	tests := []Test{
		{Say: "boil an egg", Intent: "Boil", Slots: map[string]any{}, File: "sentences/en.yaml", Line: 34},
		{Say: "boil 3 eggs", Intent: "Boil", Slots: map[string]any{"eggs": 3.0}, Answer: "Yes.", File: "sentences/en.yaml", Line: 35},
	}
	if !reflect.DeepEqual(got.Tests, tests) {
		t.Errorf("tests %+v", got.Tests)
	}
}

// Every problem names its place and what to do.
func TestProblems(t *testing.T) {
	const skill, en = "skill.yaml", "sentences/en.yaml"
	with := func(line string) string { return goodManifest + line + "\n" }
	for _, test := range []struct{ file, text, want string }{
		{skill, with("limitz: {}"), `skill.yaml:8:1: skill.yaml: unknown field "limitz": did you mean "limits"?`},
		{skill, with("limits: {memry: 1MiB}"), `skill.yaml:8:10: limits: unknown field "memry": did you mean "memory"?`},
		{skill, with("zzz: 1"), "there are description, hark,"},
		{skill, with("name: twice"), `skill.yaml:8:1: skill.yaml: "name" is here a second time, after line 2`},
		{skill, with("limits: {memory: 64MB}"), "skill.yaml:8:18: limits.memory must be from 16MiB to 16GiB"},
		{skill, with("limits: {memory: 99999999GiB}"), "limits.memory must be"},
		{skill, with("limits: {cpu: .inf}"), "limits.cpu must be"},
		{skill, with("limits: {timeout: 5}"), "limits.timeout must be from 100ms to 30s"},
		{skill, with("limits: {concurrency: 0}"), "limits.concurrency must be a whole number from 1 to 1000"},
		{skill, with("limits: {min_instances: 9}"), "min_instances (9) is more than max_instances (4)"},
		{skill, with("state: hme"), `unknown state "hme": did you mean "home"?`},
		{skill, with("state_version: 0"), "state_version must be"},
		{skill, with("permissions: {hosts: [example.org]}"), "permissions.hosts is not supported by this version of Hark yet: remove it"},
		{skill, with("permissions: {entities: light}"), "permissions.entities must be a list"},
		{skill, with("permissions: {entities: [Light]}"), `skill.yaml:8:26: permissions.entities: a domain such as light: name "Light"`},
		{skill, with("permissions: {entities: [light, light]}"), "light is here twice"},
		{skill, with("permissions: {entities: [" + numbered("d", MaxDomains+1) + "]}"), "has 51 domains: 50 at most"},
		{skill, with("permissions: {host: []}"), `did you mean "hosts"?`},
		{skill, with("settings: {city: {default: Oslo}}"), "settings is not supported"},
		{skill, strings.Replace(goodManifest, "[Boil]", "[Boil]\n  http: [{path: /x}]", 1), "skill.yaml:8:9: triggers.http is not supported"},
		{skill, strings.Replace(goodManifest, "[Boil]", "[Boil, Boil]", 1), "Boil is here twice"},
		{skill, strings.Replace(goodManifest, "[Boil]", "[]", 1), "triggers.intents must be a list of 1"},
		{skill, strings.Replace(goodManifest, "[Boil]", "[1a]", 1), `the name "1a" must be`},
		{skill, strings.Replace(goodManifest, "hark: 1", "hark: 2", 1), `"2", and this Hark knows 1`},
		{skill, strings.Replace(goodManifest, "hark: 1\n", "", 1), `skill.yaml: "hark" is missing`},
		{skill, strings.Replace(goodManifest, "egg-timer", "Egg", 1), `skill.yaml:2:7: name: name "Egg": use a-z`},
		{skill, strings.Replace(goodManifest, "1.2.3-beta.1", "1.2", 1), "skill.yaml:3:10: version \"1.2\": write three numbers"},
		{skill, strings.Replace(goodManifest, "1.2.3-beta.1", "1.2.3+../x", 1), "write three numbers"},
		{skill, strings.Replace(goodManifest, "go: ./src", "go: ../src", 1), "not within the skill's folder"},
		{skill, strings.Replace(goodManifest, "go: ./src", "go: ., image: x", 1), "exactly one of go, command and image"},
		{skill, strings.Replace(goodManifest, "go: ./src", "command: []", 1), "must name a program"},
		{skill, strings.Replace(goodManifest, "zh-CN", "zh-cn", 1), `language "zh-cn": write it "zh-CN"`},
		{skill, strings.Replace(goodManifest, "zh-CN", "../x", 1), "is not a language"},
		{skill, strings.Replace(goodManifest, "zh-CN", "de", 1), "language de has no file sentences/de.yaml"},
		{skill, strings.Replace(goodManifest, "zh-CN", "de", 1), `there is a file sentences/zh-CN.yaml, but "zh-CN" is not among the languages`},
		{skill, strings.Replace(goodManifest, "[Boil]", "[Boil, Fry]", 1), "skill.yaml:7:19: intent Fry has no sentences in sentences/en.yaml"},
		{skill, "- 1", "must be a mapping"},
		{skill, "", "skill.yaml: there is no such file"},
		{skill, "a: [\nb", "skill.yaml:"},
		{skill, goodManifest + "---\nhark: 1\n", "a second document begins here"},
		{skill, "hark: \xff", "not valid UTF-8"},
		{skill, strings.Repeat("#", MaxFile+1), "longer than 1048576 bytes"},
		{skill, with("x: &a [1]\ny: *a"), "anchors and aliases"},
		{skill, with("x: " + strings.Repeat("[", 30) + strings.Repeat("]", 30)), "nested more than 20 deep"},
		{skill, with("[a]: b"), "a name must be a word"},

		{en, "intents: {Bol: [x]}", `sentences/en.yaml:1:11: unknown intent "Bol": did you mean "Boil"?`},
		{en, "intents: {Boil: []}", "there must be a sentence"},
		{en, "intents: {Boil: [{slots: {a: 1}}]}", "a group must have sentences"},
		{en, "intents: {Boil: [{sentence: [x]}]}", `did you mean "sentences"?`},
		{en, "intents: {Boil: [{sentences: [{name}]}]}", "must be in quotes"},
		{en, "intents:\n  Boil:\n    - {sentences: [boil {n} eggs]}\n", "sentences/en.yaml:3:1: not valid YAML"},
		{en, "intents:\n  Boil:\n    - boil (an egg\n", "sentences/en.yaml:3:"},
		{en, "intents:\n  Boil:\n    - boil {nosuch}\n", "sentences/en.yaml:3:12: there is no list {nosuch}"},
		{en, "intents: {Boil: [\"\"]}", "a sentence is empty"},
		{en, "intents: {Boil: [" + strings.Repeat("x", MaxTemplate+1) + "]}", "longer than 2000 characters"},
		{en, "intents: {Boil: [x, " + strings.Repeat("x, ", MaxTemplates) + "]}", "10001 sentences"},
		{en, goodEnglish + "language: de", `language is "de", but the file is named for "en"`},
		{en, goodEnglish + "lists: {a: nothing}", "lists.a must be a list of values, a range such as 0..100, or wildcard"},
		{en, goodEnglish + "lists: {a: 5..1}", "from (5) is more than to (1)"},
		{en, goodEnglish + "lists: {a: 0..1e9}", "at most 1000000 steps"},
		{en, goodEnglish + "lists: {a: {from: 1}}", "must have from and to"},
		{en, goodEnglish + "lists: {a: {from: 1, to: 2, fractions: thirds}}", "halves or tenths"},
		{en, goodEnglish + "lists: {a: {from: 1, to: .nan}}", "must be a number"},
		{en, goodEnglish + "lists: {a: []}", "lists.a has no values"},
		{en, goodEnglish + "lists: {a: [{out: 1}]}", "must have the words that it is said by"},
		{en, goodEnglish + "answers: {a: '{{if}}'}", "sentences/en.yaml:2:14: answers.a:"},
		{en, goodEnglish + "answers: {a: []}", "answers.a has no text"},
		{en, goodEnglish + "answers: {a: x}", `sentences/zh-CN.yaml: answer "a" is in sentences/en.yaml, but not here`},
		{en, goodEnglish + "home: {now: noon}", "sentences/en.yaml:2:13: home.now, when the tests are said, must be a day and a time such as 2026-11-25T10:00:00"},
		{en, goodEnglish + "home: {room: a}", `home: unknown field "room"`},
		{en, goodEnglish + "home: {entities: [{name: a}]}", "sentences/en.yaml:2:19: home: an entity: id, such as light.desk: a name is missing"},
		{en, goodEnglish + "home: {entities: [{id: .x}]}", "domain, such as light"},
		{en, goodEnglish + "home: {entities: [{id: a}, {id: a}]}", `the id "a" is here twice`},
		{en, goodEnglish + "home: {entities: [{id: a, offline: [1]}]}", "offline must be true or false"},
		{en, goodEnglish + "home: {entities: [{id: " + strings.ReplaceAll(numbered("e", MaxEntities+1), ", ", "}, {id: ") + "}]}", "home has 201 entities: 200 at most"},
		{en, goodEnglish + "tests: [{say: x, intent: Bol}]", `sentences/en.yaml:2:1: a test: unknown intent "Bol": did you mean "Boil"?`},
		{en, goodEnglish + "tests: [{intent: Boil}]", "a test must have what to say"},
		{en, goodEnglish + "tests: [{say: x, intent: Boil, slots: {a: [1]}}]", "must be a text, a number, true or false"},
		{"sentences/en.yml", goodEnglish, "sentences/en.yml: only files <language>.yaml may be here"},
	} {
		_, err := Load(folder(map[string]string{test.file: test.text}))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60q: error %v, want %q", test.text, err, test.want)
		}
	}
}

// numbered is a list of n names.
func numbered(prefix string, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	return strings.Join(names, ", ")
}

// One run shows the problems of all files, in the order of each.
func TestManyProblems(t *testing.T) {
	_, err := Load(folder(map[string]string{
		"skill.yaml":           strings.Replace(goodManifest, "1.2.3-beta.1", "one", 1) + "staet: home\n",
		"sentences/en.yaml":    "intents: {Boil: [1, {}]}\nanswer: {}\n",
		"sentences/zh-CN.yaml": "intents: [",
	}))
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{"skill.yaml:3:", "skill.yaml:8:", "sentences/en.yaml:1:", "sentences/en.yaml:2:", "sentences/zh-CN.yaml:"}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("problems %q, want %d", lines, len(want))
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("problem %d: %q, want it at %s", i, lines[i], want[i])
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var invalid strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&invalid, "%d: x, ", i)
	}
	_, err := Load(folder(map[string]string{"sentences/en.yaml": goodEnglish + "rules: {" + invalid.String() + "}"}))
	if err == nil || strings.Count(err.Error(), "\n") != maxProblems || !strings.Contains(err.Error(), "and 950 more problems") {
		t.Errorf("error %.300v", err)
	}
}

// A missing answer is shown where the answers are that lack it.
func TestAMissingAnswerHasAPlace(t *testing.T) {
	_, err := Load(folder(map[string]string{
		"sentences/en.yaml":    goodEnglish + "answers: {a: x, b: y}\n",
		"sentences/zh-CN.yaml": goodEnglish + "answers:\n  a: z\n",
	}))
	if want := `sentences/zh-CN.yaml:3:3: answer "b" is in sentences/en.yaml, but not here`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// A regional file may leave to its language what is the same.
func TestRegionalAnswers(t *testing.T) {
	files := folder(map[string]string{
		"skill.yaml":           strings.Replace(goodManifest, "zh-CN", "en-GB", 1),
		"sentences/zh-CN.yaml": "",
		"sentences/en.yaml":    goodEnglish + "answers: {a: x, b: y}",
		"sentences/en-GB.yaml": goodEnglish + "answers: {a: z}",
	})
	if _, err := Load(files); err != nil {
		t.Error(err)
	}
}

func TestCanonicalLanguage(t *testing.T) {
	for tag, want := range map[string]string{
		"en": "en", "EN-us": "en-US", "zh-hant-tw": "zh-Hant-TW", "es-419": "es-419", "de-1996": "de-1996",
		"": "", "e": "", "e1": "", "en-": "", "en--US": "", "en_US": "", "../en": "", "abcdefgh": "",
	} {
		if got := canonicalLanguage(tag); got != want {
			t.Errorf("%q: %q, want %q", tag, got, want)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(goodManifest)
	f.Add("hark: 1\nlimits: {memory: 1GiB, cpu: 1e9}\npermissions: {hosts: [x]}\nruntime: {command: [a]}")
	f.Add("a: &a [*a, *a]")
	f.Fuzz(func(t *testing.T, text string) {
		fuzz(t, []byte(text), []byte(goodEnglish))
	})
}

func FuzzSentences(f *testing.F) {
	f.Add(goodEnglish)
	f.Add("intents:\n  Boil:\n    - |\n     x\n\n    - {sentences: ['{a}'], requires: {a: }}\nlists: {a: 1..2,1, b: wildcard}\n")
	f.Add("intents: {Boil: [x]}\nhome: {area: a, entities: [{id: light.x, state: {state: on}, offline: true}]}")
	f.Add("tests: [{say: x, intent: Boil, slots: {a: .nan}}]\nanswers: {a: ['{{', b]}")
	f.Fuzz(func(t *testing.T, text string) {
		fuzz(t, []byte(goodManifest), []byte(text))
	})
}

// fuzz holds a result to what the types promise.
func fuzz(t *testing.T, manifest, english []byte) {
	t.Helper()
	skill, err := Decode(manifest, map[string][]byte{"en": english, "zh-CN": []byte(goodChinese)})
	if (skill == nil) == (err == nil) {
		t.Fatalf("skill %v and error %v", skill, err)
	}
	if err != nil {
		return
	}
	if l := skill.Limits; l.MemoryMiB < 16 || l.Timeout <= 0 || l.Concurrency < 1 || l.CPU <= 0 || l.MaxInstances < max(1, l.MinInstances) {
		t.Errorf("limits %+v", l)
	}
	for _, source := range skill.Sources("1") {
		for _, intent := range source.Intents {
			for _, group := range intent.Groups {
				for _, template := range group.Templates {
					if template.Line < 1 || template.Col < 1 || template.Text == "" {
						t.Errorf("template %+v", template)
					}
				}
			}
		}
	}
}
