package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/router"
	"github.com/hark-voice/hark/functions/sqlite"
)

// road is a router on a real store, with skills that are functions of the test.
type road struct {
	*router.Router
	store  *sqlite.Store
	clock  *assistant.ManualClock
	post   *post
	invoke func(call *assistant.Call) (*assistant.Answer, error)
	calls  []assistant.Call
	mu     sync.Mutex
}

func (r *road) Invoke(_ context.Context, call *assistant.Call) (*assistant.Answer, []assistant.Invocation, error) {
	r.mu.Lock()
	r.calls = append(r.calls, *call)
	r.mu.Unlock()
	a, err := r.invoke(call)
	outcome := assistant.OutcomeOK
	if err != nil {
		outcome = assistant.OutcomeFailed
	}
	return a, []assistant.Invocation{{Skill: call.Skill, Version: call.Version, Outcome: outcome, Wall: time.Millisecond, MemoryMiB: 64}}, err
}

// post records what goes to devices.
type post struct {
	mu                   sync.Mutex
	early, durable, sent []assistant.Message
	quick                bool // devices acknowledge at once
}

func (p *post) Deliver(m assistant.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.durable = append(p.durable, m)
}

func (p *post) DeliverEarly(m assistant.Message) router.Early {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.early = append(p.early, m)
	return earlyPost{p, m}
}

type earlyPost struct {
	*post

	m assistant.Message
}

func (p earlyPost) Delivered() bool { return p.quick }
func (p earlyPost) Owed()           { p.Deliver(p.m) }

func (p *post) Send(m assistant.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
}

const countYAML = `hark: 1
name: count
version: 1.0.0
runtime: {go: .}
languages: [en, zh-CN]
state: home
triggers: {intents: [AddOne, Now]}
`

const peekYAML = `hark: 1
name: peek
version: 1.0.0
runtime: {go: .}
languages: [en]
triggers: {intents: [Peek]}
`

// stateless is a skill that keeps nothing.
func stateless(t *testing.T) *catalog.Skill {
	t.Helper()
	k, err := manifest.Decode([]byte(peekYAML), map[string][]byte{"en": []byte("language: en\nintents:\n  Peek: [peek]\n")})
	if err != nil {
		t.Fatal(err)
	}
	return &catalog.Skill{Skill: k, ID: "1.0.0-def"}
}

