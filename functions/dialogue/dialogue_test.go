package dialogue

import (
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
)

func TestApologyIsSpokenInTheLanguageOfTheUser(t *testing.T) {
	p, err := LoadPhrases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		lang string
		code assistant.Code
		want string
	}{
		{"en", assistant.CodeNotUnderstood, "Sorry, I didn't understand that."},
		{"en-GB", assistant.CodeNotUnderstood, "Sorry, I didn't understand that."},
		{"zh-CN", assistant.CodeNotUnderstood, "抱歉，我没听懂。"},
		{"zh", assistant.CodeNotUnderstood, "抱歉，我没听懂。"},
		{"fi", assistant.CodeNotUnderstood, "Sorry, I didn't understand that."},
		{"not a tag", assistant.CodeNotUnderstood, "Sorry, I didn't understand that."},
		{"zh-CN", assistant.CodeExpired, ""},
	} {
		if got := p.Apology(c.lang, c.code); got != c.want {
			t.Errorf("Apology(%q, %s) = %q, want %q", c.lang, c.code, got, c.want)
		}
	}
}

func TestEveryLanguageHasTheSamePhrases(t *testing.T) {
	p, err := LoadPhrases()
	if err != nil {
		t.Fatal(err)
	}
	for i, words := range p.byTag {
		for key := range p.byTag[0] {
			if words[key] == "" {
				t.Errorf("%s has no words for %q", p.tags[i], key)
			}
		}
		if len(words) != len(p.byTag[0]) {
			t.Errorf("%s has %d phrases, %s has %d", p.tags[i], len(words), p.tags[0], len(p.byTag[0]))
		}
	}
}

func TestOpenKeepsTheSessionThatTheDeviceNames(t *testing.T) {
	if s := Open(&assistant.Utterance{Session: "s1"}, "t1"); s.ID != "s1" || s.New {
		t.Errorf("named session: %+v", s)
	}
	if s := Open(&assistant.Utterance{}, "t1"); s.ID != "t1" || !s.New {
		t.Errorf("new session: %+v", s)
	}
}
