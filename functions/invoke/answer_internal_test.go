package invoke

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
	pb "github.com/hark-voice/hark/proto/assistant/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

var answerTime = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func answeredCall() *assistant.Call {
	return &assistant.Call{
		Home: assistant.Home{ID: "home1"}, Device: assistant.Device{ID: "kitchen"}, Lang: "en-GB", Skill: "timer", Now: answerTime,
		Entities: []assistant.Entity{
			{ID: "light.desk", Domain: "light", Device: "lamp"},
			{ID: "light.hall", Domain: "light", Device: "lamp", Offline: true},
			{ID: "light.painted", Domain: "light"},
		},
	}
}

func command(change func(*pb.Command)) *pb.InvokeResponse {
	c := &pb.Command{Entity: "light.desk", Service: "turn_on"}
	change(c)
	return &pb.InvokeResponse{Commands: []*pb.Command{c}}
}

func args(n int, value any) *structpb.Struct {
	fields := make(map[string]any, n)
	for i := range n {
		fields[fmt.Sprint(i)] = value
	}
	s, err := structpb.NewStruct(fields)
	if err != nil {
		panic(err)
	}
	return s
}

func set(change func(*pb.Schedule)) *pb.InvokeResponse {
	s := &pb.Schedule{Id: "t1", AtMs: answerTime.Add(time.Minute).UnixMilli()}
	change(s)
	return &pb.InvokeResponse{Schedules: []*pb.ScheduleChange{{Change: &pb.ScheduleChange_Set{Set: s}}}}
}

func cancelOf(ids ...string) *pb.InvokeResponse {
	r := &pb.InvokeResponse{}
	for _, id := range ids {
		r.Schedules = append(r.Schedules, &pb.ScheduleChange{Change: &pb.ScheduleChange_Cancel{Cancel: id}})
	}
	return r
}

func say(change func(*pb.Say)) *pb.InvokeResponse {
	s := &pb.Say{Speech: "dinner"}
	change(s)
	return &pb.InvokeResponse{Messages: []*pb.Say{s}}
}

func state(value string) *pb.InvokeResponse {
	return &pb.InvokeResponse{State: &pb.StateChange{Value: []byte(value)}}
}

func TestAnswersThatBreakTheContract(t *testing.T) {
	many := make([]string, maxSchedules+1)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	unsupported := "does not support it yet"
	for name, c := range map[string]struct {
		response *pb.InvokeResponse
		want     string
	}{
		"speech":             {&pb.InvokeResponse{Speech: strings.Repeat("界", 4001)}, "speech has 4001 characters: 4000 are allowed"},
		"speech not UTF-8":   {&pb.InvokeResponse{Speech: "\xff"}, "speech is not UTF-8"},
		"ssml":               {&pb.InvokeResponse{Ssml: "<speak/>"}, unsupported},
		"card":               {&pb.InvokeResponse{Card: &pb.Card{}}, unsupported},
		"reprompt":           {&pb.InvokeResponse{Reprompt: "well?"}, unsupported},
		"directive":          {&pb.InvokeResponse{Directive: &pb.InvokeResponse_Delegate{Delegate: &pb.Delegate{}}}, unsupported},
		"no entity":          {&pb.InvokeResponse{Commands: []*pb.Command{{}}}, "commands[0]: entity: a name is missing"},
		"bad entity":         {command(func(c *pb.Command) { c.Entity = "a/b" }), "commands[0]: entity: name"},
		"foreign entity":     {command(func(c *pb.Command) { c.Entity = "lock.door" }), "entity lock.door is not among those of the request"},
		"offline entity":     {command(func(c *pb.Command) { c.Entity = "light.hall" }), "entity light.hall is not available"},
		"entity of nobody":   {command(func(c *pb.Command) { c.Entity = "light.painted" }), "entity light.painted is not available"},
		"no service":         {command(func(c *pb.Command) { c.Service = "" }), "service has 0 bytes"},
		"long service":       {command(func(c *pb.Command) { c.Service = strings.Repeat("x", 65) }), "service has 65 bytes: use 1 to 64"},
		"service":            {command(func(c *pb.Command) { c.Service = "turnOn" }), `service "turnOn": use a-z`},
		"many args":          {command(func(c *pb.Command) { c.Args = args(65, 1) }), "args have 65 fields: 64 are allowed"},
		"large args":         {command(func(c *pb.Command) { c.Args = args(1, strings.Repeat("x", 4089)) }), "args have 4097 bytes as JSON"},
		"many commands":      {&pb.InvokeResponse{Commands: make([]*pb.Command, 65)}, "65 commands: 64 are allowed"},
		"session attributes": {&pb.InvokeResponse{SessionAttributes: []byte{}}, unsupported},
		"cron":               {set(func(s *pb.Schedule) { s.Cron = "0 7 * * *" }), unsupported},
		"large state":        {state(`"` + strings.Repeat("x", 64<<10) + `"`), "state has 65538 bytes: 65536 are allowed"},
		"state":              {state("{"), "state is not JSON"},
		"empty state":        {state(""), "state is not JSON"},
		"many schedules":     {cancelOf(many...), "65 changes of schedules: 64 are allowed"},
		"no id":              {set(func(s *pb.Schedule) { s.Id = "" }), "schedules[0]: the id has 0 bytes"},
		"long id":            {cancelOf(strings.Repeat("x", 65)), "cancel: the id has 65 bytes: use 1 to 64"},
		"unprintable id":     {cancelOf("a\nb"), `the id "a\nb" holds what cannot be printed`},
		"twice":              {cancelOf("a", "a"), `schedules[1]: id "a" is changed twice`},
		"empty change":       {&pb.InvokeResponse{Schedules: []*pb.ScheduleChange{{}}}, "neither sets nor cancels"},
		"no time":            {set(func(s *pb.Schedule) { s.AtMs = 0 }), "at_ms 0 is out of range"},
		"seconds":            {set(func(s *pb.Schedule) { s.AtMs = answerTime.Unix() }), "is out of range: give Unix milliseconds"},
		"far ahead":          {set(func(s *pb.Schedule) { s.AtMs *= 2 }), "out of range"},
		"time zone":          {set(func(s *pb.Schedule) { s.TimeZone = "Asia/Shanghai" }), "time_zone is only for cron"},
		"large payload":      {set(func(s *pb.Schedule) { s.Payload = make([]byte, 4097) }), "payload has 4097 bytes"},
		"payload":            {set(func(s *pb.Schedule) { s.Payload = []byte("x") }), "payload is not JSON"},
		"fallback":           {set(func(s *pb.Schedule) { s.FallbackSpeech = strings.Repeat("x", 4001) }), "fallback_speech has 4001"},
		"foreign device":     {set(func(s *pb.Schedule) { s.Device = "../x" }), "device: name"},
		"kind":               {set(func(s *pb.Schedule) { s.Kind = "TIMER" }), "kind: name"},
		"many messages":      {&pb.InvokeResponse{Messages: make([]*pb.Say, 65)}, "65 messages: 64 are allowed"},
		"silent message":     {say(func(s *pb.Say) { s.Speech = "" }), "messages[0]: speech is missing"},
		"long message":       {say(func(s *pb.Say) { s.Speech = strings.Repeat("x", 4001) }), "speech has 4001"},
		"message's device":   {say(func(s *pb.Say) { s.Device = "a/b" }), "messages[0]: device"},
		"message's locale":   {say(func(s *pb.Say) { s.Locale = strings.Repeat("x", 36) }), "is no language tag"},
	} {
		if a, err := newAnswer(answeredCall(), c.response); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %+v, %v, want %q", name, a, err, c.want)
		}
	}
	nobody := answeredCall()
	nobody.Device = assistant.Device{}
	if _, err := newAnswer(nobody, say(func(*pb.Say) {})); err == nil {
		t.Error("a message to no device was taken")
	}
}