func skill(t *testing.T) *catalog.Skill {
	t.Helper()
	k, err := manifest.Decode([]byte(countYAML), map[string][]byte{
		"en":    []byte("language: en\nintents:\n  AddOne: [add one]\n  Now: [what now]\n"),
		"zh-CN": []byte("language: zh-CN\nintents:\n  AddOne: [加一]\n  Now: [现在呢]\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &catalog.Skill{Skill: k, ID: "1.0.0-abc"}
}

func newRoad(t *testing.T) *road {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "hark.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	snapshot, err := catalog.Build(skill(t), stateless(t))
	if err != nil {
		t.Fatal(err)
	}
	skills, err := catalog.New()
	if err != nil {
		t.Fatal(err)
	}
	skills.Publish(snapshot)
	r := &road{store: store, clock: assistant.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), post: &post{}, invoke: addOne}
	r.Router, err = router.New(router.Options{Store: store, Homes: homes(t, store, r.clock), Invoker: r, Postman: r.post, Catalog: skills, Clock: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutHome(t.Context(), assistant.Home{ID: "demo", Zone: "UTC", Lang: "en"}); err != nil {
		t.Fatal(err)
	}
	return r
}

// homes are those of a store, read anew for every turn.
func homes(t *testing.T, store household.Store, clock assistant.Clock) *household.Household {
	t.Helper()
	h, err := household.New(household.Options{Store: store, Clock: clock, FreshFor: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// addOne is the skill of these tests.
func addOne(call *assistant.Call) (*assistant.Answer, error) {
	if call.Fired != nil {
		return &assistant.Answer{Speech: "ring"}, nil
	}
	n := 0
	if call.State.Value != nil {
		if err := json.Unmarshal(call.State.Value, &n); err != nil {
			return nil, err
		}
	}
	if call.Intent.Name == "Now" || call.Intent.Name == "Peek" {
		return &assistant.Answer{Speech: fmt.Sprint(n)}, nil
	}
	return &assistant.Answer{Speech: fmt.Sprint(n + 1), State: json.RawMessage(fmt.Sprint(n + 1))}, nil
}

func (r *road) utterance(id, text string) *assistant.Utterance {
	return &assistant.Utterance{Home: "demo", Device: "speaker", ID: id, Digest: text, Text: text, Received: r.clock.Now()}
}

func (r *road) say(t *testing.T, id, text string) *assistant.Turn {
	t.Helper()
	turn, err := r.Utterance(t.Context(), r.utterance(id, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return turn
}

func TestATurnWithoutEffectsAnswersBeforeItsCommit(t *testing.T) {
	r := newRoad(t)
	r.say(t, "a1", "peek")
	if len(r.post.early) != 1 || len(r.post.durable) != 1 || r.post.early[0].ID != r.post.durable[0].ID {
		t.Errorf("early %+v, durable %+v", r.post.early, r.post.durable)
	}
}

// What a device has acknowledged by the time of the commit is not owed to it.
func TestAReplyThatArrivedBeforeItsCommitIsNotOwed(t *testing.T) {
	r := newRoad(t)
	r.post.quick = true
	turn := r.say(t, "a1", "peek")
	owed, err := r.store.Owed(t.Context(), turn.Home, turn.Device, 10)
	if err != nil || len(owed) != 0 || len(r.post.early) != 1 || len(r.post.durable) != 0 {
		t.Errorf("early %+v, durable %+v, in the store %+v, %v", r.post.early, r.post.durable, owed, err)
	}
}

// Taken again after a crash it might read another state, and say the opposite
// under the same id.
func TestATurnThatReadAStateAnswersAfterItsCommit(t *testing.T) {
	r := newRoad(t)
	r.say(t, "a1", "what now")
	if len(r.post.early) != 0 || len(r.post.durable) != 1 {
		t.Errorf("early %+v, durable %+v", r.post.early, r.post.durable)
	}
}

func TestATurnWithEffectsAnswersAfterItsCommit(t *testing.T) {
	r := newRoad(t)
	turn := r.say(t, "a1", "add one")
	if len(r.post.early) != 0 || len(r.post.durable) != 1 {
		t.Errorf("early %+v, durable %+v", r.post.early, r.post.durable)
	}
	stored, err := r.store.FindTurn(t.Context(), turn.ID)
	if err != nil || stored.Reply.Speech != "1" || len(stored.Invocations) != 1 {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestTheSameMessageIsTheSameTurn(t *testing.T) {
	r := newRoad(t)
	first := r.say(t, "a1", "add one")
	r.clock.Advance(23 * time.Hour)
	again := r.say(t, "a1", "add one")
	if again.ID != first.ID || len(r.calls) != 1 {
		t.Errorf("turn %s then %s, %d calls", first.ID, again.ID, len(r.calls))
	}
	if len(r.post.sent) != 1 || r.post.sent[0].Reply.Speech != "1" {
		t.Errorf("the reply was not sent again: %+v", r.post.sent)
	}
}

func TestAnIdMayBeUsedAnewAfterADay(t *testing.T) {
	r := newRoad(t)
	r.say(t, "a1", "add one")
	r.clock.Advance(24*time.Hour + time.Second)
	if turn := r.say(t, "a1", "add one"); turn.Reply.Speech != "2" {
		t.Errorf("answer %q, want 2", turn.Reply.Speech)
	}
}

func TestAReusedIdIsRefusedAndChangesNothing(t *testing.T) {
	r := newRoad(t)
	r.say(t, "a1", "add one")
	turn := r.say(t, "a1", "what now")
	if turn.Reply.Error == nil || turn.Reply.Error.Code != assistant.CodeBadRequest || turn.Reply.ID != "a1" || len(r.calls) != 1 {
		t.Errorf("reply %+v, %d calls", turn.Reply, len(r.calls))
	}
	if turn := r.say(t, "a2", "what now"); turn.Reply.Speech != "1" {
		t.Errorf("the count is %s, want 1", turn.Reply.Speech)
	}
}

func TestRedeliveriesAtTheSameTimeAreOneTurn(t *testing.T) {
	r := newRoad(t)
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			if _, err := r.Utterance(t.Context(), r.utterance("a1", "add one")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(r.calls) != 1 {
		t.Errorf("%d calls, want 1", len(r.calls))
	}
}

func TestTurnsThatRaceOnOneStateAllCount(t *testing.T) {
	r := newRoad(t)
	const n = 32
	speeches := make(chan string, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			turn, err := r.Utterance(t.Context(), r.utterance(fmt.Sprint("a", i), "add one"))
			if err != nil {
				t.Error(err)
				return
			}
			speeches <- turn.Reply.Speech
		})
	}
	wait.Wait()
	close(speeches)
	heard := map[string]bool{}
	for s := range speeches {
		heard[s] = true
	}
	for i := 1; i <= n; i++ {
		if !heard[fmt.Sprint(i)] {
			t.Errorf("nobody was told %d", i)
		}
	}
	if len(r.calls) != n {
		t.Errorf("%d calls for %d turns", len(r.calls), n)
	}
}

func TestAStateThatAnotherRouterChangedIsReadAgain(t *testing.T) {
	r := newRoad(t)
	meddled := 0
	r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
		if meddled < 2 { // another router commits between our read and our commit
			meddled++
			key := assistant.StateKey{Home: "demo", Skill: "count", Scope: "home"}
			other := &assistant.Commit{
				Turn:  &assistant.Turn{ID: fmt.Sprint("other", meddled), Home: "demo", Received: r.clock.Now()},
				State: &assistant.StateChange{Key: key, Base: call.State.Revision, Value: json.RawMessage("10")},
			}
			if err := r.store.Commit(t.Context(), other); err != nil {
				t.Error(err)
			}
		}
		return addOne(call)
	}
	turn := r.say(t, "a1", "add one")
	if turn.Reply.Speech != "11" || len(turn.Invocations) != 3 {
		t.Errorf("answer %q after %d invocations, want 11 after 3", turn.Reply.Speech, len(turn.Invocations))
	}
	ids := map[string]bool{}
	for _, i := range turn.Invocations {
		ids[i.ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("invocation ids are not unique: %+v", turn.Invocations)
	}
}

func TestAStateThatKeepsChangingEndsBusy(t *testing.T) {
	r := newRoad(t)
	n := 0
	r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
		n++
		other := &assistant.Commit{
			Turn:  &assistant.Turn{ID: fmt.Sprint("other", n), Home: "demo", Received: r.clock.Now()},
			State: &assistant.StateChange{Key: assistant.StateKey{Home: "demo", Skill: "count", Scope: "home"}, Base: call.State.Revision, Value: json.RawMessage("10")},
		}
		if err := r.store.Commit(t.Context(), other); err != nil {
			t.Error(err)
		}
		return addOne(call)
	}
	if turn := r.say(t, "a1", "add one"); turn.Reply.Error == nil || turn.Reply.Error.Code != assistant.CodeBusy || n != 3 {
		t.Errorf("reply %+v after %d invocations", turn.Reply, n)
	}
}

func TestErrorsAreSpokenInTheLanguageOfTheUser(t *testing.T) {
	for name, c := range map[string]struct {
		text, lang string
		code       assistant.Code
		speech     string
	}{
		"nonsense":         {"colorless green ideas", "", assistant.CodeNotUnderstood, "Sorry"},
		"Chinese nonsense": {"无色的绿色念头", "zh-CN", assistant.CodeNotUnderstood, "抱歉"},
		"other language":   {"quelle heure est-il", "fr", assistant.CodeUnsupportedLanguage, "Sorry"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoad(t)
			u := r.utterance("a1", c.text)
			u.Lang = c.lang
			turn, err := r.Utterance(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			if turn.Reply.Error == nil || turn.Reply.Error.Code != c.code || !strings.HasPrefix(turn.Reply.Speech, c.speech) {
				t.Errorf("reply %+v", turn.Reply)
			}
			if len(turn.Invocations) != 0 {
				t.Errorf("%d invocations", len(turn.Invocations))
			}
		})
	}
}

func TestASentenceInAnotherLanguageThanTheDevicesIsUnderstood(t *testing.T) {
	r := newRoad(t)
	if turn := r.say(t, "a1", "加一"); turn.Reply.Lang != "zh-CN" || turn.Reply.Speech != "1" {
		t.Errorf("reply %+v", turn.Reply)
	}
}

func TestStaleUtterancesMoveNothing(t *testing.T) {
	for name, age := range map[string]func(u *assistant.Utterance, now time.Time){
		"waited too long":   func(u *assistant.Utterance, now time.Time) { u.Received = now.Add(-31 * time.Second) },
		"MQTT 5 expiry":     func(u *assistant.Utterance, now time.Time) { u.Expires = now.Add(-time.Millisecond) },
		"sent too long ago": func(u *assistant.Utterance, now time.Time) { u.Sent = now.Add(-31 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoad(t)
			u := r.utterance("a1", "add one")
			age(u, r.clock.Now())
			turn, err := r.Utterance(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			if turn.Reply.Error == nil || turn.Reply.Error.Code != assistant.CodeExpired || turn.Reply.Speech != "" || len(r.calls) != 0 {
				t.Errorf("reply %+v, %d calls", turn.Reply, len(r.calls))
			}
		})
	}
}

func TestAnUtteranceThatWaitedTooLongForAStateMovesNothing(t *testing.T) {
	r := newRoad(t)
	first := make(chan struct{})
	r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
		close(first)
		r.clock.Advance(2 * time.Second)
		return addOne(call)
	}
	second := r.utterance("a2", "add one")
	second.Expires = r.clock.Now().Add(time.Second)
	var wait sync.WaitGroup
	wait.Go(func() { r.say(t, "a1", "add one") })
	<-first
	turn, err := r.Utterance(t.Context(), second)
	wait.Wait()
	if err != nil || turn.Reply.Error == nil || turn.Reply.Error.Code != assistant.CodeExpired || len(r.calls) != 1 {
		t.Errorf("reply %+v, %v, %d calls", turn.Reply, err, len(r.calls))
	}
}

func TestAScheduleSetAnewForTheSameTimeFiresAnew(t *testing.T) {
	r := newRoad(t)
	due := r.clock.Now().Add(-time.Hour)
	r.invoke = func(call *assistant.Call) (*assistant.Answer, error) {
		if call.Fired != nil {
			return &assistant.Answer{Speech: "ring"}, nil
		}
		return &assistant.Answer{Speech: "set", Set: []assistant.Schedule{schedule(r, due)}}, nil
	}
	for i := range 2 {
		r.say(t, fmt.Sprint("a", i), "add one")
		claimed, err := r.store.ClaimDue(t.Context(), r.clock.Now(), "me", time.Minute, 10)
		if err != nil || len(claimed) != 1 {
			t.Fatalf("round %d: claimed %+v, %v", i, claimed, err)
		}
		if _, err := r.Fire(t.Context(), &claimed[0]); err != nil {
			t.Fatal(err)
		}
	}
	rang := 0
	for _, m := range r.post.durable {
		if m.Say != nil {
			rang++
		}
	}
	if left, err := r.store.Schedules(t.Context(), "demo"); rang != 2 || len(left) != 0 || err != nil {
		t.Errorf("rang %d times, left over %+v, %v", rang, left, err)
	}
}

func TestAScheduleThatSetsItselfIsNoLoop(t *testing.T) {
	r := newRoad(t)
	r.invoke = func(*assistant.Call) (*assistant.Answer, error) {
		return &assistant.Answer{Set: []assistant.Schedule{schedule(r, r.clock.Now().Add(time.Millisecond))}}, nil
	}
	s := schedule(r, r.clock.Now())
	r.set(t, s)
	if _, err := r.Fire(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if next, err := r.store.NextDue(t.Context()); err != nil || next.Before(r.clock.Now().Add(time.Second)) {
		t.Errorf("due again at %v, %v", next, err)
	}
}

func TestASkillThatFailsIsApologizedFor(t *testing.T) {
	r := newRoad(t)
	r.invoke = func(*assistant.Call) (*assistant.Answer, error) { return nil, errors.New("boom: secret detail") }
	turn := r.say(t, "a1", "add one")
	if turn.Reply.Error.Code != assistant.CodeSkillFailed || strings.Contains(turn.Reply.Error.Message, "secret") || len(turn.Invocations) != 1 {
		t.Errorf("reply %+v", turn.Reply)
	}
}

func TestAnIntentOfADeviceNeedsNoSentence(t *testing.T) {
	r := newRoad(t)
	for i, name := range []string{"AddOne", "count.AddOne"} {
		u := r.utterance(fmt.Sprint("a", i), "")
		u.Intent = &assistant.Intent{Name: name}
		turn, err := r.Utterance(t.Context(), u)
		if err != nil || turn.Reply.Speech != fmt.Sprint(i+1) {
			t.Errorf("%s: %+v, %v", name, turn.Reply, err)
		}
	}
	u := r.utterance("a9", "")
	u.Intent = &assistant.Intent{Name: "Unknown"}
	if turn, err := r.Utterance(t.Context(), u); err != nil || turn.Reply.Error.Code != assistant.CodeNoSkill {
		t.Errorf("unknown intent: %+v, %v", turn.Reply, err)
	}
}

func schedule(r *road, due time.Time) assistant.Schedule {
	return assistant.Schedule{
		ScheduleKey: assistant.ScheduleKey{Home: "demo", Skill: "count", ID: "s1"}, Due: due, Device: "speaker", Lang: "en", Kind: "timer", Fallback: "time is up",
	}
}

func (r *road) set(t *testing.T, s assistant.Schedule) {
	t.Helper()
	c := &assistant.Commit{Turn: &assistant.Turn{ID: "setter" + s.Due.String(), Home: "demo", Received: r.clock.Now()}, Set: []assistant.Schedule{s}}
	if err := r.store.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestAScheduleFiresOnce(t *testing.T) {
	r := newRoad(t)
	s := schedule(r, r.clock.Now())
	r.set(t, s)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := r.Fire(t.Context(), &s); err != nil && !errors.Is(err, assistant.ErrGone) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(r.post.durable) != 1 || r.post.durable[0].Say.Speech != "ring" || r.post.durable[0].Say.Kind != "timer" {
		t.Errorf("said %+v", r.post.durable)
	}
}

func TestACancelledScheduleIsSilent(t *testing.T) {
	r := newRoad(t)
	s := schedule(r, r.clock.Now())
	if _, err := r.Fire(t.Context(), &s); !errors.Is(err, assistant.ErrGone) {
		t.Errorf("error %v, want ErrGone", err)
	}
	if len(r.post.durable) != 0 {
		t.Errorf("said %+v", r.post.durable)
	}
}

func TestAScheduleIsHeardWhenItsSkillIsBroken(t *testing.T) {
	r := newRoad(t)
	r.invoke = func(*assistant.Call) (*assistant.Answer, error) { return nil, errors.New("boom") }
	s := schedule(r, r.clock.Now())
	r.set(t, s)
	if _, err := r.Fire(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if len(r.post.durable) != 1 || r.post.durable[0].Say.Speech != "time is up" {
		t.Errorf("said %+v", r.post.durable)
	}
}

func TestAScheduleThatIsADayLateIsNotSpoken(t *testing.T) {
	r := newRoad(t)
	s := schedule(r, r.clock.Now())
	r.set(t, s)
	r.clock.Advance(25 * time.Hour)
	if _, err := r.Fire(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if len(r.post.durable) != 0 {
		t.Errorf("said %+v", r.post.durable)
	}
	if left, err := r.store.Schedules(t.Context(), "demo"); err != nil || len(left) != 0 {
		t.Errorf("left over: %+v, %v", left, err)
	}
}
