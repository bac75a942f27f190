package skills_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// folder is a skill's folder with the given intents and answers.
func folder(intents, answers string) fstest.MapFS {
	return fstest.MapFS{
		"skill.yaml":        {Data: []byte("state: home\ntriggers: {intents: [" + intents + "]}")},
		"sentences/en.yaml": {Data: []byte("answers:\n" + answers)},
	}
}

// one is a skill with a single intent, Do.
func one(h skills.Handler, answers string) skills.Skill {
	return skills.Skill{Intents: skills.Intents{"Do": h}, Files: folder("Do", answers)}
}

// What a handler can do wrong fails the call with an error that says what.
func TestFaultsFailTheCall(t *testing.T) {
	type handler = func(call *skills.Call) (*skills.Answer, error)
	for _, test := range []struct {
		name string
		do   handler
		want string
		code codes.Code
	}{
		{"error", func(*skills.Call) (*skills.Answer, error) { return nil, errors.New("no luck") }, "no luck", codes.Unknown},
		{"nothing", func(*skills.Call) (*skills.Answer, error) { return nil, nil }, "&skills.Answer{}", codes.Internal},
		{"panic", func(*skills.Call) (*skills.Answer, error) { panic("oh no") }, "oh no", codes.Internal},
		{"unknown answer", func(c *skills.Call) (*skills.Answer, error) { return c.Say("nosuch", nil), nil }, `no answer "nosuch"`, codes.Internal},
		{"missing field", func(c *skills.Call) (*skills.Answer, error) { return c.Say("name", skills.Data{}), nil }, `"Name"`, codes.Internal},
		{"endless text", func(c *skills.Call) (*skills.Answer, error) { return c.Say("endless", make([]int, 1e6)), nil }, "longer than", codes.Internal},
		{"long speech", func(*skills.Call) (*skills.Answer, error) { return skills.Speak(strings.Repeat("好", 4001)), nil }, "4001 characters", codes.Internal},
		{"not UTF-8", func(*skills.Call) (*skills.Answer, error) { return skills.Speak("\xff"), nil }, "UTF-8", codes.Internal},
		{"large state", func(*skills.Call) (*skills.Answer, error) {
			return new(skills.Answer).SetState(strings.Repeat("x", skills.MaxState)), nil
		}, "65538 bytes", codes.Internal},
		{"state of no value", func(*skills.Call) (*skills.Answer, error) { return new(skills.Answer).SetState(make(chan int)), nil }, "as JSON", codes.Internal},
		{"schedule without id", func(c *skills.Call) (*skills.Answer, error) {
			return new(skills.Answer).Schedule(skills.Schedule{At: c.Now()}), nil
		}, "no ID", codes.Internal},
		{"schedule without time", func(*skills.Call) (*skills.Answer, error) {
			return new(skills.Answer).Schedule(skills.Schedule{ID: "a"}), nil
		}, "no time", codes.Internal},
		{"large payload", func(c *skills.Call) (*skills.Answer, error) {
			return new(skills.Answer).Schedule(skills.Schedule{ID: "a", At: c.Now(), Payload: strings.Repeat("x", skills.MaxPayload)}), nil
		}, "4098 bytes", codes.Internal},
		{"cancel nothing", func(*skills.Call) (*skills.Answer, error) { return new(skills.Answer).CancelSchedule(""), nil }, "empty", codes.Internal},
		{"command nobody", func(*skills.Call) (*skills.Answer, error) { return new(skills.Answer).Command("", "turn_on", nil), nil }, "must have a name", codes.Internal},
		{"command nothing", func(*skills.Call) (*skills.Answer, error) { return new(skills.Answer).Command("a", "", nil), nil }, "must have a name", codes.Internal},
		{"command of no JSON", func(*skills.Call) (*skills.Answer, error) {
			return new(skills.Answer).Command("a", "b", map[string]any{"x": make(chan int)}), nil
		}, "as JSON", codes.Internal},
		{"command of structs", func(*skills.Call) (*skills.Answer, error) {
			return new(skills.Answer).Command("a", "b", map[string]any{"x": struct{}{}}), nil
		}, "invalid type", codes.Internal},
		{"large command", func(*skills.Call) (*skills.Answer, error) {
			return new(skills.Answer).Command("a", "b", map[string]any{"x": strings.Repeat("x", skills.MaxArgs)}), nil
		}, "4104 bytes", codes.Internal},
		{"wide command", func(*skills.Call) (*skills.Answer, error) {
			args := make(map[string]any)
			for i := range 65 {
				args[strings.Repeat("x", i)] = 1
			}
			return new(skills.Answer).Command("a", "b", args), nil
		}, "65: 64 at most", codes.Internal},
		{"many commands", func(*skills.Call) (*skills.Answer, error) {
			a := new(skills.Answer)
			for range 65 {
				a.Command("a", "b", nil)
			}
			return a, nil
		}, "65 commands", codes.Internal},
		{"tell nothing", func(*skills.Call) (*skills.Answer, error) { return new(skills.Answer).Tell(skills.Message{}), nil }, "empty", codes.Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			skill := one(func(_ context.Context, call *skills.Call) (*skills.Answer, error) { return test.do(call) },
				"  name: \"{{.Name}}\"\n  endless: \"{{range .}}on and on {{end}}\"\n")
			skill.Log = slog.New(slog.DiscardHandler)
			_, err := skilltest.New(t, skill).Try("Do")
			if err == nil || !strings.Contains(err.Error(), test.want) || status.Code(err) != test.code {
				t.Errorf("error %v, want %v with %q", err, test.code, test.want)
			}
		})
	}
}

