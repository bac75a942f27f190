// Package skilltest runs a skill in memory in a Go test: intents and the
// passing of time come in, answers, schedules and state go out.
//
// It plays Hark's part of the contract over real gRPC, and must not know the
// skill's insides. What it does not do is understand sentences: those have their
// own `tests:` in sentences/<lang>.yaml, which run when the skill is deployed.
package skilltest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	assistantv1 "github.com/hark-voice/hark/proto/assistant/v1"
	"github.com/hark-voice/hark/skills"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"
)

// timeout is the default of limits.timeout in skill.yaml.
const timeout = 5 * time.Second

// TB is the part of testing.TB that is needed.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Tester is a home with devices and one skill. Its state and schedules last
// from call to call. It is not safe for concurrent use.
type Tester struct {
	tb     TB
	client assistantv1.SkillClient
	folder folder

	now                time.Time
	home, device, area string
	lang               string
	calls              int
	states             map[string]*assistantv1.State // by home
	schedules          map[scheduleKey]schedule
	entities           map[string][]*assistantv1.Entity // by home
}

type scheduleKey struct{ home, id string }

type schedule struct {
	*assistantv1.Schedule

	lang string
}

// New starts a skill, and first checks that its folder and its handlers agree:
// every intent of skill.yaml has a handler and every handler an intent.
//
// It is Monday, 1 January 2024, 12:00 UTC, in the home "home", which speaks
// English to the device "speaker".
func New(tb TB, s skills.Skill) *Tester {
	tb.Helper()
	if s.Files == nil {
		s.Files = os.DirFS(".")
	}
	folder, err := readFolder(s.Files)
	if err == nil {
		err = folder.check(s)
	}
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return &Tester{
		tb: tb, folder: folder, client: start(tb, s),
		now:  time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC),
		home: "home", device: "speaker", lang: "en",
		states: make(map[string]*assistantv1.State), schedules: make(map[scheduleKey]schedule),
		entities: make(map[string][]*assistantv1.Entity),
	}
}

// start serves the skill over an in-memory connection until the test ends.
func start(tb TB, s skills.Skill) assistantv1.SkillClient {
	tb.Helper()
	l := bufconn.Listen(1 << 16)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- skills.Run(ctx, s, l) }()
	conn, err := grpc.NewClient("passthrough:///skill",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		cancel()
		tb.Fatalf("connect to the skill: %v", err)
	}
	tb.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := <-ended; err != nil {
			tb.Fatalf("run the skill: %v", err)
		}
	})
	return assistantv1.NewSkillClient(conn)
}

// At sets the clock, and the home's time zone to that of t, without firing schedules.
func (t *Tester) At(now time.Time) *Tester {
	t.now = now
	return t
}

// Home moves to another home of the same skill.
func (t *Tester) Home(id string) *Tester {
	t.home = id
	return t
}

// Device speaks to another device of the home.
func (t *Tester) Device(id string) *Tester {
	t.device = id
	return t
}

// Area puts the device in a room.
func (t *Tester) Area(area string) *Tester {
	t.area = area
	return t
}

// Lang speaks another language (BCP 47).
func (t *Tester) Lang(lang string) *Tester {
	t.lang = lang
	return t
}

// SlotValue is a slot of an intent.
type SlotValue struct {
	name  string
	value any
}

// Slot gives an intent a value: a string, a number, a bool, a time.Duration,
// which travels as seconds, or a time.Time, which travels as a {time} in the
// home's zone. A {date} is given as a string, "2026-11-25".
func Slot(name string, value any) SlotValue { return SlotValue{name, value} }

// Answer is what the skill answered.
type Answer struct {
	Speech    string
	Set       []Schedule // schedules set
	Cancelled []string   // ids of schedules cancelled
	Messages  []Say
	Commands  []Command
}

// Schedule is one that the skill set.
type Schedule struct {
	ID       string
	At       time.Time
	Device   string
	Kind     skills.Kind
	Fallback string
}

// Command is what an entity was asked to do.
type Command struct {
	Entity  string
	Service string
	Args    map[string]any // nil: none
}

// Say is speech that nobody asked for.
type Say struct {
	At     time.Time
	Device string
	Lang   string
	Speech string
	Kind   skills.Kind
}

// Intent has the skill answer an intent. The test ends if it fails to.
func (t *Tester) Intent(name string, slots ...SlotValue) *Answer {
	t.tb.Helper()
	answer, err := t.Try(name, slots...)
	if err != nil {
		t.tb.Fatalf("intent %s: %v", name, err)
	}
	return answer
}

// Try is Intent for a test that expects an error.
func (t *Tester) Try(name string, slots ...SlotValue) (*Answer, error) {
	t.tb.Helper()
	intent := &assistantv1.IntentRequest{Name: name, Confidence: 1, Slots: make(map[string]*assistantv1.Slot)}
	for _, s := range slots {
		value, err := structpb.NewValue(t.plain(s.value))
		if err != nil {
			t.tb.Fatalf("slot %s: %v", s.name, err)
		}
		intent.Slots[s.name] = &assistantv1.Slot{Value: value, Text: fmt.Sprint(s.value)}
	}
	req := t.request(t.now, t.device, t.lang)
	req.Request = &assistantv1.InvokeRequest_Intent{Intent: intent}
	resp, err := t.invoke(req)
	if err != nil {
		return nil, err
	}
	return t.answer(req, resp), nil
}

// Advance moves the clock and returns what was said meanwhile: by schedules,
// which fire when they are due, in that order. A schedule whose handler fails
// says its fallback; without one the test ends.
func (t *Tester) Advance(d time.Duration) []Say {
	t.tb.Helper()
	end := t.now.Add(d)
	var said []Say
	for {
		key, due, ok := t.nextDue(end)
		if !ok {
			t.now = end
			return said
		}
		if at := time.UnixMilli(due.GetAtMs()); at.After(t.now) {
			t.now = at.In(t.now.Location())
		}
		delete(t.schedules, key)
		said = append(said, t.fire(key, due)...)
	}
}

