package nlu_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
)

// house is the built-in skills, and a home in which two languages are spoken.
type house struct {
	grammar *nlu.Grammar
	ctx     nlu.Context
}

// readHouse is slow with the race detector: its grammars never change.
var readHouse = sync.OnceValues(func() (map[string]house, error) {
	sources := make(map[string][]nlu.Source)
	for _, name := range []string{"light", "sensor", "time", "timer"} {
		skill, err := manifest.Load(os.DirFS(path.Join("../../skills", name)))
		if err != nil {
			return nil, err
		}
		for _, s := range skill.Sources("1") {
			sources[s.Lang] = append(sources[s.Lang], s)
		}
	}
	var home []assistant.Entity
	for _, fields := range readCases("testdata/home.txt") {
		home = append(home, assistant.Entity{ID: strconv.Itoa(len(home)), Domain: fields[0], Area: fields[1], Name: fields[2]})
	}
	houses := make(map[string]house)
	for file, lang := range map[string]string{"en": "en", "zh": "zh-CN"} {
		grammar, err := nlu.Compile(lang, sources[lang])
		if err != nil {
			return nil, err
		}
		lists, err := catalog.HomeLists(lang, home, nil)
		if err != nil {
			return nil, err
		}
		houses[file] = house{grammar, nlu.Context{Lists: lists, Values: map[string]any{"area": "bedroom"}}}
	}
	return houses, nil
})

func loadHouse(tb testing.TB, lang string) house {
	tb.Helper()
	houses, err := readHouse()
	if err != nil {
		tb.Fatal(err)
	}
	return houses[lang]
}

// readCases reads lines of fields between bars; "#" begins a comment.
func readCases(file string) [][]string {
	data, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	var cases [][]string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, "\n"); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "|")
		for i := range fields {
			fields[i] = strings.TrimRight(fields[i], " ")
			if i > 0 {
				fields[i] = strings.TrimSpace(fields[i])
			}
		}
		cases = append(cases, fields)
	}
	return cases
}

// understood is what a text is taken for in all passes, as a dialogue would ask
// for it.
func (h house) understood(text string) nlu.Guess {
	result := h.grammar.Match(text, h.ctx)
	if result.Doubtful() {
		if guess := h.grammar.Guess(text, h.ctx); len(guess.Parts) > 0 || len(result.Matches) == 0 {
			return guess
		}
	}
	return nlu.Guess{Parts: []nlu.Part{{Text: text, Matches: result.Matches}}, Confidence: 1}
}

// outcome is an intent and its slots, in words: "TurnOn area=kitchen, name=lamp".
func outcome(m *nlu.Match) string {
	var slots []string
	for _, name := range slices.Sorted(maps.Keys(m.Slots)) {
		value, err := json.Marshal(m.Slots[name].Value)
		if err != nil {
			panic(err)
		}
		slots = append(slots, name+"="+strings.Trim(string(value), `"`))
	}
	return strings.TrimSpace(m.Intent + " " + strings.Join(slots, ", "))
}

// wanted brings what was written by hand to the order of outcome.
func wanted(intent, slots string) string {
	list := strings.Split(slots, ", ")
	slices.Sort(list)
	return strings.TrimSpace(strings.TrimSpace(intent) + " " + strings.Join(list, ", "))
}

func outcomes(guess nlu.Guess) string {
	var parts []string
	for _, p := range guess.Parts {
		parts = append(parts, outcome(&p.Matches[0]))
	}
	return strings.Join(parts, "; ")
}

func TestCompound(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		h := loadHouse(t, lang)
		var text string
		sentences := 0
		want := make(map[string][]string)
		for _, line := range readCases(filepath.Join("testdata", "compound_"+lang+".txt")) {
			if command, ok := strings.CutPrefix(line[0], "\t"); ok {
				intent, slots, _ := strings.Cut(command, " ")
				want[text] = append(want[text], wanted(intent, slots))
				continue
			}
			text = line[0]
			sentences++
		}
		if sentences < 50 || sentences != len(want) {
			t.Errorf("%s: %d sentences, %d of them different and with commands", lang, sentences, len(want))
		}
		for text, commands := range want {
			guess := h.understood(text)
			if got := outcomes(guess); got != strings.Join(commands, "; ") {
				t.Errorf("%q is understood as\n\t%s, want\n\t%s", text, got, strings.Join(commands, "; "))
				continue
			}
			if guess.Confidence <= 0 || guess.Confidence >= 1 {
				t.Errorf("%q: confidence %v", text, guess.Confidence)
			}
			for _, p := range guess.Parts {
				if len(p.Assumed) == 0 || p.Assumed[0] != (nlu.Assumption{Kind: nlu.AssumedSplit, Heard: text, Taken: p.Text}) {
					t.Errorf("%q: part %q assumes %v", text, p.Text, p.Assumed)
				}
			}
		}
	}
}