// After a panic the process answers on, and the log tells where it happened.
func TestPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	skill := one(func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		if _, ok := call.Slots.Bool("panic"); ok {
			panic("oh no")
		}
		return skills.Speak("well"), nil
	}, "  none: none\n")
	skill.Log = slog.New(slog.NewTextHandler(&log, nil))
	st := skilltest.New(t, skill)
	if _, err := st.Try("Do", skilltest.Slot("panic", true)); err == nil {
		t.Error("no error")
	}
	if got := st.Intent("Do").Speech; got != "well" {
		t.Errorf("said %q", got)
	}
	for _, want := range []string{"oh no", "skill_test.go", "invocation=invocation-1", "turn=turn-1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &log)
		}
	}
}

func TestUnknownIntentNamesTheKnown(t *testing.T) {
	nop := func(context.Context, *skills.Call) (*skills.Answer, error) { return &skills.Answer{}, nil }
	skill := skills.Skill{Intents: skills.Intents{"A": nop, "B": nop}, Files: folder("A, B", "  none: none\n")}
	_, err := skilltest.New(t, skill).Try("C")
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), `"C": skills.Skill.Intents has A, B`) {
		t.Errorf("error %v", err)
	}
}

func TestSlots(t *testing.T) {
	slots := skills.Slots{
		"text": {Value: "x"}, "number": {Value: 2.5}, "whole": {Value: 3.0}, "flag": {Value: true}, "huge": {Value: 1e300},
		"time": {Value: "2026-11-25T15:00:00"}, "date": {Value: "2026-11-25"}, "no date": {Value: "2026-02-31"},
	}
	type result struct {
		value any
		ok    bool
	}
	is := func(value any, ok bool) result { return result{value, ok} }
	for name, test := range map[string]struct{ got, want result }{
		"text":             {is(slots.String("text")), is("x", true)},
		"text of number":   {is(slots.String("number")), is("", false)},
		"missing text":     {is(slots.String("none")), is("", false)},
		"number":           {is(slots.Number("number")), is(2.5, true)},
		"number of text":   {is(slots.Number("text")), is(0.0, false)},
		"int":              {is(slots.Int("whole")), is(3, true)},
		"int of fraction":  {is(slots.Int("number")), is(0, false)},
		"int of huge":      {is(slots.Int("huge")), is(0, false)},
		"bool":             {is(slots.Bool("flag")), is(true, true)},
		"missing bool":     {is(slots.Bool("none")), is(false, false)},
		"duration":         {is(slots.Duration("number")), is(2500*time.Millisecond, true)},
		"duration of text": {is(slots.Duration("text")), is(time.Duration(0), false)},
		"time":             {is(slots.Time("time")), is(time.Date(2026, 11, 25, 15, 0, 0, 0, time.UTC), true)},
		"date":             {is(slots.Time("date")), is(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), true)},
		"no date":          {is(slots.Time("no date")), is(time.Time{}, false)},
		"time of number":   {is(slots.Time("number")), is(time.Time{}, false)},
		"missing time":     {is(slots.Time("none")), is(time.Time{}, false)},
		"huge duration":    {is(slots.Duration("huge")), is(time.Duration(0), false)},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
}

// A time is the home's; one that clocks leave out when they are put forward is as
// much later, east and west of Greenwich.
func TestTimeIsOfTheHome(t *testing.T) {
	st := skilltest.New(t, one(func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		at, ok := call.Slots.Time("time")
		if !ok {
			return nil, errors.New("there is no time")
		}
		if at.Location() != call.Now().Location() {
			return nil, fmt.Errorf("it is in the zone %s", at.Location())
		}
		return skills.Speak(at.Format(time.RFC3339)), nil
	}, "  none: none\n"))
	for _, test := range []struct {
		zone  string
		value any
		want  string
	}{
		{"Asia/Shanghai", "2026-11-25T15:00:00", "2026-11-25T15:00:00+08:00"},
		{"Asia/Shanghai", time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC), "2026-11-25T15:00:00+08:00"},
		{"Asia/Shanghai", "2026-11-25", "2026-11-25T00:00:00+08:00"},
		{"Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T03:30:00+02:00"},
		{"America/New_York", "2026-03-08T02:30:00", "2026-03-08T03:30:00-04:00"},
		{"Asia/Beirut", "2026-03-29", "2026-03-29T01:00:00+03:00"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"},
	} {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		st.At(time.Date(2026, 11, 25, 10, 0, 0, 0, zone))
		if got := st.Intent("Do", skilltest.Slot("time", test.value)).Speech; got != test.want {
			t.Errorf("%v in %s: %s, want %s", test.value, test.zone, got, test.want)
		}
	}
}

// State of another shape is an error, not a zero value that would be stored over it.
func TestStateOfAnotherShape(t *testing.T) {
	skill := one(func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		if _, err := skills.State[[]string](call); err != nil {
			return nil, err
		}
		return new(skills.Answer).SetState(map[string]int{"a": 1}), nil
	}, "  none: none\n")
	st := skilltest.New(t, skill)
	st.Intent("Do")
	if _, err := st.Try("Do"); err == nil || !strings.Contains(err.Error(), "read the skill's state") {
		t.Errorf("error %v", err)
	}
	if got := st.State(); got != `{"a":1}` {
		t.Errorf("state %s", got)
	}
}
