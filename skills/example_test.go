package skills_test

import (
	"context"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
)

// example stands in for *testing.T, which examples do not have.
type example struct{}

func (example) Helper()                           {}
func (example) Cleanup(func())                    {}
func (example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// The smallest skill: a handler, and its words in sentences/en.yaml. The main
// function of a real one is skills.Serve(skill).
func ExampleSkill() {
	greet := func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		return call.Say("hello", nil), nil
	}
	skill := skills.Skill{
		Intents: skills.Intents{"Greet": greet},
		Files: fstest.MapFS{ // a real skill has them in its folder
			"skill.yaml":           {Data: []byte("triggers: {intents: [Greet]}")},
			"sentences/en.yaml":    {Data: []byte("answers: {hello: Hello!}")},
			"sentences/zh-CN.yaml": {Data: []byte("answers: {hello: 你好！}")},
		},
	}
	st := skilltest.New(example{}, skill)
	fmt.Println(st.Intent("Greet").Speech)
	fmt.Println(st.Lang("zh-CN").Intent("Greet").Speech)
	// Output:
	// Hello!
	// 你好！
}

// Helpers speak the language of the text.
func ExampleCall_Say() {
	report := func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		return call.Say("report", skills.Data{
			"Eggs": 12, "Time": 90 * time.Second, "At": call.Now(), "For": []string{"you", "me"},
		}), nil
	}
	skill := one(report, `  report: >-
    {{.Eggs}} {{plural .Eggs "egg" "eggs"}} for {{list .For}}, boiled {{duration .Time}},
    at {{clock .At}} on {{weekday .At}}, {{date .At}}.
`)
	fmt.Println(skilltest.New(example{}, skill).Intent("Do").Speech)
	// Output: 12 eggs for you and me, boiled 1 minute and 30 seconds, at 12:00 PM on Monday, January 1.
}

// A slot is there or it is not; the handler decides what that means.
func ExampleSlots() {
	boil := func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		d, ok := call.Slots.Duration("duration")
		if !ok {
			d = 6 * time.Minute
		}
		return skills.Speak("Boiling for " + d.String()), nil
	}
	st := skilltest.New(example{}, one(boil, "  none: none\n"))
	fmt.Println(st.Intent("Do").Speech)
	fmt.Println(st.Intent("Do", skilltest.Slot("duration", 4*time.Minute)).Speech)
	// Output:
	// Boiling for 6m0s
	// Boiling for 4m0s
}

// A {time} is in the home's zone, as [skills.Call.Now] is.
func ExampleSlots_Time() {
	wake := func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		at, ok := call.Slots.Time("time")
		if !ok {
			at = call.Now().Add(8 * time.Hour)
		}
		return call.Say("wake", at), nil
	}
	st := skilltest.New(example{}, one(wake, "  wake: I will wake you on {{weekday .}} at {{clock .}}.\n"))
	fmt.Println(st.Intent("Do", skilltest.Slot("time", "2024-01-02T06:30:00")).Speech)
	fmt.Println(st.Intent("Do").Speech)
	// Output:
	// I will wake you on Tuesday at 6:30 AM.
	// I will wake you on Monday at 8:00 PM.
}

// State travels with the call. The zero value is where it begins, and when two
// calls race, one of them runs again with what the other has stored.
func ExampleState() {
	type counter struct {
		Total int `json:"total"`
	}
	count := func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		c, err := skills.State[counter](call)
		if err != nil {
			return nil, err
		}
		c.Total++
		return call.Say("total", c).SetState(c), nil
	}
	st := skilltest.New(example{}, one(count, "  total: \"{{.Total}}\"\n"))
	fmt.Println(st.Intent("Do").Speech, st.Intent("Do").Speech)
	fmt.Println(st.Home("another").Intent("Do").Speech)
	fmt.Println(st.Home("home").State())
	// Output:
	// 1 2
	// 1
	// {"total":2}
}

