package manifest_test

import (
	"maps"
	"os"
	"path"
	"slices"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/nlu"
)

// The built-in skills are strangers' skills that happen to be at hand: their
// folders load, and their test sentences are understood beside each other.
func TestBuiltInSkills(t *testing.T) {
	skills := loadBuiltIn(t, "time", "timer", "light", "sensor")
	for lang, grammar := range compileBuiltIn(t, skills) {
		for name, skill := range skills {
			home := skill.Sentences[lang].Home
			lists, err := catalog.HomeLists(lang, home.Entities, []assistant.Device{{Area: home.Area}})
			if err != nil {
				t.Fatal(err)
			}
			ctx := nlu.Context{Lists: lists, Values: map[string]any{"area": home.Area}, Now: home.Now}
			for _, test := range skill.Sentences[lang].Tests {
				checkSentence(t, grammar, name, test, ctx)
			}
		}
	}
}

// What sounds like a request for a timer and is none: the intent that it is
// instead, or none.
func TestNoTimerIsSet(t *testing.T) {
	grammars := compileBuiltIn(t, loadBuiltIn(t, "time", "timer"))
	for lang, sentences := range map[string]map[string]string{
		"en": {
			"don't set a timer for five minutes":                   "",
			"please do not set a timer for 5 minutes":              "",
			"can you not set a timer for five minutes":             "",
			"never set a timer for 5 minutes":                      "",
			"I don't want a timer for 5 minutes":                   "",
			"is there a timer for 5 minutes":                       "ListTimers",
			"do I have a timer for 5 minutes":                      "ListTimers",
			"what is a timer for 5 minutes":                        "",
			"how long is a timer for 5 minutes":                    "",
			"how do I set a timer for 5 minutes":                   "",
			"did you set a timer for 5 minutes":                    "",
			"who set the timer for five minutes":                   "",
			"should I set a timer for 5 minutes":                   "",
			"there are 5 minutes left on the timer":                "",
			"pause the timer for five minutes":                     "",
			"stop setting a timer for 5 minutes":                   "",
			"extend the timer for five minutes":                    "ChangeTimer",
			"add five minutes to the timer":                        "ChangeTimer",
			"add 2 minutes to the pizza timer":                     "ChangeTimer",
			"make the timer ten minutes":                           "ChangeTimer",
			"give me 5 more minutes on the timer":                  "ChangeTimer",
			"cancel the timer for five minutes":                    "CancelTimer",
			"I waited five minutes":                                "",
			"five minutes":                                         "",
			"set a timer for five minutes and turn off the lights": "",
			"remind me to call mom":                                "",
			"remind me to call mom tomorrow":                       "",
			"start the washing machine":                            "",
			"stop":                                                 "",
			"cancel":                                               "",
			"cancel everything":                                    "",
			"turn it off":                                          "",
			"what time is it in three hours":                       "Time",
			"what time is it in London":                            "",
			"what's on today":                                      "",
			"is it raining today":                                  "",
			"how many days until friday":                           "",
		},
		"zh-CN": {
			"取消计时五分钟":      "CancelTimer",
			"停止计时五分钟":      "",
			"暂停计时五分钟":      "",
			"继续计时五分钟":      "",
			"重新计时五分钟":      "",
			"延长计时五分钟":      "ChangeTimer",
			"加五分钟":         "ChangeTimer",
			"不要计时五分钟":      "",
			"我不要计时五分钟":     "",
			"我不想计时五分钟":     "",
			"请不要再计时五分钟":    "",
			"能不能不要计时五分钟":   "",
			"可以不计时五分钟吗":    "",
			"别计时五分钟":       "",
			"别设五分钟的计时器":    "",
			"不要给我设五分钟的计时器": "",
			"不要给鸡蛋定五分钟":    "",
			"有没有五分钟的计时器":   "ListTimers",
			"五分钟的计时器还剩多久":  "ListTimers",
			"为什么计时五分钟":     "",
			"怎么计时五分钟":      "",
			"谁设了五分钟的计时器":   "",
			"是不是计时五分钟":     "",
			"五分钟":          "",
			"等五分钟":         "",
			"五分钟后关灯":       "",
			"空调开五分钟":       "",
			"播放五分钟":        "",
			"提醒我吃药":        "",
			"提醒我明天吃药":      "",
			"到北京还有多久":      "",
			"明天还有多久":       "",
			"全部取消":         "",
			"把它关掉":         "",
			"什么时候":         "",
			"今天下雨吗":        "",
			"几点开会":         "",
		},
	} {
		for say, want := range sentences {
			got := ""
			if result := grammars[lang].Match(say, nlu.Context{}); len(result.Matches) > 0 {
				got = result.Matches[0].Intent
			}
			if got != want {
				t.Errorf("%q is understood as %q, want %q", say, got, want)
			}
		}
	}
}

func loadBuiltIn(t *testing.T, names ...string) map[string]*manifest.Skill {
	t.Helper()
	skills := make(map[string]*manifest.Skill)
	for _, name := range names {
		skill, err := manifest.Load(os.DirFS(path.Join("../../skills", name)))
		if err != nil {
			t.Fatal(err)
		}
		skills[name] = skill
	}
	return skills
}

// compileBuiltIn returns one grammar of all skills for each language.
func compileBuiltIn(t *testing.T, skills map[string]*manifest.Skill) map[string]*nlu.Grammar {
	t.Helper()
	sources := make(map[string][]nlu.Source)
	for _, name := range slices.Sorted(maps.Keys(skills)) {
		for _, source := range skills[name].Sources("1") {
			sources[source.Lang] = append(sources[source.Lang], source)
		}
	}
	grammars := make(map[string]*nlu.Grammar)
	for lang, sources := range sources {
		grammar, err := nlu.Compile(lang, sources)
		if err != nil {
			t.Fatal(err)
		}
		grammars[lang] = grammar
	}
	return grammars
}

func checkSentence(t *testing.T, grammar *nlu.Grammar, skill string, test manifest.Test, ctx nlu.Context) {
	t.Helper()
	result := grammar.Match(test.Say, ctx)
	if len(result.Matches) == 0 {
		t.Errorf("%s:%d: %q is not understood", test.File, test.Line, test.Say)
		return
	}
	best := result.Matches[0]
	slots := make(map[string]any, len(best.Slots))
	for name, slot := range best.Slots {
		slots[name] = slot.Value
	}
	if best.Skill != skill || best.Intent != test.Intent || !maps.Equal(slots, test.Slots) {
		t.Errorf("%s:%d: %q is understood as %s/%s %v by %s:%d (%s)", test.File, test.Line, test.Say,
			best.Skill, best.Intent, slots, best.Template.File, best.Template.Line, best.Template.Text)
	}
}
