package router

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/dialogue"
	"github.com/hark-voice/hark/functions/household"
)

// Store is what the router needs of the store.
type Store interface {
	FindTurn(ctx context.Context, ids ...string) (*assistant.Turn, error)
	State(ctx context.Context, key assistant.StateKey) (assistant.State, error)
	Commit(ctx context.Context, c *assistant.Commit) error
}

// Homes knows what is in each home.
type Homes interface {
	View(ctx context.Context, home string) (*household.View, error)
}

// Invoker calls skills. The invocations are those that reached the skill, also
// when there is an error.
type Invoker interface {
	Invoke(ctx context.Context, call *assistant.Call) (*assistant.Answer, []assistant.Invocation, error)
}

// Postman brings messages to devices.
type Postman interface {
	// Deliver sends a message that is owed.
	Deliver(m assistant.Message)
	// DeliverEarly sends a message whose turn is not committed yet.
	DeliverEarly(m assistant.Message) Early
	// Send sends a message once, to whoever listens now.
	Send(m assistant.Message)
}

// Early is a message that went out before its turn was durable.
type Early interface {
	// Delivered tells whether the device has acknowledged it.
	Delivered() bool
	// Owed tells that the turn is committed, and the message owed by it.
	Owed()
}

// Options of a Router. All but Logger and the limits must be set.
type Options struct {
	Store   Store
	Homes   Homes
	Invoker Invoker
	Postman Postman
	Catalog *catalog.Catalog
	Clock   assistant.Clock
	Logger  *slog.Logger
	// Committed is called with each turn that this router has committed.
	Committed func(*assistant.Turn)
	// Scheduled is called after a commit that set a schedule.
	Scheduled func()
	Limits    Limits
}

// Limits of the road. A zero field takes its default.
type Limits struct {
	StartWithin    time.Duration // an utterance not started by then has expired; 30 s
	ReplyExpires   time.Duration // 60 s
	SayExpires     time.Duration // 24 h
	CommandExpires time.Duration // 5 min
	Recurrence     time.Duration // between a firing and the next that it sets; 1 s
	StateAttempts  int           // invocations against a state that others change; 3
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&l.StartWithin, 30*time.Second)
	set(&l.ReplyExpires, 60*time.Second)
	set(&l.SayExpires, 24*time.Hour)
	set(&l.CommandExpires, 5*time.Minute)
	set(&l.Recurrence, time.Second)
	if l.StateAttempts == 0 {
		l.StateAttempts = 3
	}
	return l
}

// Router takes turns down the road. It is safe for concurrent use.
type Router struct {
	Options
	phrases *dialogue.Phrases
	turns   locks // by turn id: one at a time works on a turn
	states  locks // by state key: one at a time changes a state
}

