package skills

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// call is a call in a language, of a skill with sentence files by language.
func call(lang string, files map[string]string) *Call {
	folder := fstest.MapFS{}
	for name, text := range files {
		folder["sentences/"+name+".yaml"] = &fstest.MapFile{Data: []byte(text)}
	}
	zone := time.FixedZone("+8", 8*3600)
	return &Call{
		ID: "a", Lang: lang, texts: newTexts(folder),
		now: time.Date(2026, 11, 22, 15, 5, 0, 0, zone),
	}
}

func TestHelpers(t *testing.T) {
	for _, test := range []struct {
		text   string
		data   any
		en, zh string
	}{
		// A time is said in the home's time zone, wherever it comes from.
		{"{{clock .}}", time.Date(2026, 1, 1, 7, 5, 0, 0, time.UTC), "3:05 PM", "下午3点05分"},
		{"{{clock .}}", time.Date(2026, 1, 1, 16, 0, 0, 0, time.UTC), "12:00 AM", "凌晨0点整"},
		{"{{clock .}}", time.Date(2026, 1, 1, 4, 30, 0, 0, time.UTC), "12:30 PM", "中午12点半"},
		{"{{clock .}}", time.Date(2026, 1, 1, 23, 15, 0, 0, time.UTC), "7:15 AM", "早上7点15分"},
		{"{{clock .}}", time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC), "9:00 AM", "上午9点整"},
		{"{{clock .}}", time.Date(2026, 1, 1, 12, 59, 0, 0, time.UTC), "8:59 PM", "晚上8点59分"},
		{"{{date .}}, {{weekday .}}", time.Date(2026, 12, 31, 20, 0, 0, 0, time.UTC), "January 1, Friday", "1月1号, 星期五"},
		{"{{duration .}}", time.Duration(0), "0 seconds", "0秒"},
		{"{{duration .}}", time.Second, "1 second", "1秒"},
		{"{{duration .}}", 90.0, "1 minute and 30 seconds", "1分钟30秒"},
		{"{{duration .}}", 1499 * time.Millisecond, "1 second", "1秒"},
		{"{{duration .}}", 26*time.Hour + time.Minute + time.Second, "1 day, 2 hours, 1 minute and 1 second", "1天2小时1分钟1秒"},
		{"{{duration .}}", time.Hour + 5*time.Second, "1 hour and 5 seconds", "1小时5秒"},
		{"{{durationAdjective .}}", 5 * time.Minute, "5-minute", "5分钟"},
		{"{{durationAdjective .}}", 90 * time.Minute, "1-hour 30-minute", "1小时30分钟"},
		{"{{number .}}", 1234567.891, "1,234,567.89", "1234567.89"},
		{"{{number .}}", -1234.5, "-1,234.5", "-1234.5"},
		{"{{number .}}", 100, "100", "100"},
		{"{{number .}}", -0.001, "0", "0"},
		{`{{.}} {{plural . "egg" "eggs"}}`, 1, "1 egg", "1 egg"},
		{`{{.}} {{plural . "egg" "eggs"}}`, int64(2), "2 eggs", "2 egg"},
		{`{{.}} {{plural . "sheep"}}`, 2.0, "2 sheep", "2 sheep"},
		{"{{list .}}", []string{}, "", ""},
		{"{{list .}}", []string{"a"}, "a", "a"},
		{"{{list .}}", []string{"a", "b"}, "a and b", "a和b"},
		{"{{list .}}", []string{"a", "b", "c", "d"}, "a, b, c and d", "a、b、c和d"},
	} {
		file := fmt.Sprintf("answers:\n  key: '%s'\n", test.text)
		for lang, want := range map[string]string{"en": test.en, "zh-CN": test.zh} {
			c := call(lang, map[string]string{lang: file})
			if got := c.Text("key", test.data); c.err != nil || got != want {
				t.Errorf("%s of %v in %s: %q %v, want %q", test.text, test.data, lang, got, c.err, want)
			}
		}
	}
}

func TestHelpersRefuse(t *testing.T) {
	for text, want := range map[string]string{
		`{{number "many"}}`: "not a number", `{{duration true}}`: "not a number",
		`{{plural 1}}`: "needs the forms", `{{clock 5}}`: "time.Time",
	} {
		c := call("en", map[string]string{"en": "answers:\n  key: '" + text + "'\n"})
		if c.Text("key", nil); c.err == nil || !strings.Contains(c.err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, c.err, want)
		}
	}
}

