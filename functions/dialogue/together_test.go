package dialogue

import (
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
)

func TestTogether(t *testing.T) {
	p, err := LoadPhrases()
	if err != nil {
		t.Fatal(err)
	}
	ok := func(text, speech, skill string) Part {
		return Part{Text: text, Reply: &assistant.Reply{Speech: speech, Skill: skill, Version: "1", Expect: assistant.ExpectNone}}
	}
	failed := func(text, speech string) Part {
		return Part{Text: text, Reply: &assistant.Reply{Speech: speech, Error: assistant.Errorf(assistant.CodeTimeout, "it slept")}}
	}
	for _, c := range []struct {
		name, lang string
		parts      []Part
		speech     string
		skill      string
		err        string
	}{
		{"two skills", "en", []Part{ok("a", "The lights are off.", "light"), ok("b", "Ten minutes", "timer")}, "The lights are off. Ten minutes.", "", ""},
		{"Chinese has no blanks", "zh-CN", []Part{ok("a", "灯关了。", "light"), ok("b", "十分钟", "timer")}, "灯关了。十分钟。", "", ""},
		{"the same twice is said once", "en", []Part{ok("a", "OK.", "light"), ok("b", "OK.", "light")}, "OK.", "light", ""},
		{"silence is no sentence", "en", []Part{ok("a", "", "light"), ok("b", "Done!", "light")}, "Done!", "light", ""},
		{
			"one fails", "en",
			[]Part{ok("a", "OK.", "light"), failed("set a timer", "Sorry, that took too long.")},
			"OK. As for “set a timer”: Sorry, that took too long.", "", "timeout: part 2 of 2: it slept",
		},
		{"one fails in silence", "zh-CN", []Part{failed("关灯", ""), ok("b", "好。", "light")}, "“关灯”这件事：抱歉，刚才没有成功，请再试一次。好。", "", "timeout: part 1 of 2: it slept"},
		{"both fail", "zh-CN", []Part{failed("关灯", "抱歉。"), failed("开灯", "抱歉。")}, "“关灯”这件事：抱歉。“开灯”这件事：抱歉。", "", "timeout: part 1 of 2: it slept"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := p.Together(&assistant.Utterance{ID: "u"}, "t", Session{ID: "s"}, c.lang, c.parts)
			message := ""
			if r.Error != nil {
				message = r.Error.Error()
			}
			if r.Speech != c.speech || r.Skill != c.skill || message != c.err || r.ID != "u" || r.Turn != "t" || r.Session != "s" {
				t.Errorf("%+v", r)
			}
		})
	}
}