func TestMisheard(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		h := loadHouse(t, lang)
		cases := readCases(filepath.Join("testdata", "misheard_"+lang+".txt"))
		if len(cases) < 100 {
			t.Errorf("%s: %d sentences", lang, len(cases))
		}
		for _, c := range cases {
			if r := h.grammar.Match(c[0], h.ctx); len(r.Matches) > 0 {
				t.Errorf("%q is understood in the first pass as %s", c[0], outcome(&r.Matches[0]))
				continue
			}
			guess := h.grammar.Guess(c[0], h.ctx)
			if got, want := outcomes(guess), wanted(c[1], c[2]); got != want {
				t.Errorf("%q is understood as %q, want %q", c[0], got, want)
				continue
			}
			a := guess.Parts[0].Assumed
			if len(a) != 1 || a[0].Kind != nlu.AssumedMisheard || !strings.Contains(c[0], a[0].Heard) || a[0].Taken == "" ||
				guess.Parts[0].Text != c[0] || guess.Confidence <= 0 || guess.Confidence >= 1 {
				t.Errorf("%q: %q assumes %v with confidence %v", c[0], guess.Parts[0].Text, a, guess.Confidence)
			}
		}
	}
}

// TestRefused: better not understood than misunderstood.
func TestRefused(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		h := loadHouse(t, lang)
		cases := readCases(filepath.Join("testdata", "refused_"+lang+".txt"))
		if len(cases) < 200 {
			t.Errorf("%s: %d sentences", lang, len(cases))
		}
		for _, c := range cases {
			if result := h.grammar.Match(c[0], h.ctx); len(result.Matches) > 0 {
				t.Errorf("%q is understood in the first pass as %s", c[0], outcome(&result.Matches[0]))
			}
			if guess := h.grammar.Guess(c[0], h.ctx); len(guess.Parts) > 0 {
				t.Errorf("%q is understood as %s: %s", c[0], outcomes(guess), fmt.Sprint(guess.Parts[0].Assumed))
			}
		}
	}
}

// TestGuessIsSafe: what may be two things is none, and what was said well is not
// taken for something else.
func TestGuessIsSafe(t *testing.T) {
	source := nlu.Source{Skill: "light", Intents: []nlu.Intent{{Name: "On", Groups: []nlu.Group{{Templates: []nlu.Template{
		{Text: "turn on [the] {name}"}, {Text: "turn on [the] {name} in [the] {area}"}, {Text: "note {note}"}, {Text: "open {gate}"},
	}}}}}, Lists: map[string]nlu.List{
		"note": {Kind: nlu.ListWildcard}, "gate": {Values: []nlu.Value{{In: nlu.Literal("garden gate")}}},
	}}
	grammar, err := nlu.Compile("en", []nlu.Source{source})
	if err != nil {
		t.Fatal(err)
	}
	values := func(names ...string) nlu.List {
		var l nlu.List
		for _, n := range names {
			l.Values = append(l.Values, nlu.Value{In: nlu.Literal(n), Out: strings.ToUpper(n)})
		}
		return l
	}
	for _, c := range []struct {
		text  string
		names []string
		want  string // "" : nothing
	}{
		{"turn on the desk lump", []string{"desk lamp"}, "On name=DESK LAMP"},
		{"turn on the desk lump", []string{"desk lamp", "disk lamp"}, "On name=DESK LAMP"},
		{"turn on the deesk lamp", []string{"desk lamp", "disk lamp"}, "On name=DISK LAMP"},
		{"turn on the dosk lamp", []string{"desk lamp", "disk lamp"}, ""},
		{"turn on the dusk lamp and the heater", []string{"desk lamp", "disk lamp", "heater"}, ""},
		{"turn on lamp 3", []string{"lamp 1", "lamp 2"}, ""},
		{"turn on lump 2", []string{"lamp 1", "lamp 2"}, "On name=LAMP 2"},
		{"turn on the kitchen", []string{"kitten"}, ""},                  // a room, though not of this home
		{"turn on the garden gate", []string{"garden gait"}, ""},         // a value of another list
		{"turn on the desk lamp in the hell", []string{"desk lamp"}, ""}, // the home has no hall
		{"turn on the heater in the kitchin", []string{"heater"}, "On area=KITCHEN, name=HEATER"},
		{"turn on the heeter in the kitchin", []string{"heater"}, "On area=KITCHEN, name=HEATER"},
		{"turn on the fun", []string{"fan"}, ""},
		{"note turn on the fan", []string{"fan"}, "On note=turn on the fan"},
		{"turn on the heater, note the hiter", []string{"heater"}, "On name=HEATER; On note=the hiter"},
	} {
		lists, err := nlu.NewLists(map[string]nlu.List{"name": values(c.names...), "area": values("kitchen", "bedroom")})
		if err != nil {
			t.Fatal(err)
		}
		h := house{grammar, nlu.Context{Lists: lists}}
		if got := outcomes(h.understood(c.text)); got != c.want {
			t.Errorf("%q in a home with %q is understood as %q, want %q", c.text, c.names, got, c.want)
		}
	}
}

