package router

import (
	"context"
	"errors"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// again answers a message that came before: with the reply of then, or, where
// the body is another, with an error that leaves the first turn alone.
func (r *Router) again(t *turn, old *assistant.Turn) *assistant.Turn {
	if old.Digest != t.Digest {
		e := assistant.Errorf(assistant.CodeBadRequest, "the id %q was used within 24 h for another message: send a new id with each message", t.Message)
		t.Reply = r.phrases.Refuse(t.asked, "", t.session, t.lang, e)
		r.send(t)
		return t.Turn
	}
	t.Reply = old.Reply
	r.send(t)
	return old
}

// send sends the reply of a turn once, without owing it.
func (r *Router) send(t *turn) {
	if t.asked.Direct {
		return
	}
	m := r.message(t, 0, t.Device, assistant.MessageReply, r.Clock.Now(), r.Limits.ReplyExpires)
	m.ID, m.Reply, m.ReplyTo = "", t.Reply, t.ReplyTo
	r.Postman.Send(m)
}

// committedBefore ends a turn that turned out to be committed already.
func (r *Router) committedBefore(ctx context.Context, t *turn) (*assistant.Turn, error) {
	old, err := r.Store.FindTurn(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	if t.asked != nil {
		return r.again(t, old), nil
	}
	return old, nil
}

// storeAway ends the road of a turn: the store cannot be reached or written.
type storeAway struct {
	cause  error
	spoken *assistant.Commit // an answer that was given already; nil: none was
}

func (a *storeAway) Error() string { return a.cause.Error() }
func (a *storeAway) Unwrap() error { return assistant.ErrStoreAway }

// hold tells the user that Hark is busy, once, unless they were answered
// already, and returns when that is durable. Of what else the turn wanted,
// nothing is done.
func (r *Router) hold(ctx context.Context, t *turn, away *storeAway) (*assistant.Turn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err() // not the store is gone but the caller: the message comes again
	}
	if t.asked.Direct {
		return nil, away // the caller is told, and may try again
	}
	if away.spoken != nil {
		return r.holdUntilDurable(ctx, t, away.spoken)
	}
	e := assistant.Errorf(assistant.CodeBusy, "the store cannot be reached or written")
	e.RetryAfterMS = r.Limits.StartWithin.Milliseconds()
	c := r.refuse(t, e)
	t.Finished = r.Clock.Now()
	r.send(t)
	c.Messages = nil // it was heard; a second answer minutes later helps nobody
	return r.holdUntilDurable(ctx, t, c)
}

// holdUntilDurable commits a turn whose answer was given, as soon as the store
// can be written again. The message stays unacknowledged for so long; the
// bounded window of its device bounds how many turns wait here.
func (r *Router) holdUntilDurable(ctx context.Context, t *turn, c *assistant.Commit) (*assistant.Turn, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
		switch err := r.Store.Commit(ctx, c); {
		case err == nil, errors.Is(err, assistant.ErrDuplicate):
			r.deliver(c)
			return t.Turn, nil
		case !errors.Is(err, assistant.ErrStoreAway):
			return nil, err
		}
	}
}
