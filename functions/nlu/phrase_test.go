package nlu

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// phraseSources are sentences with the lists that phrases fill.
func phraseSources() []Source {
	src := one(
		"wake me [up] [at] {time}", "remind me {time} to {label}", "remind me to {label} {time}", "set [the|an] alarm for {time}", "what is on {date}",
		"heat [the {area}] to {temperature}", "dim to {percentage}", "open the blinds {date} {time}", "明天提醒我{time}", "{time}叫我起床", "{date}有什么安排",
	)
	src.Lists = map[string]List{"label": {Kind: ListWildcard}}
	return append(houseSources(), src)
}

func phraseSayings() []string {
	return []string{
		"wake me up at half past six tomorrow morning", "remind me next wednesday at three in the afternoon to call my mother", "remind me to feed the cat in two hours",
		"set an alarm for 7:30 pm", "what is on the fifth of march two thousand and twenty seven", "heat the kitchen to twenty one point five degrees", "dim to half",
		"下周三下午三点一刻叫我起床", "二〇二七年三月五日有什么安排",
	}
}

// TestPhrasesWithoutClock: what is whole needs no clock, and what is not does not match.
func TestPhrasesWithoutClock(t *testing.T) {
	g := compile(t, "en", phraseSources()...)
	for text, want := range map[string]string{
		"what is on 2027-03-05":                   "date=2027-03-05",
		"what is on march 5th 2027":               "date=2027-03-05",
		"wake me at 15:30 on 5 march 2027":        "time=2027-03-05T15:30:00",
		"wake me 5 march 2027 seven pm":           "time=2027-03-05T19:00:00",
		"wake me at seven on 5 march 2027":        "-",
		"wake me at 15:30":                        "-",
		"what is on friday":                       "-",
		"heat the kitchen to minus five degrees":  "area=kitchen temperature=-5",
		"what is on february 29th 2027":           "-",
		"what is on the 5th of march next year":   "-",
		"remind me in two hours to wake up at 15": "-",
	} {
		if got := show(best(t, g, text, Context{Lists: benchmarkHome(t, 1)})); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// TestPhraseWords: the words of a slot are those that were said.
func TestPhraseWords(t *testing.T) {
	g := compile(t, "en", one("remind me [at] {time} to {what}", "x {what}").withWildcard("what"))
	m := best(t, g, "Remind me tomorrow at Half Past Six, to call Bob", Context{Now: differNow()})
	if m == nil || m.Slots["time"].Text != "tomorrow at Half Past Six" || m.Slots["time"].Value != "2026-11-26T06:30:00" {
		t.Fatalf("got %+v", m)
	}
}

func (s Source) withWildcard(name string) Source {
	s.Lists = map[string]List{name: {Kind: ListWildcard}}
	return s
}

// TestEveryMinute: whatever is said, the time is one that a clock will show, and the
// next one.
func TestEveryMinute(t *testing.T) {
	g := compile(t, "en", one("x {time}"))
	now := differNow()
	for minute := range 24 * 60 {
		clock := time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
		for _, form := range []string{"15:04", "3:04 pm", "1504 hours"} {
			m := best(t, g, "x "+clock.Format(form), Context{Now: now})
			if m == nil {
				t.Fatalf("%s: no time", clock.Format(form))
			}
			got, err := time.Parse(timeForm, m.Slots["time"].Value.(string))
			ahead := got.Sub(now)
			if err != nil || got.Format("3:04") != clock.Format("3:04") || ahead <= 0 || ahead > 24*time.Hour {
				t.Errorf("%s: got %v", clock.Format(form), m.Slots["time"].Value)
			}
			open := form == "15:04" && clock.Hour() >= 10 && clock.Hour() <= 12
			if !open && got.Format("15:04") != clock.Format("15:04") {
				t.Errorf("%s: got %v", clock.Format(form), m.Slots["time"].Value)
			}
		}
	}
}

// german is a language as a file of words: the code knows nothing of half eight.
const german = `{"spaced": true,
	"number": {"words": {"eins": 1, "zwei": 2, "fünf": 5, "sieben": 7, "acht": 8, "zehn": 10, "zwanzig": 20}, "section": 1000, "minus": ["minus"]},
	"duration": {"units": {"stunden": 3600, "minuten": 60}},
	"days": {"heute": 0, "morgen": 1, "übermorgen": 2},
	"phrases": {
		"parts": {"part": [{"words": ["abend", "abends"], "from": 16, "hour": 19}, {"words": ["früh"], "from": 0, "hour": 8}]},
		"lists": {"half": {"halb": 30}, "quarter": {"viertel": 15}, "month": {"märz": 3}, "weekday": {"mittwoch": 3, "freitag": 5}, "next": {"nächsten": 1}},
		"rules": {
			"clock": "({1..12:hour} uhr[ {1..59:minute}]|{13..24:hour24} uhr[ {1..59:minute}]|{half:to} {1..12:hour}|({quarter:past}|{1..59:past}) nach {1..12:hour}|({quarter:to}|{1..59:to}) vor {1..12:hour})",
			"date": "({day:days}|[am ]([{next:week} ]{weekday:weekday}|[den ]{1..31:date}[.] {month:month}[ {1900..2999:year}]))"
		},
		"values": {"time": ["[um ]<clock>[ {part:part}]", "<date>[ {part:part}][ um] <clock>", "<date> {part:part}", "in {duration:seconds}"], "date": ["<date>"]}
	}}`

// TestLanguageIsAFile: other ways to speak of times need no code.
func TestLanguageIsAFile(t *testing.T) {
	l, err := newLanguage("de", []byte(german))
	if err != nil {
		t.Fatal(err)
	}
	for phrase, want := range map[string]string{
		"halb acht": "2026-11-25T19:30:00", "um sieben Uhr": "2026-11-25T19:00:00", "viertel nach zwei": "2026-11-25T14:15:00", "zehn vor acht abends": "2026-11-25T19:50:00",
		"morgen früh um halb acht": "2026-11-26T07:30:00", "Freitag Abend": "2026-11-27T19:00:00", "am nächsten Mittwoch um 15 Uhr": "2026-12-02T15:00:00",
		"am 5. März 2027 um acht Uhr zwanzig": "2027-03-05T08:20:00", "in zwei Stunden": "2026-11-25T12:00:00", "halb dreizehn": "", "am Freitag": "",
	} {
		runes := runesOf(foldText(phrase))
		got := ""
		for _, p := range new(phraseReader).read(l.phrases["time"], runes, 0) {
			if value, ok := p.moment.value(phraseTime, differNow()); ok && p.end == len(runes) {
				got, _ = value.(string)
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", phrase, got, want)
		}
	}
}

// TestPhraseFileErrors: what is wrong with a language file is said.
func TestPhraseFileErrors(t *testing.T) {
	for file, want := range map[string]string{
		`{"phrases": {"values": {"time": ["{hours:hour}"]}}}`:               "there is no list {hours}",
		`{"phrases": {"values": {"time": ["{1..12:hours}"]}}}`:              `the slot "hours"`,
		`{"phrases": {"values": {"time": ["({1..12:hour}"]}}}`:              "never closed",
		`{"phrases": {"rules": {"a": "<a>"}, "values": {"time": ["<a>"]}}}`: "holds itself",
	} {
		if _, err := newLanguage("test", []byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
	}
}

// TestChoosingByPhrasesTakesNoMemory: neither do phrases, while templates are chosen.
func TestChoosingByPhrasesTakesNoMemory(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		g := compile(t, lang, phraseSources()...)
		home := benchmarkHome(t, 20)
		for _, text := range phraseSayings() {
			m := g.matcher(Context{Lists: home})
			chars := foldText(text)
			choose := func() {
				for i := range g.dialects {
					m.held[i], m.choices[i].made = false, false
				}
				m.readings, m.accepted = m.readings[:0], m.accepted[:0]
				for i := range g.dialects {
					m.choose(i, m.texts(i, text, chars))
				}
			}
			m.quick = true
			choose()
			if n := testing.AllocsPerRun(10, choose); n > 0 {
				t.Errorf("%s: %q: %v allocations", lang, text, n)
			}
		}
	}
}

// TestPhrasesAreBounded: no text has more than its share of work at one place.
func TestPhrasesAreBounded(t *testing.T) {
	g := compile(t, "en", phraseSources()...)
	for _, piece := range []string{"one ", "five past ", "the fifth of ", "in ", "half ", "1:", "10 ", "one hundred and ", "friday ", "1 hour ", "march 5 "} {
		start := time.Now()
		g.Match("wake me at "+strings.Repeat(piece, 900/len(piece)), Context{Now: differNow()})
		if took := time.Since(start); took > time.Second {
			t.Errorf("%q: took %v", piece, took)
		}
	}
}

// FuzzPhrases: any text gives values in order, and a time or date is what it says.
func FuzzPhrases(f *testing.F) {
	for _, text := range phraseSayings() {
		f.Add(text, int64(1795600000))
	}
	grammars := make([]*Grammar, 0, 2)
	for _, lang := range []string{"en", "zh"} {
		grammars = append(grammars, compile(f, lang, one("x {time}", "x {date}", "x {temperature}", "x {percentage}", "{time}", "{date}")))
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		now := time.Unix(at, 0).UTC()
		if len(text) > 300 || now.Year() < 1 || now.Year() > 9000 {
			return
		}
		for _, g := range grammars {
			for _, said := range []string{text, "x " + text} {
				sameResult(t, g, said, Context{Now: now})
				for _, m := range g.Match(said, Context{Now: now}).Matches {
					for slot, form := range map[string]string{"time": timeForm, "date": dateForm} {
						if s, ok := m.Slots[slot].Value.(string); ok && !isForm(s, form) {
							t.Errorf("%q: %s is %q", said, slot, s)
						}
					}
				}
			}
		}
	})
}

func isForm(s, form string) bool {
	_, err := time.Parse(form, s)
	return err == nil
}

func BenchmarkPhrases(b *testing.B) {
	home := benchmarkHome(b, 20)
	for _, lang := range []string{"en", "zh"} {
		g := compile(b, lang, phraseSources()...)
		for i, text := range phraseSayings() {
			if slices.Contains([]string{"zh"}, lang) != (text[0] > 127) {
				continue
			}
			b.Run(lang+"/"+string(rune('a'+i)), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					g.Match(text, Context{Lists: home, Now: differNow()})
				}
			})
		}
	}
}