func TestAnswerDefaults(t *testing.T) {
	a, err := newAnswer(answeredCall(), say(func(*pb.Say) {}))
	if err != nil || a.Says[0].Lang != "en-GB" || a.Expect != assistant.ExpectNone || a.State != nil {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err = newAnswer(answeredCall(), set(func(s *pb.Schedule) { s.AtMs -= 2 * time.Minute.Milliseconds() }))
	if err != nil || a.Set[0].Device != "kitchen" || a.Set[0].Lang != "en-GB" || a.Set[0].Home != "home1" || a.Set[0].Skill != "timer" || a.Set[0].Payload != nil {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err = newAnswer(answeredCall(), command(func(c *pb.Command) { c.Args = args(2, 40) }))
	want := []assistant.Command{{Entity: "light.desk", Service: "turn_on", Args: map[string]any{"0": 40.0, "1": 40.0}}}
	if err != nil || !reflect.DeepEqual(a.Commands, want) || !a.HasEffects() {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err = newAnswer(answeredCall(), command(func(c *pb.Command) { c.Args = args(0, nil) })); err != nil || a.Commands[0].Args != nil {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err = newAnswer(answeredCall(), &pb.InvokeResponse{})
	if err != nil || a.HasEffects() {
		t.Errorf("an empty response: %+v, %v", a, err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, r := range []*pb.InvokeResponse{
		{Speech: "hello", EndSession: true},
		state(`{"n":1}`), cancelOf("a", "b"), say(func(s *pb.Say) { s.Kind = "timer" }),
		set(func(s *pb.Schedule) { s.Payload = []byte(`{}`) }), command(func(c *pb.Command) { c.Args = args(1, "x") }),
	} {
		raw, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r pb.InvokeResponse
		if proto.Unmarshal(raw, &r) != nil {
			return
		}
		a, err := newAnswer(answeredCall(), &r)
		if err != nil {
			if a != nil {
				t.Error("an answer besides the error")
			}
			return
		}
		if utf8.RuneCountInString(a.Speech) > maxSpeech || a.State != nil && !json.Valid(a.State) {
			t.Errorf("got %+v", a)
		}
		for _, s := range a.Set {
			if s.Home != "home1" || s.Skill != "timer" || s.Due.Year() < 2026 || len(s.ID) > maxScheduleID {
				t.Errorf("schedule %+v", s)
			}
		}
		for _, c := range a.Commands {
			if text, err := json.Marshal(c); err != nil || c.Entity != "light.desk" || c.Service == "" || len(text) > 4<<10+200 {
				t.Errorf("command %+v: %v", c, err)
			}
		}
		if got, want := len(a.Set)+len(a.Cancel)+len(a.Says)+len(a.Commands),
			len(r.GetSchedules())+len(r.GetMessages())+len(r.GetCommands()); got != want {
			t.Errorf("%d of %d effects are left", got, want)
		}
	})
}