// Schedules lists what is to fire in the present home, earliest first.
func (t *Tester) Schedules() []Schedule {
	var list []Schedule
	for key, s := range t.schedules {
		if key.home == t.home {
			list = append(list, t.schedule(s.Schedule))
		}
	}
	slices.SortFunc(list, func(a, b Schedule) int {
		return 2*a.At.Compare(b.At) + strings.Compare(a.ID, b.ID)
	})
	return list
}

// State returns the skill's state in the present home as JSON; empty: none.
func (t *Tester) State() string { return string(t.states[t.home].GetValue()) }

func (t *Tester) fire(key scheduleKey, s schedule) []Say {
	t.tb.Helper()
	req := t.request(t.now, s.GetDevice(), s.lang)
	req.Home, req.State, req.Entities = key.home, t.states[key.home], t.visible(key.home)
	req.Request = &assistantv1.InvokeRequest_Event{Event: &assistantv1.EventRequest{
		Event: &assistantv1.EventRequest_Schedule{Schedule: &assistantv1.ScheduleEvent{
			Id: s.GetId(), DueMs: s.GetAtMs(), Payload: s.GetPayload(),
		}},
	}}
	say := Say{At: t.now, Device: s.GetDevice(), Lang: s.lang, Kind: skills.Kind(s.GetKind())}
	resp, err := t.invoke(req)
	if err != nil {
		if s.GetFallbackSpeech() == "" {
			t.tb.Fatalf("schedule %s: %v", s.GetId(), err)
		}
		say.Speech = s.GetFallbackSpeech()
		return []Say{say}
	}
	answer := t.answer(req, resp)
	if say.Speech = answer.Speech; say.Speech == "" {
		return answer.Messages
	}
	return append([]Say{say}, answer.Messages...)
}

func (t *Tester) request(now time.Time, device, lang string) *assistantv1.InvokeRequest {
	t.calls++
	return &assistantv1.InvokeRequest{
		InvocationId: fmt.Sprintf("invocation-%d", t.calls), TurnId: fmt.Sprintf("turn-%d", t.calls),
		NowMs: now.UnixMilli(), DeadlineMs: now.Add(timeout).UnixMilli(),
		TimeZone: now.Location().String(), Locale: lang,
		Home: t.home, Device: device, Area: t.area, State: t.states[t.home],
		Entities: t.visible(t.home),
	}
}

func (t *Tester) invoke(req *assistantv1.InvokeRequest) (*assistantv1.InvokeResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return t.client.Invoke(ctx, req)
}

// answer applies what a response asks for.
func (t *Tester) answer(req *assistantv1.InvokeRequest, resp *assistantv1.InvokeResponse) *Answer {
	t.tb.Helper()
	if resp.GetState() != nil {
		if !t.folder.keepsState() {
			t.tb.Fatalf("the skill set its state, but skill.yaml has no `state: home`")
		}
		t.states[req.GetHome()] = &assistantv1.State{
			Revision: req.GetState().GetRevision() + 1, Value: resp.GetState().GetValue(),
		}
	}
	answer := &Answer{Speech: resp.GetSpeech()}
	for _, change := range resp.GetSchedules() {
		set := change.GetSet()
		if set == nil {
			delete(t.schedules, scheduleKey{req.GetHome(), change.GetCancel()})
			answer.Cancelled = append(answer.Cancelled, change.GetCancel())
			continue
		}
		if set.GetDevice() == "" {
			set.Device = req.GetDevice()
		}
		t.schedules[scheduleKey{req.GetHome(), set.GetId()}] = schedule{set, req.GetLocale()}
		answer.Set = append(answer.Set, t.schedule(set))
	}
	for _, c := range resp.GetCommands() {
		answer.Commands = append(answer.Commands, t.command(req, c))
	}
	for _, m := range resp.GetMessages() {
		say := Say{At: t.now, Device: m.GetDevice(), Lang: m.GetLocale(), Speech: m.GetSpeech(), Kind: skills.Kind(m.GetKind())}
		if say.Device == "" {
			say.Device = req.GetDevice()
		}
		if say.Lang == "" {
			say.Lang = req.GetLocale()
		}
		answer.Messages = append(answer.Messages, say)
	}
	return answer
}

func (t *Tester) schedule(s *assistantv1.Schedule) Schedule {
	return Schedule{
		ID: s.GetId(), At: time.UnixMilli(s.GetAtMs()).In(t.now.Location()), Device: s.GetDevice(),
		Kind: skills.Kind(s.GetKind()), Fallback: s.GetFallbackSpeech(),
	}
}

func (t *Tester) nextDue(end time.Time) (scheduleKey, schedule, bool) {
	keys := slices.SortedFunc(maps.Keys(t.schedules), func(a, b scheduleKey) int {
		if d := t.schedules[a].GetAtMs() - t.schedules[b].GetAtMs(); d != 0 {
			return int(d)
		}
		return strings.Compare(a.home+"/"+a.id, b.home+"/"+b.id)
	})
	if len(keys) == 0 || t.schedules[keys[0]].GetAtMs() > end.UnixMilli() {
		return scheduleKey{}, schedule{}, false
	}
	return keys[0], t.schedules[keys[0]], true
}

// plain is a value as the wire has it.
func (t *Tester) plain(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return v.Seconds()
	case time.Time:
		return v.In(t.now.Location()).Format("2006-01-02T15:04:05")
	default:
		return v
	}
}