// Every language file of the SDK is whole.
func TestLanguageFiles(t *testing.T) {
	names, err := languageNames(languageFiles, "languages")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, fallbackLanguage) {
		t.Errorf("languages %v lack %s", names, fallbackLanguage)
	}
	for _, name := range names {
		c := call(name, map[string]string{name: `answers:
  key: '{{clock .T}} {{weekday .T}} {{date .T}} {{duration .D}} {{durationAdjective .D}} {{number 1.5}} {{plural 5 "x"}} {{list .W}}'
`})
		l, err := c.texts.language(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, words := range [][]string{
			l.Weekdays[:], l.Months[:], l.Duration.Day, l.Duration.Hour, l.Duration.Minute, l.Duration.Second, {l.Number.Decimal},
		} {
			if len(words) == 0 || slices.Contains(words, "") {
				t.Errorf("%s: a word is missing: %q", name, words)
			}
		}
		data := Data{"T": c.Now(), "D": 90061 * time.Second, "W": []string{"a", "b", "c"}}
		if c.Text("key", data); c.err != nil {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func TestNearestLanguage(t *testing.T) {
	for _, test := range []struct{ want, have, order string }{
		{"en", "en zh-CN", "en"},
		{"de-AT", "de de-AT en zh-CN", "de-AT de en"},
		{"de-AT", "de-CH en", "de-CH en"},
		{"zh-TW", "en zh-CN", "zh-CN en"},
		{"zh-Hant-TW", "en zh-CN zh-Hant", "zh-Hant zh-CN en"},
		{"ZH-cn", "en zh-CN", "zh-CN en"},
		{"fr", "en zh-CN", "en"},
		{"fr", "de zh-CN", "de"},
		{"", "de en", "en"},
	} {
		if got := strings.Join(nearest(test.want, strings.Fields(test.have)), " "); got != test.order {
			t.Errorf("%q of %q: %q, want %q", test.want, test.have, got, test.order)
		}
	}
}

// A regional file holds only what differs, and each text is said in the forms
// of the language that it is written in.
func TestAnswersFallBack(t *testing.T) {
	c := call("zh-HK", map[string]string{
		"en":    "answers: {a: 'en {{duration 60}}', b: 'en {{duration 60}}', c: 'en {{duration 60}}'}",
		"zh-CN": "answers: {a: '简 {{duration 60}}', b: '简 {{duration 60}}'}",
		"zh-HK": "answers: {a: '繁 {{duration 60}}'}",
	})
	for key, want := range map[string]string{"a": "繁 1分钟", "b": "简 1分钟", "c": "en 1 minute"} {
		if got := c.Text(key, nil); got != want || c.err != nil {
			t.Errorf("%s: %q %v, want %q", key, got, c.err, want)
		}
	}
}

// Of several texts the invocation chooses: the same for a call that is repeated.
func TestVariants(t *testing.T) {
	c := call("en", map[string]string{"en": "answers: {key: [one, two, three]}"})
	seen := make(map[string]bool)
	for i := range 100 {
		c.ID = fmt.Sprint(i)
		text := c.Text("key", nil)
		if again := c.Text("key", nil); again != text {
			t.Errorf("call %s says %q and then %q", c.ID, text, again)
		}
		seen[text] = true
	}
	if len(seen) != 3 {
		t.Errorf("said %v, want all three", seen)
	}
}

func TestBrokenAnswers(t *testing.T) {
	for file, want := range map[string]string{
		"answers: {key: {a: b}}":         "a text or a list of texts",
		"answers: {key: '{{'}":           "sentences/en.yaml:1",
		"answers: {key: '{{nosuch 1}}'}": `"nosuch" not defined`,
		"answers: [":                     "read sentences/en.yaml",
	} {
		c := call("en", map[string]string{"en": file})
		if c.Text("key", nil); c.err == nil || !strings.Contains(c.err.Error(), want) {
			t.Errorf("%s: error %v, want %q", file, c.err, want)
		}
	}
	c := call("en", nil)
	if c.Text("key", nil); c.err == nil || !strings.Contains(c.err.Error(), "no sentences/*.yaml") {
		t.Errorf("no files: error %v", c.err)
	}
}

// Calls run at the same time and share the texts, which the first one loads.
func TestConcurrentTexts(t *testing.T) {
	shared := call("en", map[string]string{"en": "answers: {key: 'at {{clock .}}'}"})
	said := make(chan string)
	for i := range 8 {
		go func() {
			c := *shared
			c.now = c.now.In(time.FixedZone("", i*3600))
			said <- c.Text("key", c.now)
		}()
	}
	seen := make(map[string]bool)
	for range 8 {
		seen[<-said] = true
	}
	if len(seen) != 8 || !seen["at 7:05 AM"] || !seen["at 2:05 PM"] {
		t.Errorf("said %v, want a time for each zone", seen)
	}
}

func FuzzParseAnswers(f *testing.F) {
	f.Add("answers:\n  key: hello {{.}}\n")
	f.Add("answers: {key: ['{{list .}}', {a: b}]}")
	speech, err := newTexts(languageFiles).language("en")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAnswers("file", []byte(text), speech)
		if (a == nil) == (err == nil) {
			t.Errorf("answers %v and error %v", a, err)
		}
	})
}
