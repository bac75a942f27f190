package invoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
)

// The limits of an answer.
const (
	maxResponse   = 1 << 20 // bytes on the wire
	maxSpeech     = 4000    // characters
	maxState      = 64 << 10
	maxSchedules  = 64 // changes per answer
	maxSays       = 64
	maxCommands   = 64
	maxService    = 64      // bytes
	maxArgs       = 64      // fields of a command's args
	maxArgsJSON   = 4 << 10 // bytes
	maxScheduleID = 64      // bytes
	maxPayload    = 4 << 10
	maxLanguage   = 35 // bytes, as BCP 47 asks software to bear
	// A schedule may lie in the past a little, because its answer took time; what
	// is further off is a mistaken unit.
	maxOverdue = 24 * time.Hour
	maxAhead   = 10 * 366 * 24 * time.Hour
)

// newAnswer checks a response against the contract and puts it into the domain's
// words. The error is for the skill's developer.
func newAnswer(call *assistant.Call, r *pb.InvokeResponse) (*assistant.Answer, error) {
	if err := checkSupported(r); err != nil {
		return nil, err
	}
	if err := checkSpeech("speech", r.GetSpeech()); err != nil {
		return nil, err
	}
	a := &assistant.Answer{Speech: r.GetSpeech(), Expect: assistant.ExpectNone, EndSession: r.GetEndSession()}
	if r.GetState() != nil {
		value := r.GetState().GetValue()
		if len(value) > maxState {
			return nil, fmt.Errorf("state has %d bytes: %d are allowed", len(value), maxState)
		}
		if !json.Valid(value) {
			return nil, errors.New("state is not JSON")
		}
		a.State = value
	}
	if err := addSchedules(a, call, r.GetSchedules()); err != nil {
		return nil, err
	}
	if err := addSays(a, call, r.GetMessages()); err != nil {
		return nil, err
	}
	if err := addCommands(a, call, r.GetCommands()); err != nil {
		return nil, err
	}
	return a, nil
}

// checkSupported refuses what the contract has and this version does not do yet:
// an effect that is left out silently would look like one that was done.
func checkSupported(r *pb.InvokeResponse) error {
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"ssml", r.GetSsml() != ""},
		{"card", r.GetCard() != nil},
		{"reprompt", r.GetReprompt() != ""},
		{"a dialogue directive", r.GetDirective() != nil},
		{"session_attributes", r.SessionAttributes != nil},
	} {
		if field.set {
			return unsupported(field.name)
		}
	}
	return nil
}

func unsupported(field string) error {
	return fmt.Errorf("%s: this version of Hark does not support it yet", field)
}

func checkSpeech(field, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not UTF-8", field)
	}
	if n := utf8.RuneCountInString(s); n > maxSpeech {
		return fmt.Errorf("%s has %d characters: %d are allowed", field, n, maxSpeech)
	}
	return nil
}

func addSchedules(a *assistant.Answer, call *assistant.Call, changes []*pb.ScheduleChange) error {
	if len(changes) > maxSchedules {
		return fmt.Errorf("%d changes of schedules: %d are allowed", len(changes), maxSchedules)
	}
	seen := make(map[string]bool, len(changes))
	for i, change := range changes {
		id := ""
		switch c := change.GetChange().(type) {
		case *pb.ScheduleChange_Set:
			schedule, err := newSchedule(call, c.Set)
			if err != nil {
				return fmt.Errorf("schedules[%d]: %w", i, err)
			}
			id = schedule.ID
			a.Set = append(a.Set, schedule)
		case *pb.ScheduleChange_Cancel:
			id = c.Cancel
			if err := checkScheduleID(id); err != nil {
				return fmt.Errorf("schedules[%d]: cancel: %w", i, err)
			}
			a.Cancel = append(a.Cancel, id)
		default:
			return fmt.Errorf("schedules[%d]: it neither sets nor cancels", i)
		}
		if seen[id] { // the order in which both are done is not defined
			return fmt.Errorf("schedules[%d]: id %q is changed twice", i, id)
		}
		seen[id] = true
	}
	return nil
}

func newSchedule(call *assistant.Call, s *pb.Schedule) (assistant.Schedule, error) {
	var none assistant.Schedule
	if err := checkScheduleID(s.GetId()); err != nil {
		return none, err
	}
	if s.GetCron() != "" {
		return none, unsupported("cron")
	}
	if s.GetTimeZone() != "" {
		return none, errors.New("time_zone is only for cron: at_ms has none")
	}
	due := time.UnixMilli(s.GetAtMs())
	if due.Before(call.Now.Add(-maxOverdue)) || due.After(call.Now.Add(maxAhead)) {
		return none, fmt.Errorf("at_ms %d is out of range: give Unix milliseconds, from a day ago to ten years ahead", s.GetAtMs())
	}
	payload := s.GetPayload()
	if len(payload) > maxPayload {
		return none, fmt.Errorf("payload has %d bytes: %d are allowed", len(payload), maxPayload)
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return none, errors.New("payload is not JSON")
	}
	if err := checkSpeech("fallback_speech", s.GetFallbackSpeech()); err != nil {
		return none, err
	}
	if err := checkNames(s.GetDevice(), s.GetKind()); err != nil {
		return none, err
	}
	schedule := assistant.Schedule{
		ScheduleKey: assistant.ScheduleKey{Home: call.Home.ID, Skill: call.Skill, ID: s.GetId()},
		Due:         due,
		Device:      s.GetDevice(),
		Lang:        call.Lang,
		Kind:        s.GetKind(),
		Fallback:    s.GetFallbackSpeech(),
	}
	if len(payload) > 0 {
		schedule.Payload = payload
	}
	if schedule.Device == "" {
		schedule.Device = call.Device.ID
	}
	return schedule, nil
}

