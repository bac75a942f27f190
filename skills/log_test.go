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

// Whatever a handler makes of its log, each line names the call, once and first.
func TestLogNamesTheCall(t *testing.T) {
	var log bytes.Buffer
	skill := one(func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		call.Log.Debug("too fine")
		call.Log.Info("plain", "a", 1)
		call.Log.With("a", 1).Info("with", "b", 2)
		call.Log.WithGroup("g").With("a", 1).Info("group", "b", 2)
		return skills.Speak(call.ID + " " + call.Turn), nil
	}, "")
	skill.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	reply, err := skilltest.New(t, skill).Try("Do")
	if err != nil {
		t.Fatal(err)
	}
	invocation, turn, _ := strings.Cut(reply.Speech, " ")
	want := ""
	for _, line := range []string{"plain # a=1", "with # a=1 b=2", "group # g.a=1 g.b=2"} {
		want += "level=INFO msg=" + strings.Replace(line, "#", "invocation="+invocation+" turn="+turn, 1) + "\n"
	}
	if log.String() != want {
		t.Errorf("logged\n%swant\n%s", log.String(), want)
	}
}

func brew(pots map[string]string) string {
	pots["tea"] = "hot"
	return pots["tea"]
}
