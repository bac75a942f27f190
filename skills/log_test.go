package skills_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
)

// What went wrong is in the skill's log, on one line, without what was said.
func TestFailuresAreLogged(t *testing.T) {
	for name, test := range map[string]struct {
		do     func(*skills.Call) (*skills.Answer, error)
		want   []string
		intent string
	}{
		"an error": {
			func(*skills.Call) (*skills.Answer, error) { return nil, errors.New("no luck") },
			[]string{"a handler failed", "intent=Do", "no luck", "turn="},
			"Do",
		},
		"a panic": {
			func(*skills.Call) (*skills.Answer, error) { return skills.Speak(brew(nil)), nil },
			[]string{"a handler panicked", "nil map", "skills_test.brew (log_test.go:", " < skills_test.TestFailuresAreLogged.func"},
			"Do",
		},
		"a misspelled answer": {
			func(c *skills.Call) (*skills.Answer, error) { return c.Say("gretting", nil), nil },
			[]string{"an answer cannot be used", "intent=Do", "gretting"},
			"Do",
		},
		"no handler": {nil, []string{"a call has no handler", "Undo"}, "Undo"},
	} {
		var log bytes.Buffer
		skill := one(func(_ context.Context, call *skills.Call) (*skills.Answer, error) { return test.do(call) }, "")
		skill.Log = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := skilltest.New(t, skill).Try(test.intent); err == nil {
			t.Errorf("%s: no error", name)
		}
		got := log.String()
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the log lacks %q:\n%s", name, want, got)
			}
		}
		if strings.Count(got, "\n") != 1 || strings.Contains(got, "runtime.") || strings.Contains(got, "serve") {
			t.Errorf("%s: logged\n%s", name, got)
		}
	}
}

func brew(pots map[string]string) string {
	pots["tea"] = "hot"
	return pots["tea"]
}