// New returns a Router.
func New(o Options) (*Router, error) {
	if o.Store == nil || o.Homes == nil || o.Invoker == nil || o.Postman == nil || o.Catalog == nil || o.Clock == nil {
		return nil, errors.New("router: Store, Homes, Invoker, Postman, Catalog and Clock must be set")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Committed == nil {
		o.Committed = func(*assistant.Turn) {}
	}
	if o.Scheduled == nil {
		o.Scheduled = func() {}
	}
	o.Limits = o.Limits.withDefaults()
	phrases, err := dialogue.LoadPhrases()
	if err != nil {
		return nil, err
	}
	return &Router{Options: o, phrases: phrases}, nil
}

// Utterance takes a sentence or an intent of a device down the road, and
// returns its turn once that is durable: the message may be acknowledged. With
// an error it is not durable, and the message must be left unacknowledged.
func (r *Router) Utterance(ctx context.Context, u *assistant.Utterance) (*assistant.Turn, error) {
	id, earlier := assistant.MessageTurnID(u.Home, u.Device, u.ID, u.Received)
	unlock, err := r.turns.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer unlock()

	t := r.begin(u, id)
	done, err := r.take(ctx, t, id, earlier)
	if away, ok := errors.AsType[*storeAway](err); ok { // nothing is locked now but this turn itself
		return r.hold(ctx, t, away)
	}
	return done, err
}

// take is the road of an utterance.
func (r *Router) take(ctx context.Context, t *turn, id, earlier string) (*assistant.Turn, error) {
	u := t.asked
	switch old, err := r.Store.FindTurn(ctx, id, earlier); {
	case err == nil && u.Received.Sub(old.Received) < assistant.RedeliveryWindow:
		return r.again(t, old), nil
	case errors.Is(err, assistant.ErrStoreAway):
		return nil, &storeAway{cause: err}
	case err != nil && !errors.Is(err, assistant.ErrNotFound):
		return nil, err
	}
	if e := r.expired(u); e != nil {
		return r.finish(ctx, t, r.refuse(t, e))
	}
	if err := r.locate(ctx, t); err != nil {
		return nil, &storeAway{cause: err}
	}
	if e := r.understand(t); e != nil {
		return r.finish(ctx, t, r.refuse(t, e))
	}
	if len(t.parts) > 1 {
		return r.several(ctx, t)
	}
	return r.answer(ctx, t)
}

// Fire takes a schedule that is due down the road. ErrGone: it was cancelled or
// moved meanwhile; with another error it is still due.
func (r *Router) Fire(ctx context.Context, s *assistant.Schedule) (*assistant.Turn, error) {
	id := assistant.FiringTurnID(s)
	unlock, err := r.turns.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer unlock()

	t := r.beginFiring(s, id)
	if err := r.locate(ctx, t); err != nil {
		return nil, err
	}
	return r.answer(ctx, t)
}

// answer calls the skill of a turn that is understood, and commits what it
// says. Where another router has changed the state meanwhile, the answer is
// dropped, before anything is spoken, and the skill called again.
func (r *Router) answer(ctx context.Context, t *turn) (*assistant.Turn, error) {
	unlock, err := r.lockState(ctx, t)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return r.finish(ctx, t, r.refuse(t, assistant.Errorf(assistant.CodeExpired, "the turns before it took too long")))
	}
	defer unlock()
	if e := r.expired(t.asked); e != nil { // it may have waited for its turn
		return r.finish(ctx, t, r.refuse(t, e))
	}

	for range r.Limits.StateAttempts {
		state, err := r.state(ctx, t)
		if err != nil {
			return nil, &storeAway{cause: err}
		}
		a, err := r.invoke(ctx, t, state)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err() // stopping: the message comes again
			}
			return r.finish(ctx, t, r.refuse(t, assistant.AsError(err)))
		}
		c, err := r.accept(t, state, a)
		if err != nil {
			return r.finish(ctx, t, r.refuse(t, assistant.AsError(err)))
		}
		done, err := r.finish(ctx, t, c)
		if !errors.Is(err, assistant.ErrConflict) {
			return done, err
		}
		t.note("conflict", "the state was changed by another router")
	}
	busy := assistant.Errorf(assistant.CodeBusy, "the skill's state kept changing: %d attempts", r.Limits.StateAttempts)
	return r.finish(ctx, t, r.refuse(t, busy))
}

// finish makes a turn durable and sends what it owes to devices: the reply of a
// turn that neither changes nor has read anything first, everything else after
// the commit. (What was read may be otherwise when a turn is taken again after a
// crash, and a device that has heard one answer must not get another.)
func (r *Router) finish(ctx context.Context, t *turn, c *assistant.Commit) (*assistant.Turn, error) {
	_, stateful := stateScope(t)
	early := withoutEffects(c) && !stateful && len(t.parts) < 2
	owed := func() { r.deliver(c) }
	if early {
		owed = r.deliverEarly(c)
	}
	t.Finished = r.Clock.Now()
	switch err := r.Store.Commit(ctx, c); {
	case errors.Is(err, assistant.ErrDuplicate): // another router was quicker, or this one before a crash
		return r.committedBefore(ctx, t)
	case errors.Is(err, assistant.ErrStoreAway) && early:
		return nil, &storeAway{cause: err, spoken: c}
	case errors.Is(err, assistant.ErrStoreAway):
		return nil, &storeAway{cause: err}
	case errors.Is(err, assistant.ErrTooMany):
		return r.finish(ctx, t, r.refuse(t, assistant.Errorf(assistant.CodeSkillFailed,
			"skill %s would have more than %d schedules in this home", t.skill.Name, assistant.MaxSchedules)))
	case err != nil:
		return nil, err
	}
	owed()
	r.Committed(t.Turn)
	if len(c.Set) > 0 {
		r.Scheduled()
	}
	return t.Turn, nil
}

func (r *Router) deliver(c *assistant.Commit) {
	for _, m := range c.Messages {
		r.Postman.Deliver(m)
	}
}

// deliverEarly sends the reply of a turn without effects. If the device has
// acknowledged it by the time of the commit, nothing is owed of it.
func (r *Router) deliverEarly(c *assistant.Commit) (owed func()) {
	if len(c.Messages) == 0 {
		return func() {}
	}
	sent := r.Postman.DeliverEarly(c.Messages[0])
	var delivered atomic.Bool // once true it stays so, however often the store asks
	c.Delivered = func(string) bool {
		if !delivered.Load() && sent.Delivered() {
			delivered.Store(true)
		}
		return delivered.Load()
	}
	return func() {
		if !delivered.Load() {
			sent.Owed()
		}
	}
}
