package nlu

import (
	"slices"
	"testing"
)

// atStart are the values that begin at the start of a text; a time or date is 0.
func (l *list) atStart(runes []rune) []span {
	if !l.isPhrase() {
		return l.find(nil, runes, 0)
	}
	var found []span
	for _, p := range new(phraseReader).read(l.phrases, runes, 0) {
		found = append(found, span{p.end, p.moment.number})
	}
	return found
}

// longest returns the value of the longest reading, if it takes the whole text.
func longest(t *testing.T, lang, list, text string) (float64, bool) {
	t.Helper()
	l, err := loadLanguage(lang)
	if err != nil || l == nil {
		t.Fatalf("language %s: %v", lang, err)
	}
	runes := runesOf(foldText(text))
	for _, s := range l.builtin(list).atStart(runes) {
		if s.end == len(runes) {
			return s.value, true
		}
	}
	return 0, false
}

const none = -12345

func TestBuiltinLists(t *testing.T) {
	cases := []struct {
		lang, list string
		want       map[string]float64
	}{
		{"en-GB", "number", map[string]float64{
			"five": 5, "twenty five": 25, "twenty-five": 25, "a hundred and five": 105, "one hundred five": 105, "hundred": 100,
			"nineteen hundred": 1900, "two thousand and twenty six": 2026, "three million two hundred thousand and one": 3200001,
			"5": 5, "-5": -5, "2.5": 2.5, "3 million": 3e6, "minus seven": -7, "two point two five": 2.25, "two and a half": 2.5,
			"ten twelve": none, "a": none, "hundred and": none, "five twenty": none, "sixty ten": none, "twenty 5": none, "fiver": none,
			"two hundred hundred": none, "thousand million": none, "zero": 0, "a dozen": 12, "and five": none,
		}},
		{"zh-CN", "number", map[string]float64{
			"五": 5, "十": 10, "十五": 15, "二十五": 25, "一百零五": 105, "一百五": 150, "一百五十": 150, "一百二十分": none, "两百": 200, "两千零一": 2001,
			"三万五": 35000, "十万": 100000, "一亿零五": 100000005, "二〇二六": 2026, "零": 0, "〇": 0, "二点五": 2.5, "零下五": -5, "10万": 100000,
			"一百二": 120, "一百百": none, "百": none, "零零七": 7, "３５": 35, "一千零五十": 1050, "一万零三百": 10300, "一百零": none,
		}},
		{"en", "duration", map[string]float64{
			"5 seconds": 5, "five minutes": 300, "an hour": 3600, "an hour and a half": 5400, "one and a half hours": 5400, "1 hour 30 minutes": 5400,
			"half an hour": 1800, "half a minute": 30, "two and a half minutes": 150, "1 hour and 5 minutes and 10 seconds": 3910, "90s": 90,
			"1h 30m": 5400, "1h30": 5400, "one hour forty five": 6300, "a couple of minutes": 120, "1h35": none, "1.5 hours": 5400, "a quarter of an hour": 900, "three quarters of an hour": 2700, "a hundred and twenty minutes": 7200,
			"two days": 172800, "5 minutes 2 hours": none, "5": none, "minutes": none, "minus five minutes": none, "five minutes five": none,
			"1 hour, 20 minutes": 4800,
		}},
		{"zh", "duration", map[string]float64{
			"五秒": 5, "10分钟": 600, "半小时": 1800, "半个小时": 1800, "一个半小时": 5400, "一小时三十分钟": 5400, "两分钟": 120, "一百二十分钟": 7200,
			"一分半": 90, "一分半钟": 90, "两周": 1209600, "三個禮拜": 1814400, "10min": 600, "1h": 3600, "一刻钟": 900, "两个小时": 7200, "十五分三十秒": 930, "1小时30分": 5400, "一小时半": 5400, "两个半小时": 9000, "三天": 259200,
			"五": none, "分钟": none, "三十分一小时": none, "兩個小時": 7200,
		}},
		{"en", "percentage", map[string]float64{"50%": 50, "50 percent": 50, "fifty per cent": 50, "fifty": 50, "percent": none}},
		{"zh", "percentage", map[string]float64{"百分之五十": 50, "50%": 50, "５０％": 50, "五十": 50}},
		{"en", "day", map[string]float64{"today": 0, "tomorrow": 1, "day after tomorrow": 2, "the day after tomorrow": 2, "yesterday": -1, "todays": none}},
		{"zh", "day", map[string]float64{"今天": 0, "明天": 1, "后天": 2, "大后天": 3, "昨天": -1, "前天": -2}},
	}
	for _, c := range cases {
		for text, want := range c.want {
			got, ok := longest(t, c.lang, c.list, text)
			if ok != (want != none) || ok && got != want {
				t.Errorf("%s {%s} of %q: got %v %v, want %v", c.lang, c.list, text, got, ok, want)
			}
		}
	}
}

// TestNumbersEndEverywhere: a number is also read where it might go on.
func TestNumbersEndEverywhere(t *testing.T) {
	l, err := loadLanguage("en")
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, s := range l.numbers(nil, runesOf(foldText("one hundred and twenty five")), 0) {
		got = append(got, s.value)
	}
	if !slices.Equal(got, []float64{1, 100, 120, 125}) {
		t.Errorf("got %v", got)
	}
}

func TestNumberTable(t *testing.T) {
	src := one("dim to {0..100:level} percent")
	src.NumberWords = map[float64][]string{21: {"vingt-et-un"}, 20: {"vingt"}, 200: {"deux-cents"}}
	g := compile(t, "fr", src)
	for text, want := range map[string]string{
		"dim to vingt et un percent": "level=21", "dim to VINGT-ET-UN percent": "level=21", "dim to vingt percent": "level=20",
		"dim to 21 percent": "level=21", "dim to deux cents percent": "-", "dim to twenty percent": "-",
	} {
		if got := show(best(t, g, text, Context{})); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// TestLanguageFiles: every file is whole, and a language without one has no
// built-in lists.
func TestLanguageFiles(t *testing.T) {
	entries, err := languageFiles.ReadDir("lang")
	if err != nil || len(entries) == 0 {
		t.Fatalf("no language files: %v", err)
	}
	for _, e := range entries {
		lang := e.Name()[:len(e.Name())-len(".json")]
		compile(t, lang, one("x {number} {percentage:p} {duration} {day}"))
	}
	if _, err := Compile("xx", []Source{one("x {duration}")}); err == nil {
		t.Error("an unknown language has {duration}")
	}
}

func FuzzBuiltinLists(f *testing.F) {
	for _, seed := range []string{"a hundred and five", "一百零五", "1 hour and a half", "一个半小时", "minus 3.5 million", "二〇二四", "half an"} {
		f.Add(seed)
	}
	languages := make(map[string]*language)
	for _, lang := range []string{"en", "zh"} {
		l, err := loadLanguage(lang)
		if err != nil {
			f.Fatal(err)
		}
		languages[lang] = l
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4*MaxTextLength {
			return
		}
		runes := runesOf(foldText(text))
		for _, l := range languages {
			for _, name := range builtinNames() {
				for _, s := range l.builtin(name).atStart(runes) {
					if s.end <= 0 || s.end > len(runes) || s.value != s.value {
						t.Fatalf("{%s} of %q: %+v", name, text, s)
					}
				}
			}
		}
	})
}
