package router

import (
	"context"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/dialogue"
	"github.com/hark-voice/hark/functions/household"
	"github.com/hark-voice/hark/functions/nlu"
)

// turn is a turn on its way: what the store will hold, and what only the road needs.
type turn struct {
	*assistant.Turn
	asked      *assistant.Utterance // nil for a firing
	fired      *assistant.Schedule  // nil for an utterance
	view       *household.View
	speaker    assistant.Device
	lang       string
	session    dialogue.Session
	snapshot   *catalog.Snapshot
	skill      *catalog.Skill
	parts      []nlu.Part // what was asked for, where that is more than one thing
	confidence float64    // of these
	stage      time.Time  // start of the current stage, for the trace (monotonic)
}

func (r *Router) begin(u *assistant.Utterance, id string) *turn {
	kind := assistant.KindUtterance
	if u.Intent != nil {
		kind = assistant.KindIntent
	}
	t := &turn{
		Turn: &assistant.Turn{
			ID: id, Kind: kind, Home: u.Home, Device: u.Device, Message: u.ID, Digest: u.Digest,
			Text: u.Text, Received: u.Received, ReplyTo: u.ReplyTo,
		},
		asked: u, lang: u.Lang, session: dialogue.Open(u, id),
		snapshot: r.Catalog.Current(), stage: time.Now(),
	}
	return t
}

func (r *Router) beginFiring(s *assistant.Schedule, id string) *turn {
	t := &turn{
		Turn: &assistant.Turn{
			ID: id, Kind: assistant.KindSchedule, Home: s.Home, Device: s.Device,
			Schedule: &s.ScheduleKey, Received: r.Clock.Now(),
		},
		fired: s, lang: s.Lang, session: dialogue.Session{ID: id, New: true},
		snapshot: r.Catalog.Current(), stage: time.Now(),
	}
	t.skill, _ = t.snapshot.Skill(s.Skill)
	return t
}

// note ends a stage of the trace.
func (t *turn) note(name, detail string) {
	now := time.Now()
	t.Trace = append(t.Trace, assistant.Stage{Name: name, Micros: now.Sub(t.stage).Microseconds(), Detail: detail})
	t.stage = now
}

// expired tells whether it is too late to start: what a person said that long
// ago must not move anything now.
func (r *Router) expired(u *assistant.Utterance) *assistant.Error {
	now := r.Clock.Now()
	switch {
	case u == nil: // a schedule: it fires late rather than never
		return nil
	case now.Sub(u.Received) > r.Limits.StartWithin:
		return assistant.Errorf(assistant.CodeExpired, "it waited %s for its turn, %s at most", now.Sub(u.Received).Round(time.Millisecond), r.Limits.StartWithin)
	case !u.Expires.IsZero() && now.After(u.Expires):
		return assistant.Errorf(assistant.CodeExpired, "the message's expiry passed before it was started")
	case !u.Sent.IsZero() && now.Sub(u.Sent) > r.Limits.StartWithin:
		return assistant.Errorf(assistant.CodeExpired, "its ts is %s old, %s at most; send no ts without a synchronized clock", now.Sub(u.Sent).Round(time.Millisecond), r.Limits.StartWithin)
	}
	return nil
}

// locate finds the home and the device of a turn. A device without a record
// (its credentials prove that it is one) has no room and no language of its own.
func (r *Router) locate(ctx context.Context, t *turn) (err error) {
	if t.view, err = r.Homes.View(ctx, t.Home); err != nil {
		return err
	}
	t.speaker = t.view.Devices[t.Device]
	t.speaker.Home, t.speaker.ID = t.Home, t.Device
	if t.asked != nil && t.asked.Area != "" {
		t.speaker.Area = t.asked.Area
	}
	if t.lang == "" {
		t.lang = t.speaker.Language(t.view.Home)
	}
	return nil
}

// message makes the n-th message that a turn owes to a device.
func (r *Router) message(t *turn, n int, device string, kind assistant.MessageKind, created time.Time, lasts time.Duration) assistant.Message {
	return assistant.Message{
		ID: assistant.EffectID(t.ID, n), Home: t.Home, Device: device, Kind: kind,
		Created: created, Expires: created.Add(lasts),
	}
}

// withReply adds the reply to a turn and to its commit, as the first message.
func (r *Router) withReply(t *turn, c *assistant.Commit, reply *assistant.Reply) {
	t.Reply = reply
	if t.asked.Direct {
		return // the caller takes it from the turn
	}
	m := r.message(t, 0, t.Device, assistant.MessageReply, r.Clock.Now(), r.Limits.ReplyExpires)
	m.Reply, m.ReplyTo = reply, t.ReplyTo
	c.Messages = append(c.Messages, m)
}

