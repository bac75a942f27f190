package nlu

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that the tables mean the same on every machine
)

// phraseCase is a line of a table of phrases, see testdata/phrases_en.txt.
type phraseCase struct {
	line         int
	list, phrase string
	want         string // empty: it is no value
	now          time.Time
}

func readPhrases(t *testing.T, lang string) []phraseCase {
	t.Helper()
	data, err := os.ReadFile("testdata/phrases_" + lang + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []phraseCase
	var c phraseCase
	for i, line := range strings.Split(string(data), "\n") {
		c.line, c.want = i+1, ""
		kind, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "", kind == "#":
			continue
		case kind == "@":
			at, zone := rest[:len("2026-11-25 10:00")], rest[len("2026-11-25 10:00 "):]
			place, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			if c.now, err = time.ParseInLocation("2006-01-02 15:04", at, place); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			continue
		case strings.HasPrefix(line, "["):
			c.list = strings.Trim(line, "[]")
			continue
		case kind == "!":
			c.phrase = rest
		default:
			var ok bool
			if c.phrase, c.want, ok = strings.Cut(line, " = "); !ok {
				t.Fatalf("line %d: %q", i+1, line)
			}
		}
		all = append(all, c)
	}
	return all
}

// value is what a slot should hold.
func (c *phraseCase) value(t *testing.T) any {
	t.Helper()
	if c.list != "time" && c.list != "date" {
		number, err := strconv.ParseFloat(c.want, 64)
		if err != nil {
			t.Fatalf("line %d: %v", c.line, err)
		}
		return number
	}
	want := c.want
	if want[2] == '-' {
		want = "2026-" + want
	}
	if c.list == "date" {
		return want
	}
	if want = strings.Replace(want, " ", "T", 1); len(want) == len("2026-11-25T10:00") {
		want += ":00"
	}
	return want
}

// carriers are sentences around a value, by language.
func carriers() map[string][]string {
	return map[string][]string{
		"en": {"set it to {%}", "{%} please tell me", "remind me {%} to call [the] {who}", "what about {%}"},
		"zh": {"设为{%}", "{%}告诉我", "记得{%}叫{who}", "把它改成{%}好了"},
	}
}

// TestPhrases runs the tables of phrases through grammars: alone in a sentence that
// shows whether the phrase is a value, and in others, to the same result.
func TestPhrases(t *testing.T) {
	for lang, sentences := range carriers() {
		t.Run(lang, func(t *testing.T) {
			grammars := make(map[string]*Grammar)
			count, nothing := 0, 0
			for _, c := range readPhrases(t, lang) {
				g := grammars[c.list]
				if g == nil {
					src := one()
					src.SkipWords = []string{}
					src.Lists = map[string]List{"who": {Values: []Value{{In: Literal("bob")}, {In: Literal("妈妈")}}}}
					for _, s := range sentences {
						src.Intents[0].Groups[0].Templates = append(src.Intents[0].Groups[0].Templates, Template{Text: strings.Replace(s, "%", c.list+":value", 1)})
					}
					g = compile(t, lang, src)
					grammars[c.list] = g
				}
				if c.want == "" {
					nothing++
				} else {
					count++
				}
				c.run(t, g, sentences)
			}
			t.Logf("%d phrases, and %d that are none", count, nothing)
			if count < 300 || nothing < 60 {
				t.Errorf("%d phrases, and %d that are none, are too few", count, nothing)
			}
		})
	}
}

func (c *phraseCase) run(t *testing.T, g *Grammar, sentences []string) {
	t.Helper()
	for _, s := range sentences {
		text := strings.NewReplacer("{%}", c.phrase, "[the] ", "", "{who}", "bob").Replace(s)
		sameResult(t, g, text, Context{Now: c.now})
		m := best(t, g, text, Context{Now: c.now})
		switch {
		case c.want == "" && m != nil:
			t.Errorf("line %d: %q: {%s} is %v, and should not match", c.line, text, c.list, m.Slots["value"].Value)
		case c.want == "":
			return // in other sentences a part of it may be a value
		case m == nil:
			t.Errorf("line %d: %q: no {%s}, want %v", c.line, text, c.list, c.value(t))
		case m.Slots["value"].Value != c.value(t):
			t.Errorf("line %d: %q: {%s} is %v, want %v", c.line, text, c.list, m.Slots["value"].Value, c.value(t))
		}
	}
}
