package nlu_test

import (
	"fmt"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/nlu"
)

// largeHome has names that sound like each other and like what is said.
func largeHome(tb testing.TB, lang string, names int) *nlu.Lists {
	tb.Helper()
	kinds := []string{"ceiling lamp", "floor lamp", "heater", "blinds", "window sensor", "fan", "reading light", "charger", "speaker", "socket"}
	rooms := []string{"kitchen", "living room", "bedroom", "study", "hall", "garden", "garage", "balcony", "attic", "cellar"}
	people := []string{"anna", "bruno", "clara", "david", "emma", "felix", "greta", "hugo", "ines", "jonas", "klara", "louis", "maria", "niklas", "olga", "peter", "quinn", "rosa", "simon", "tanja"}
	if lang == "zh-CN" {
		kinds = []string{"吸顶灯", "落地灯", "暖气", "窗帘", "门窗传感器", "风扇", "阅读灯", "充电器", "音箱", "插座"}
		rooms = []string{"厨房", "客厅", "卧室", "书房", "走廊", "花园", "车库", "阳台", "阁楼", "地下室"}
		people = []string{"小明", "小红", "小刚", "小丽", "爷爷", "奶奶", "爸爸", "妈妈", "叔叔", "阿姨", "哥哥", "姐姐", "弟弟", "妹妹", "老王", "老李", "小张", "小陈", "外公", "外婆"}
	}
	blank := " "
	if lang == "zh-CN" {
		blank = ""
	}
	var home []assistant.Entity
	for i := range names {
		name := people[i%20] + blank + rooms[i/20%10] + blank + kinds[i/200%10]
		home = append(home, assistant.Entity{ID: fmt.Sprint(i), Domain: "light", Area: rooms[i/20%10], Name: name})
	}
	lists, err := catalog.HomeLists(lang, home, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return lists
}

// BenchmarkGuess: what matches in the first pass, what matches nothing there, and
// what matches nothing in any pass.
func BenchmarkGuess(b *testing.B) {
	texts := map[string]map[string]string{
		"en": {
			"match":   "turn on the lights in the kitchen",
			"chatter": "the kids were playing in the kitchen and we had a long talk",
			"near":    "why did you not turn off the seiling lump in the leaving room, the hitter and the reeding light",
			"lists":   "tomorrow, milk and bread and eggs, then butter, and flour, and then some salt, and sugar",
			"clauses": "please tell everyone in the living room that dinner is ready and the floor lamp is broken",
		},
		"zh": {
			"match":   "打开厨房的灯",
			"chatter": "孩子们在客厅里玩，妈妈在厨房做饭，我们聊了很久",
			"near":    "为什么不把可听的洛地灯和握室的风善关掉呢",
			"lists":   "明天买牛奶和面包，还有鸡蛋，然后再买一些黄油、面粉，最后买糖",
			"clauses": "请告诉客厅里的人晚饭做好了而且落地灯坏了",
		},
	}
	for _, lang := range []string{"en", "zh"} {
		h := loadHouse(b, lang)
		tag := map[string]string{"en": "en", "zh": "zh-CN"}[lang]
		homes := map[string]*nlu.Lists{"44 names": h.ctx.Lists, "2000 names": largeHome(b, tag, 2000)}
		for _, size := range []string{"44 names", "2000 names"} {
			ctx := nlu.Context{Lists: homes[size], Values: h.ctx.Values}
			for _, kind := range []string{"match", "chatter", "near", "lists", "clauses"} {
				text := texts[lang][kind]
				if got := len(h.grammar.Match(text, ctx).Matches) > 0; got != (kind == "match") {
					b.Fatalf("%q: understood %v", text, got)
				}
				b.Run(fmt.Sprintf("%s/%s/%s/first", lang, size, kind), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						h.grammar.Match(text, ctx)
					}
				})
				if kind == "match" {
					continue
				}
				if guess := h.grammar.Guess(text, ctx); len(guess.Parts) > 0 {
					b.Fatalf("%q is understood as %s", text, outcomes(guess))
				}
				b.Run(fmt.Sprintf("%s/%s/%s/all", lang, size, kind), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						h.grammar.Match(text, ctx)
						h.grammar.Guess(text, ctx)
					}
				})
			}
		}
	}
}