func checkScheduleID(id string) error {
	if id == "" || len(id) > maxScheduleID {
		return fmt.Errorf("the id has %d bytes: use 1 to %d", len(id), maxScheduleID)
	}
	for _, c := range id {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return fmt.Errorf("the id %q holds what cannot be printed", id)
		}
	}
	return nil
}

// checkNames checks a device and a kind of speech, which may be empty.
func checkNames(device, kind string) error {
	if device != "" {
		if err := assistant.CheckName(device); err != nil {
			return fmt.Errorf("device: %w", err)
		}
	}
	if kind != "" {
		if err := assistant.CheckName(kind); err != nil {
			return fmt.Errorf("kind: %w", err)
		}
	}
	return nil
}

func addSays(a *assistant.Answer, call *assistant.Call, says []*pb.Say) error {
	if len(says) > maxSays {
		return fmt.Errorf("%d messages: %d are allowed", len(says), maxSays)
	}
	for i, s := range says {
		say, err := newSay(call, s)
		if err != nil {
			return fmt.Errorf("messages[%d]: %w", i, err)
		}
		a.Says = append(a.Says, say)
	}
	return nil
}

func newSay(call *assistant.Call, s *pb.Say) (assistant.DeviceSay, error) {
	say := assistant.DeviceSay{
		Device: s.GetDevice(),
		Say:    assistant.Say{Speech: s.GetSpeech(), Lang: s.GetLocale(), Kind: s.GetKind()},
	}
	if say.Speech == "" {
		return say, errors.New("speech is missing")
	}
	if err := checkSpeech("speech", say.Speech); err != nil {
		return say, err
	}
	if err := checkNames(say.Device, say.Kind); err != nil {
		return say, err
	}
	if say.Device == "" && call.Device.ID == "" {
		return say, errors.New("device is missing: no device asked, so there is none to answer")
	}
	if !utf8.ValidString(say.Lang) || len(say.Lang) > maxLanguage {
		return say, fmt.Errorf("locale %.40q is no language tag", say.Lang)
	}
	if say.Lang == "" {
		say.Lang = call.Lang
	}
	return say, nil
}

// addCommands takes the commands for entities that the skill was shown, and that
// somebody answers for now.
func addCommands(a *assistant.Answer, call *assistant.Call, commands []*pb.Command) error {
	if len(commands) > maxCommands {
		return fmt.Errorf("%d commands: %d are allowed", len(commands), maxCommands)
	}
	for i, c := range commands {
		command, err := newCommand(call, c)
		if err != nil {
			return fmt.Errorf("commands[%d]: %w", i, err)
		}
		a.Commands = append(a.Commands, command)
	}
	return nil
}

func newCommand(call *assistant.Call, c *pb.Command) (assistant.Command, error) {
	command := assistant.Command{Entity: c.GetEntity(), Service: c.GetService()}
	if err := assistant.CheckName(command.Entity); err != nil {
		return command, fmt.Errorf("entity: %w", err)
	}
	i := slices.IndexFunc(call.Entities, func(e assistant.Entity) bool { return e.ID == command.Entity })
	if i < 0 {
		return command, fmt.Errorf("entity %s is not among those of the request: its domain must be in permissions.entities", command.Entity)
	}
	if !available(&call.Entities[i]) {
		return command, fmt.Errorf("entity %s is not available: say so, and send it no command", command.Entity)
	}
	if err := checkService(command.Service); err != nil {
		return command, err
	}
	args := c.GetArgs().GetFields()
	if len(args) == 0 {
		return command, nil
	}
	if len(args) > maxArgs {
		return command, fmt.Errorf("args have %d fields: %d are allowed", len(args), maxArgs)
	}
	command.Args = c.GetArgs().AsMap()
	text, err := json.Marshal(command.Args)
	if err != nil {
		return command, fmt.Errorf("args: %w", err)
	}
	if len(text) > maxArgsJSON {
		return command, fmt.Errorf("args have %d bytes as JSON: %d are allowed", len(text), maxArgsJSON)
	}
	return command, nil
}

func checkService(s string) error {
	if s == "" || len(s) > maxService {
		return fmt.Errorf("service has %d bytes: use 1 to %d", len(s), maxService)
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return fmt.Errorf("service %q: use a-z, 0-9 and _, as in turn_on", s)
		}
	}
	return nil
}
