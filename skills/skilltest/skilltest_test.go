package skilltest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hark-voice/hark/skills"
	"github.com/hark-voice/hark/skills/skilltest"
)

// recorder is a test that may fail.
type recorder struct {
	*testing.T

	failed string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	panic(r)
}

// fails returns what the test that f runs failed with.
func fails(t *testing.T, f func(tb skilltest.TB)) (failure string) {
	t.Helper()
	r := &recorder{T: t}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
		failure = r.failed
	}()
	f(r)
	return ""
}

// skill has one intent, which answers what do says.
func skill(manifest string, do func(*skills.Call) (*skills.Answer, error)) skills.Skill {
	handler := func(_ context.Context, call *skills.Call) (*skills.Answer, error) { return do(call) }
	return skills.Skill{
		Intents: skills.Intents{"Do": handler}, Schedule: handler,
		Files: fstest.MapFS{"skill.yaml": {Data: []byte(manifest)}},
	}
}

func TestFailures(t *testing.T) {
	const good = "state: home\ntriggers: {intents: [Do]}"
	broken := func(*skills.Call) (*skills.Answer, error) { return nil, errors.New("no luck") }
	for want, run := range map[string]func(tb skilltest.TB){
		`intent "Say" has no handler`: func(tb skilltest.TB) { skilltest.New(tb, skill("triggers: {intents: [Do, Say]}", broken)) },
		`not among triggers.intents`:  func(tb skilltest.TB) { skilltest.New(tb, skill("triggers: {intents: []}", broken)) },
		`read skill.yaml`:             func(tb skilltest.TB) { skilltest.New(tb, skill("[", broken)) },
		`skills.Skill.Files names`: func(tb skilltest.TB) {
			s := skill(good, broken)
			s.Files = fstest.MapFS{}
			skilltest.New(tb, s)
		},
		"intent Do: rpc error": func(tb skilltest.TB) { skilltest.New(tb, skill(good, broken)).Intent("Do") },
		"no `state: home`": func(tb skilltest.TB) {
			skilltest.New(tb, skill("triggers: {intents: [Do]}", func(*skills.Call) (*skills.Answer, error) {
				return new(skills.Answer).SetState(1), nil
			})).Intent("Do")
		},
		"slot x": func(tb skilltest.TB) {
			skilltest.New(tb, skill(good, broken)).Intent("Do", skilltest.Slot("x", struct{}{}))
		},
		"which it cannot see":  func(tb skilltest.TB) { commander(tb, "lock.door").Intent("Do") },
		"which is offline":     func(tb skilltest.TB) { commander(tb, "light.desk").Offline("light.desk").Intent("Do") },
		"no entity light.wall": func(tb skilltest.TB) { commander(tb, "light.desk").Offline("light.wall") },
		"the state of entity": func(tb skilltest.TB) {
			commander(tb, "light.desk").Entity(skills.Entity{ID: "a", State: map[string]any{"x": struct{}{}}})
		},
		"schedule late": func(tb skilltest.TB) {
			st := skilltest.New(tb, skill(good, ringer("")))
			st.Intent("Do")
			st.Advance(time.Hour)
		},
	} {
		if got := fails(t, run); !strings.Contains(got, want) {
			t.Errorf("failed with %q, want %q", got, want)
		}
	}
}

// commander turns on an entity of a home with a light and a lock.
func commander(tb skilltest.TB, entity string) *skilltest.Tester {
	const manifest = "triggers: {intents: [Do]}\npermissions: {entities: [light]}"
	st := skilltest.New(tb, skill(manifest, func(*skills.Call) (*skills.Answer, error) {
		return new(skills.Answer).Command(entity, "turn_on", nil), nil
	}))
	return st.Entity(skills.Entity{ID: "light.desk"}).Entity(skills.Entity{ID: "lock.door"})
}

// Each home has its own entities, and an id is there once.
func TestEntities(t *testing.T) {
	const manifest = "triggers: {intents: [Do]}\npermissions: {entities: [light]}"
	st := skilltest.New(t, skill(manifest, func(call *skills.Call) (*skills.Answer, error) {
		answer := skills.Speak(fmt.Sprint(call.Entities.Names()))
		if call.Fired.ID == "" {
			answer.Schedule(skills.Schedule{ID: "later", At: call.Now().Add(time.Minute)})
		}
		return answer, nil
	}))
	st.Entity(skills.Entity{ID: "light.desk", Name: "old"}).Entity(skills.Entity{ID: "light.desk", Name: "lamp"})
	if got := st.Intent("Do").Speech; got != "[lamp]" {
		t.Errorf("saw %s", got)
	}
	st.Home("another")
	if got := st.Intent("Do").Speech; got != "[]" {
		t.Errorf("another home saw %s", got)
	}
	if said := st.Advance(time.Hour); len(said) != 2 || said[0].Speech != "[]" || said[1].Speech != "[lamp]" {
		t.Errorf("said %+v", said)
	}
}

// ringer sets a schedule that fails when it fires.
func ringer(fallback string) func(*skills.Call) (*skills.Answer, error) {
	return func(call *skills.Call) (*skills.Answer, error) {
		if call.Fired.ID != "" {
			return nil, errors.New("no luck")
		}
		return new(skills.Answer).Schedule(skills.Schedule{ID: "late", At: call.Now().Add(time.Minute), Fallback: fallback}), nil
	}
}

func TestFallbackIsSaid(t *testing.T) {
	st := skilltest.New(t, skill("triggers: {intents: [Do]}", ringer("It rings.")))
	st.Intent("Do")
	said := st.Advance(time.Hour)
	if len(said) != 1 || said[0].Speech != "It rings." || said[0].Device != "speaker" {
		t.Errorf("said %+v", said)
	}
}

// Schedules fire in the order of their times, each at its own, also those that
// a firing sets.
func TestAdvance(t *testing.T) {
	st := skilltest.New(t, skill("triggers: {intents: [Do]}", func(call *skills.Call) (*skills.Answer, error) {
		if call.Fired.ID == "" {
			set := func(id string, after time.Duration) skills.Schedule {
				return skills.Schedule{ID: id, At: call.Now().Add(after)}
			}
			return new(skills.Answer).Schedule(set("b", 2*time.Minute)).Schedule(set("a", time.Minute)).
				Schedule(set("c", 2*time.Minute)).Schedule(set("d", time.Minute)).CancelSchedule("d"), nil
		}
		answer := skills.Speak(call.Fired.ID + call.Fired.Due.Format(" 15:04") + call.Now().Format(" 15:04"))
		if call.Fired.ID == "a" {
			answer.Schedule(skills.Schedule{ID: "again", At: call.Now().Add(30 * time.Second)})
		}
		return answer, nil
	}))
	st.Intent("Do")
	var order []string
	for _, s := range st.Schedules() {
		order = append(order, s.ID)
	}
	if got := strings.Join(order, " "); got != "a b c" {
		t.Errorf("schedules %s", got)
	}
	var said []string
	for _, s := range st.Advance(3 * time.Minute) {
		said = append(said, s.Speech)
	}
	if got, want := strings.Join(said, ", "), "a 12:01 12:01, again 12:01 12:01, b 12:02 12:02, c 12:02 12:02"; got != want {
		t.Errorf("said %s, want %s", got, want)
	}
	if left := st.Schedules(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
