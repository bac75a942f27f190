package manifest_test

import (
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/nlu"
)

// What speaks of lights and is no order, is for later, or is more than one
// thing, moves no light.
func TestNoLightIsSwitched(t *testing.T) {
	skills := loadBuiltIn(t, "time", "timer", "light", "sensor")
	grammars := compileBuiltIn(t, skills)
	for lang, sentences := range map[string][]string{
		"en": {
			"don't turn on the kitchen light", "do not turn off the lights", "never turn on the desk lamp",
			"is the kitchen light on", "did you turn on the kitchen light", "are the lights off", "who turned on the light",
			"why is the kitchen light on", "how do I turn on the light", "the light", "kitchen", "desk lamp", "turn it off",
			"turn off the lights in ten minutes", "turn on the lights at 7 pm", "turn on the radio", "turn off the thermometer",
			"turn on the kitchen light and turn off the bedroom light", "turn off the lights and set a timer for ten minutes",
			"what is the temperature in the kitchen and turn on the light", "buy a light", "traffic light",
		},
		"zh-CN": {
			"不要打开厨房的灯", "别关灯", "别打开台灯", "厨房的灯开了吗", "灯关了吗", "谁开的灯", "为什么灯亮着", "怎么开灯", "灯", "厨房", "台灯", "把它关掉",
			"十分钟后关灯", "打开收音机", "打开温度计", "打开厨房的灯然后关掉卧室的灯", "打开厨房的灯和卧室的灯", "买一盏灯", "红绿灯",
		},
	} {
		home := skills["light"].Sentences[lang].Home
		lists, err := catalog.HomeLists(lang, home.Entities, []assistant.Device{{Area: home.Area}})
		if err != nil {
			t.Fatal(err)
		}
		for _, say := range sentences {
			result := grammars[lang].Match(say, nlu.Context{Lists: lists, Values: map[string]any{"area": home.Area}, Now: home.Now})
			if len(result.Matches) > 0 {
				m := result.Matches[0]
				t.Errorf("%q is understood as %s/%s %v by %s", say, m.Skill, m.Intent, m.Slots, m.Template.Text)
			}
		}
	}
}
