package nlu

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
)

func languageOf(tb testing.TB, tag string) *language {
	tb.Helper()
	l, err := loadLanguage(tag)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// TestReadings: the characters of GB 2312 are known, and those with several
// readings have them.
func TestReadings(t *testing.T) {
	r := languageOf(t, "zh-CN").readings()
	if len(r.of) < 8800 {
		t.Errorf("%d characters", len(r.of))
	}
	for _, c := range []struct {
		a, b string
		want likeness
	}{
		{"厅", "厅", sameCharacter},
		{"厅", "听", sameSound},
		{"廳", "听", sameSound},
		{"长", "章", sameSound}, // zhang
		{"长", "常", sameSound}, // chang
		{"行", "航", sameSound},
		{"乐", "月", sameSound},
		{"乐", "了", sameSound},
		{"床", "窗", sameSound},
		{"床", "船", similarSound}, // chuang, chuan
		{"灯", "等", sameSound},
		{"书", "苏", similarSound},
		{"郎", "南", similarSound},
		{"心", "星", similarSound},
		{"女", "吕", similarSound}, // with ü
		{"厅", "灯", otherSound},
		{"厅", "x", otherSound},
	} {
		if got := r.compare([]rune(c.a)[0], []rune(c.b)[0]); got != c.want {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestSoundCost: what is heard for a name written with letters, and what is not.
func TestSoundCost(t *testing.T) {
	const tooFar = costTooFar
	english := languageOf(t, "en")
	for _, c := range []struct {
		name, heard string
		want        int
	}{
		{"kitchen", "kitchin", costHalf},
		{"bedside lamp", "bed side lamp", 0},
		{"nightlight", "night light", 0},
		{"nightlight", "knight lite", 0},
		{"desk lamp", "disk lamp", costHalf},
		{"lamp", "lampp", 0},
		{"lamp", "lump", costHalf},
		{"lamp", "clamp", costWhole},
		{"lamp", "clamps", tooFar},
		{"heater", "heaetr", tooFar}, // ea sounds like i
		{"fan", "fen", tooFar},       // too short to be sure of
		{"ceiling fan", "ceiling fen", costHalf},
		{"ceiling fan", "ceiling can", tooFar},
		{"tea room", "the room", tooFar},
		{"lamp 1", "lamp 2", tooFar},
		{"lamp 1", "lamp one", 0},
		{"lamp 1", "lump one", costHalf},
		{"lamp 11", "lamp 1", tooFar},
		{"lamp", "lamp b", tooFar},
		{"lamp a", "lamp b", tooFar},
		{"lamp", "lamp 2", tooFar},
		{"living room", "leaving room", 0},
		{"dining room", "living room", tooFar},
		{"inside light", "outside light", tooFar},
		{"café lamp", "cafe lamp", costHalf}, // a silent e
		{"наша лампа", "наша ламба", costWhole},
		{"наша лампа", "ваша кружка", tooFar},
	} {
		lists, err := NewLists(map[string]List{"name": {Values: []Value{{In: Literal(c.name)}}}})
		if err != nil {
			t.Fatal(err)
		}
		got := tooFar
		for _, h := range lists.hear(english).spelledLike(nil, runesOf(foldText(c.heard))) {
			if h.from == 0 && h.to == len([]rune(c.heard)) {
				for cost := range longCost + 1 {
					if trustOf(cost) == h.trust {
						got = cost
					}
				}
			}
		}
		if got != c.want {
			t.Errorf("%q for %q costs %d, want %d", c.heard, c.name, got, c.want)
		}
	}
}

// TestCharactersCost: the same of names written with characters.
func TestCharactersCost(t *testing.T) {
	l := languageOf(t, "zh-CN")
	for _, c := range []struct {
		name, heard string
		want        int
	}{
		{"客厅灯", "可听等", 0},
		{"厨房", "初访", 0},
		{"厨房", "粗房", costWhole},
		{"床头灯", "船头等", costWhole},
		{"书房", "苏饭", costTooFar}, // both are wrong
		{"一号灯", "1号等", 0},
		{"一号灯", "二号灯", costTooFar},
		{"四号灯", "十号灯", costTooFar},
		{"四号灯", "是号灯", costTooFar}, // no number is heard that sounds otherwise
		{"洗衣机", "洗一机", 0},
		{"台灯", "吊灯", costTooFar},
	} {
		heard := []rune(c.heard)
		for i, r := range heard { // as the index sees them
			if '0' <= r && r <= '9' {
				heard[i] = []rune("零一二三四五六七八九")[r-'0']
			}
		}
		if got := l.charactersCost([]rune(c.name), heard); got != c.want {
			t.Errorf("%s for %s costs %d, want %d", c.heard, c.name, got, c.want)
		}
	}
}

// TestSoundsAreSmall: homes are many, and any may mishear a name.
func TestSoundsAreSmall(t *testing.T) {
	const homes, names = 200, 30
	l := languageOf(t, "zh-CN")
	l.readings()
	all := make([]*Lists, homes)
	for i := range all {
		var values []Value
		for j := range names {
			text := fmt.Sprintf("lamp %d of room %d", j, i)
			if j%2 == 0 {
				text = string([]rune("客厅卧室厨房书房走廊花园")[j%10:j%10+2]) + "灯"
			}
			values = append(values, Value{In: Literal(text)})
		}
		lists, err := NewLists(map[string]List{"name": {Values: values}})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = lists
	}
	memory := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools held goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	for _, lists := range all {
		lists.hear(l)
	}
	each := int64(memory()-before) / homes
	t.Logf("%d bytes a home", each)
	if each > 4<<10 {
		t.Errorf("the sounds of %d names take %d bytes", names, each)
	}
	runtime.KeepAlive(l)
	runtime.KeepAlive(all)
}

// TestGaps: what may join commands, and where.
func TestGaps(t *testing.T) {
	for _, c := range []struct {
		lang, text string
		want       []string // the pieces, at their likeliest
	}{
		{"en", "lamp on and heater off", []string{"lamp on", "heater off"}},
		{"en", "lamp on, and then heater off.", []string{"lamp on", "heater off"}},
		{"en", "lamp on,heater off", []string{"lamp on", "heater off"}},
		{"en", "sand then", []string{"sand then"}}, // half a sentence
		{"en", "1,000 and 2.5", []string{"1,000", "2.5"}},
		{"en", "and lamp", []string{"and lamp"}},
		{"zh-CN", "开灯，然后再关灯", []string{"开灯", "关灯"}},
		{"zh-CN", "开灯并且关灯", []string{"开灯", "关灯"}},
		{"de", "Licht an, Heizung aus", []string{"licht an", "heizung aus"}},
		{"de", "Licht und Heizung aus", []string{"licht und heizung aus"}},
	} {
		s := newSpeech(c.text, nil)
		from := 0
		var got []string
		for _, g := range s.gaps(languageOf(t, c.lang)) {
			got = append(got, string(s.runes[from:g.from]))
			from = g.starts[0]
		}
		got = slices.DeleteFunc(append(got, string(s.runes[from:])), func(p string) bool { return p == "" })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q is in pieces %q, want %q", c.lang, c.text, got, c.want)
		}
	}
}
