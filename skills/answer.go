package skills

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/protobuf/types/known/structpb"
)

// The limits of the contract.
const (
	MaxSpeech  = 4000     // characters of one speech
	MaxState   = 64 << 10 // bytes of the state as JSON
	MaxPayload = 4 << 10  // bytes of a schedule's payload as JSON
	MaxArgs    = 4 << 10  // bytes of a command's arguments as JSON

	MaxCommands = 64 // of one answer

	maxArgs = 64 // of one command
)

// Answer is what is said, and what happens with it. Its methods return the
// answer itself, so they can be chained; what is wrong with an argument fails
// the call when the handler returns. The zero value says nothing.
type Answer struct {
	speech    string
	state     *assistantv1.StateChange
	schedules []*assistantv1.ScheduleChange
	messages  []*assistantv1.Say
	commands  []*assistantv1.Command
	errs      []error
}

// Speak answers with a text as it is. Prefer [Call.Say], whose texts can be
// translated.
func Speak(text string) *Answer { return &Answer{speech: text} }

// SetState replaces the skill's state, which [State] returns from then on. The
// value is stored as JSON.
func (a *Answer) SetState(v any) *Answer {
	value, err := marshal("the state", v, MaxState)
	a.fail(err)
	a.state = &assistantv1.StateChange{Value: value}
	return a
}

// Schedule has the skill's Schedule handler called at a time. An id that is set
// already is replaced.
func (a *Answer) Schedule(s Schedule) *Answer {
	if s.ID == "" {
		a.fail(errors.New("set a schedule: it has no ID"))
	}
	if s.At.IsZero() {
		a.fail(fmt.Errorf("set schedule %q: it has no time (At)", s.ID))
	}
	set := &assistantv1.Schedule{
		Id: s.ID, AtMs: s.At.UnixMilli(), Device: s.Device, Kind: string(s.Kind), FallbackSpeech: s.Fallback,
	}
	if s.Payload != nil {
		payload, err := marshal(fmt.Sprintf("the payload of schedule %q", s.ID), s.Payload, MaxPayload)
		a.fail(err)
		set.Payload = payload
	}
	a.fail(checkSpeech(fmt.Sprintf("the fallback of schedule %q", s.ID), s.Fallback))
	a.schedules = append(a.schedules, &assistantv1.ScheduleChange{
		Change: &assistantv1.ScheduleChange_Set{Set: set},
	})
	return a
}

// CancelSchedule cancels a schedule of the skill in this home. Cancelling one
// that is gone is no error.
func (a *Answer) CancelSchedule(id string) *Answer {
	if id == "" {
		a.fail(errors.New("cancel a schedule: the id is empty"))
	}
	a.schedules = append(a.schedules, &assistantv1.ScheduleChange{
		Change: &assistantv1.ScheduleChange_Cancel{Cancel: id},
	})
	return a
}

// Tell speaks to a device of the home without being asked.
func (a *Answer) Tell(m Message) *Answer {
	if m.Speech == "" {
		a.fail(errors.New("tell a device: the speech is empty"))
	}
	a.fail(checkSpeech("a message to a device", m.Speech))
	if m.Kind == "" {
		m.Kind = Announcement
	}
	a.messages = append(a.messages, &assistantv1.Say{
		Device: m.Device, Speech: m.Speech, Locale: m.Lang, Kind: string(m.Kind),
	})
	return a
}

// Command has an entity of the call do something: "turn_on" with
// {"brightness": 40}. The entity must be available. The command is sent when the
// answer is spoken; whether it was carried out shows in the entity's state later,
// so say no more than that it was asked for.
func (a *Answer) Command(entity, service string, args map[string]any) *Answer {
	if entity == "" || service == "" {
		a.fail(fmt.Errorf("command %q to entity %q: both must have a name", service, entity))
	}
	c := &assistantv1.Command{Entity: entity, Service: service}
	if len(args) > 0 {
		what := fmt.Sprintf("the arguments of command %q", service)
		_, err := marshal(what, args, MaxArgs)
		a.fail(err)
		if len(args) > maxArgs {
			a.fail(fmt.Errorf("%s are %d: %d at most", what, len(args), maxArgs))
		}
		c.Args, err = structpb.NewStruct(args)
		if err != nil {
			a.fail(fmt.Errorf("%s: %w", what, err))
		}
	}
	a.commands = append(a.commands, c)
	return a
}

// Schedule is a call of the skill at a later time.
type Schedule struct {
	ID string    // unique within the skill and home
	At time.Time // when it is due
	// Device is where the speech goes; empty: the device of this call.
	Device string
	// Payload comes back from [Payload]; it is stored as JSON.
	Payload any
	Kind    Kind
	// Fallback is said should the skill fail at that time, so that an alarm still
	// rings.
	Fallback string
}

// Message is speech for a device.
type Message struct {
	Device string // empty: the device of this call
	Speech string
	Lang   string // empty: the language of this call
	Kind   Kind   // empty: Announcement
}

// Kind tells a device what it is told, so that it can ring accordingly.
type Kind string

// The kinds of speech that nobody asked for.
const (
	Timer        Kind = "timer"
	Alarm        Kind = "alarm"
	Reminder     Kind = "reminder"
	Announcement Kind = "announcement"
)

func (a *Answer) fail(err error) {
	if err != nil {
		a.errs = append(a.errs, err)
	}
}

// response puts the answer on the wire.
func (a *Answer) response() (*assistantv1.InvokeResponse, error) {
	if len(a.commands) > MaxCommands {
		a.fail(fmt.Errorf("the answer has %d commands: %d at most", len(a.commands), MaxCommands))
	}
	err := errors.Join(append(a.errs, checkSpeech("the answer", a.speech))...)
	if err != nil {
		return nil, err
	}
	return &assistantv1.InvokeResponse{
		Speech: a.speech, State: a.state, Schedules: a.schedules, Messages: a.messages, Commands: a.commands,
	}, nil
}

func checkSpeech(what, speech string) error {
	if n := utf8.RuneCountInString(speech); n > MaxSpeech {
		return fmt.Errorf("%s has %d characters: %d at most", what, n, MaxSpeech)
	}
	if !utf8.ValidString(speech) {
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	return nil
}

func marshal(what string, v any, limit int) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("store %s as JSON: %w", what, err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s has %d bytes as JSON: %d at most", what, len(data), limit)
	}
	return data, nil
}
