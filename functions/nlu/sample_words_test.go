package nlu

import (
	"strings"
	"testing"
	"time"
)

// Each language has samples of the lists that are built in and of text, and the
// lists take them.
func TestSamplesOfBuiltInLists(t *testing.T) {
	files, err := languageFiles.ReadDir("lang")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		lang := strings.TrimSuffix(f.Name(), ".json")
		l, err := loadLanguage(lang)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.file.Samples["wildcard"]) == 0 {
			t.Errorf("%s: no sample of text", lang)
		}
		for _, name := range builtinNames() {
			g, err := Compile(lang, []Source{{Skill: "s", Intents: []Intent{{Name: "I", Groups: []Group{{Templates: []Template{{Text: "{" + name + ":x}"}}}}}}}})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for range g.Samples("", Context{Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, 9) {
				n++
			}
			if want := len(l.file.Samples[name]); n != want || n == 0 {
				t.Errorf("%s: list %s takes %d of %q", lang, name, n, l.file.Samples[name])
			}
		}
	}
}