// TestGuessIsBounded: a sentence of more commands or joints than anybody says is
// none, and sentences that cost much are given up.
func TestGuessIsBounded(t *testing.T) {
	h := loadHouse(t, "en")
	five := strings.Repeat("turn on the heater and ", 4) + "turn on the kettle"
	if got := len(h.grammar.Guess(five, h.ctx).Parts); got != 5 {
		t.Errorf("five commands: %d parts", got)
	}
	for _, text := range []string{
		"turn on the printer and " + five, strings.Repeat("a, ", 90), strings.Repeat("turn on the heater and ", 12) + "x", strings.Repeat("seiling fan ", 20),
		strings.Repeat("turn on the seiling fan and ", 11), "", " , and ", strings.Repeat("和", 300), strings.Repeat("打开可听灯和", 50), "\xff and \xfe",
	} {
		for _, lang := range []string{"en", "zh"} {
			h := loadHouse(t, lang)
			if guess := h.grammar.Guess(text, h.ctx); len(guess.Parts) > 0 {
				t.Errorf("%.40q is understood as %s", text, outcomes(guess))
			}
		}
	}
	if guess := (house{grammar: h.grammar}).understood("turn on the seiling fan"); len(guess.Parts) > 0 {
		t.Errorf("without a home: %s", outcomes(guess))
	}
}

func FuzzGuess(f *testing.F) {
	for _, lang := range []string{"en", "zh"} {
		for _, kind := range []string{"compound_", "misheard_", "refused_"} {
			for i, c := range readCases(filepath.Join("testdata", kind+lang+".txt")) {
				if i%7 == 0 {
					f.Add(c[0])
				}
			}
		}
	}
	for _, seed := range []string{"turn on the desk lamp,,and and", "\xff 和 \xfe", "A.C. and…", "ﬁ ı İ ß and ß", "打开 TV 和 ｔｖ", "e\u0301 and a\u0308, x"} {
		f.Add(seed)
	}
	houses, err := readHouse()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, h := range houses {
			guess := h.grammar.Guess(text, h.ctx)
			if len(guess.Parts) > 5 || len(guess.Parts) > 0 && (guess.Confidence <= 0 || guess.Confidence >= 1) {
				t.Errorf("%q: %d parts, confidence %v", text, len(guess.Parts), guess.Confidence)
			}
			for _, p := range guess.Parts {
				checkPart(t, text, p)
			}
		}
	})
}

// checkPart: a part is understood, by something that is told, and made of words of
// the text.
func checkPart(t *testing.T, text string, p nlu.Part) {
	t.Helper()
	if len(p.Matches) == 0 || len(p.Assumed) == 0 || p.Text == "" {
		t.Errorf("%q: part %+v", text, p)
	}
	shared := slices.ContainsFunc(p.Assumed, func(a nlu.Assumption) bool { return a.Kind == nlu.AssumedShared })
	if !shared && !strings.Contains(text, p.Text) {
		t.Errorf("%q: part %q is not of the text", text, p.Text)
	}
	for word := range strings.FieldsSeq(p.Text) {
		rest := word
		for rest != "" {
			n := len(rest)
			for n > 0 && !strings.Contains(text, rest[:n]) {
				n--
			}
			if n == 0 {
				t.Errorf("%q: %q of part %q is not of the text", text, rest, p.Text)
				break
			}
			rest = rest[n:]
		}
	}
}