// refuse makes the commit of a turn that ends in an error. A schedule is heard
// even so.
func (r *Router) refuse(t *turn, e *assistant.Error) *assistant.Commit {
	t.note("refuse", e.Error())
	c := &assistant.Commit{Turn: t.Turn}
	if t.fired != nil {
		speech := t.fired.Fallback
		if speech == "" {
			speech = r.phrases.Due(t.lang)
		}
		t.Reply = &assistant.Reply{Turn: t.ID, Session: t.session.ID, Speech: speech, Lang: t.lang, Expect: assistant.ExpectNone, Error: e}
		c.Fired = t.fired
		r.say(t, c, assistant.DeviceSay{Say: assistant.Say{Speech: speech}})
		return c
	}
	r.withReply(t, c, r.phrases.Refuse(t.asked, t.ID, t.session, t.lang, e))
	return c
}

// accept makes the commit of a turn that a skill answered.
func (r *Router) accept(t *turn, state assistant.State, a *assistant.Answer) (*assistant.Commit, error) {
	c := &assistant.Commit{Turn: t.Turn, Fired: t.fired, Set: a.Set}
	for i := range c.Set {
		c.Set[i].By = t.ID
		if soonest := r.Clock.Now().Add(r.Limits.Recurrence); t.fired != nil && c.Set[i].Due.Before(soonest) {
			c.Set[i].Due = soonest // a skill that fires itself must not become a loop
		}
	}
	if a.State != nil {
		c.State = &assistant.StateChange{Key: stateKey(t), Base: state.Revision, Value: a.State}
	}
	for _, id := range a.Cancel {
		c.Cancel = append(c.Cancel, assistant.ScheduleKey{Home: t.Home, Skill: t.skill.Name, ID: id})
	}
	says := a.Says
	if t.fired != nil {
		t.Reply = &assistant.Reply{Turn: t.ID, Session: t.session.ID, Speech: a.Speech, Lang: t.lang, Expect: assistant.ExpectNone}
		if a.Speech != "" {
			says = append([]assistant.DeviceSay{{Say: assistant.Say{Speech: a.Speech}}}, says...)
		}
	} else {
		r.withReply(t, c, dialogue.Reply(t.asked, t.ID, t.session, t.lang, a))
	}
	t.Reply.Skill, t.Reply.Version = t.skill.Name, t.skill.ID
	for _, s := range says {
		r.say(t, c, s)
	}
	t.Commands = nil // of an attempt before
	for _, command := range a.Commands {
		if err := r.command(t, c, command); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// command adds a command to the device that answers for its entity.
func (r *Router) command(t *turn, c *assistant.Commit, command assistant.Command) error {
	device := ""
	for _, e := range t.view.Entities {
		if e.ID == command.Entity {
			device = e.Device
		}
	}
	if device == "" {
		return assistant.Errorf(assistant.CodeSkillFailed, "entity %s belongs to no device: `hark entity add %s %s --device DEVICE`", command.Entity, t.Home, command.Entity)
	}
	m := r.message(t, t.effects(c), device, assistant.MessageCommand, r.Clock.Now(), r.Limits.CommandExpires)
	m.Command = &command
	c.Messages = append(c.Messages, m)
	t.Commands = append(t.Commands, assistant.Issued{ID: m.ID, Device: device, Command: command})
	return nil
}

// effects numbers the next message of a turn: 0 is always the reply.
func (t *turn) effects(c *assistant.Commit) int {
	if t.asked != nil && t.asked.Direct {
		return len(c.Messages) + 1
	}
	return len(c.Messages)
}

// say adds speech that was not asked for. One that is due keeps its day from
// then on: what is older is not spoken any more.
func (r *Router) say(t *turn, c *assistant.Commit, s assistant.DeviceSay) {
	device, created := s.Device, r.Clock.Now()
	if device == "" {
		device = t.Device
	}
	if _, known := t.view.Devices[device]; !known && s.Device != "" {
		t.note("say", "not spoken: there is no device "+s.Device)
		return
	}
	if t.fired != nil {
		created = t.fired.Due
		if s.Kind == "" {
			s.Kind = t.fired.Kind
		}
	}
	if s.Lang == "" {
		s.Lang = t.lang
	}
	m := r.message(t, t.effects(c), device, assistant.MessageSay, created, r.Limits.SayExpires)
	if device == "" || r.Clock.Now().After(m.Expires) {
		t.note("say", "not spoken: no device, or too late")
		return
	}
	say := s.Say
	m.Say = &say
	c.Messages = append(c.Messages, m)
}

func withoutEffects(c *assistant.Commit) bool {
	return c.State == nil && c.Fired == nil && len(c.Set) == 0 && len(c.Cancel) == 0 &&
		(len(c.Messages) == 0 || len(c.Messages) == 1 && c.Messages[0].Kind == assistant.MessageReply)
}