// A schedule calls the skill later, with what it was given.
func ExampleAnswer_Schedule() {
	type egg struct{ Minutes int }
	boil := func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		return skills.Speak("Boiling.").Schedule(skills.Schedule{
			ID: "egg", At: call.Now().Add(6 * time.Minute), Kind: skills.Timer,
			Payload: egg{Minutes: 6}, Fallback: "An egg is done.",
		}), nil
	}
	skill := one(boil, "  done: Your {{.Minutes}}-minute egg is done.\n")
	skill.Schedule = func(_ context.Context, call *skills.Call) (*skills.Answer, error) {
		e, err := skills.Payload[egg](call)
		if err != nil {
			return nil, err
		}
		return call.Say("done", e), nil
	}
	st := skilltest.New(example{}, skill)
	fmt.Println(st.Device("kitchen").Intent("Do").Speech)
	for _, say := range st.Advance(10 * time.Minute) {
		fmt.Println(say.At.Format("15:04"), say.Device, say.Kind, say.Speech)
	}
	// Output:
	// Boiling.
	// 12:06 kitchen timer Your 6-minute egg is done.
}

func ExampleAnswer_CancelSchedule() {
	cancel := func(_ context.Context, _ *skills.Call) (*skills.Answer, error) {
		return skills.Speak("Cancelled.").CancelSchedule("egg"), nil
	}
	answer := skilltest.New(example{}, one(cancel, "  none: none\n")).Intent("Do")
	fmt.Println(answer.Speech, answer.Cancelled)
	// Output: Cancelled. [egg]
}

func ExampleAnswer_Tell() {
	dinner := func(_ context.Context, _ *skills.Call) (*skills.Answer, error) {
		return skills.Speak("I'll tell them.").
			Tell(skills.Message{Device: "bedroom", Speech: "Dinner is ready."}).
			Tell(skills.Message{Device: "study", Speech: "Dinner is ready."}), nil
	}
	for _, say := range skilltest.New(example{}, one(dinner, "  none: none\n")).Intent("Do").Messages {
		fmt.Println(say.Device, say.Kind, say.Speech)
	}
	// Output:
	// bedroom announcement Dinner is ready.
	// study announcement Dinner is ready.
}

// house has a skill that may see lights, and what is in the home beside it.
func house(tb skilltest.TB, do func(*skills.Call) *skills.Answer) *skilltest.Tester {
	skill := one(func(_ context.Context, call *skills.Call) (*skills.Answer, error) { return do(call), nil },
		"  on: Turning on the {{list .}}.\n  off: '{{list .}} {{plural (len .) \"is\" \"are\"}} offline.'\n")
	skill.Files.(fstest.MapFS)["skill.yaml"].Data = []byte("triggers: {intents: [Do]}\npermissions: {entities: [light]}")
	return skilltest.New(tb, skill)
}

// A skill sees the entities that its skill.yaml asks for, and commands those
// that are available.
func ExampleAnswer_Command() {
	st := house(example{}, func(call *skills.Call) *skills.Answer {
		lights := call.Entities.Of("light").In(call.Area)
		if len(lights.Available()) == 0 {
			return call.Say("off", lights.Names())
		}
		answer := call.Say("on", lights.Available().Names())
		for _, light := range lights.Available() {
			answer.Command(light.ID, "turn_on", map[string]any{"brightness": 40})
		}
		return answer
	})
	st.Area("study").
		Entity(skills.Entity{ID: "light.desk", Name: "desk lamp", Area: "study"}).
		Entity(skills.Entity{ID: "light.wall", Name: "wall lamp", Area: "study"}).
		Entity(skills.Entity{ID: "light.hall", Name: "chandelier", Area: "hall"}).
		Offline("light.wall")
	answer := st.Intent("Do")
	fmt.Println(answer.Speech, answer.Commands)
	fmt.Println(st.Offline("light.desk").Intent("Do").Speech)
	// Output:
	// Turning on the desk lamp. [{light.desk turn_on map[brightness:40]}]
	// desk lamp and wall lamp are offline.
}

func ExampleEntities() {
	st := house(example{}, func(call *skills.Call) *skills.Answer {
		on := call.Entities.Of("light").Filter(func(e skills.Entity) bool { return e.Is("on") })
		return skills.Speak(fmt.Sprint(on.Names()))
	})
	st.Entity(skills.Entity{ID: "light.desk", Name: "desk lamp", State: map[string]any{"state": "on"}}).
		Entity(skills.Entity{ID: "light.wall", Name: "wall lamp", State: map[string]any{"state": "off"}})
	fmt.Println(st.Intent("Do").Speech)
	// Output: [desk lamp]
}
