package topic_test

import (
	"testing"

	"github.com/hark-voice/hark/broker/topic"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, name string
		want         bool
	}{
		{"hark/h/d/reply", "hark/h/d/reply", true},
		{"hark/h/d/reply", "hark/h/d/replyx", false},
		{"hark/h/d/reply", "hark/h/d/reply/x", false},
		{"hark/h/d/+", "hark/h/d/reply", true},
		{"hark/h/d/+", "hark/h/d/a/b", false},
		{"hark/h/d/+", "hark/h/d", false},
		{"hark/h/d/#", "hark/h/d/a/b", true},
		{"hark/h/d/#", "hark/h/d", true},
		{"hark/h/d/#", "hark/h/dd/a", false},
		{"hark/h/d/+/b", "hark/h/d/a/b", true},
		{"#", "hark/h/d/a", true},
		{"#", "$SYS/a", false},
		{"+/a", "$SYS/a", false},
		{"$SYS/#", "$SYS/a", true},
		{"+", "", true},
		{"a/", "a/", true},
		{"a/", "a", false},
	} {
		if got := topic.Match(c.filter, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.filter, c.name, got)
		}
	}
}

func TestUnshare(t *testing.T) {
	for _, c := range []struct {
		filter, plain string
		shared        bool
	}{
		{"hark/h/d/#", "hark/h/d/#", false},
		{"$share/g/hark/h/d/#", "hark/h/d/#", true},
		{"$share/g/", "", true},
		{"$share/g", "", false},
		{"$sharex/g/a", "$sharex/g/a", false},
	} {
		plain, shared := topic.Unshare(c.filter)
		if plain != c.plain || shared != c.shared {
			t.Errorf("Unshare(%q) = %q, %v", c.filter, plain, shared)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("hark/h/d/utterance", "h/d")
	f.Add("hark//d/utterance", "h/")
	f.Fuzz(func(t *testing.T, name, username string) {
		if d, k, ok := topic.Parse(name); ok && (d.Topic(k) != name || !d.Within(name)) {
			t.Errorf("Parse(%q) = %v, %q", name, d, k)
		}
		if d, ok := topic.ParseUsername(username); ok && d.String() != username {
			t.Errorf("ParseUsername(%q) = %v", username, d)
		}
	})
}

// Each kind of the contract goes one way; any other is the device's own.
func TestKinds(t *testing.T) {
	for _, c := range []struct {
		kinds          []topic.Kind
		consumed, down bool
	}{
		{[]topic.Kind{"hello", "utterance", "intent", "reading", "state", "status", "ack"}, true, false},
		{[]topic.Kind{"welcome", "reply", "command", "say"}, false, true},
		{[]topic.Kind{"", "note", "audio", "State", "states"}, false, false},
	} {
		for _, k := range c.kinds {
			if k.Consumed() != c.consumed || k.Down() != c.down {
				t.Errorf("%q: consumed %v, down %v", k, k.Consumed(), k.Down())
			}
		}
	}
}
