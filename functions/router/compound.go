package router

import (
	"context"
	"errors"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/dialogue"
	"github.com/hark-voice/hark/functions/nlu"
)

// several takes each thing that an utterance asked for down the road, in the
// order in which they were said. Each is a turn of its own, committed with its
// own effects; the turn of the utterance comes last and says what they said. Taken
// again after a crash, it finds those that were done.
func (r *Router) several(ctx context.Context, t *turn) (*assistant.Turn, error) {
	said := make([]dialogue.Part, 0, len(t.parts))
	for n, p := range t.parts {
		done, err := r.part(ctx, t, n, p)
		if away, ok := errors.AsType[*storeAway](err); ok && n > 0 && !t.asked.Direct {
			away.spoken = r.interrupted(t, said)
			return nil, away
		}
		if err != nil {
			return nil, err
		}
		t.note("part", done.ID)
		said = append(said, dialogue.Part{Text: p.Text, Reply: done.Reply})
	}
	c := &assistant.Commit{Turn: t.Turn}
	r.withReply(t, c, r.phrases.Together(t.asked, t.ID, t.session, t.lang, said))
	return r.finish(ctx, t, c)
}

// interrupted tells the user what was done before the store went away, and that
// the rest was not, and makes the commit of that.
func (r *Router) interrupted(t *turn, said []dialogue.Part) *assistant.Commit {
	for _, p := range t.parts[len(said):] {
		busy := assistant.Errorf(assistant.CodeBusy, "the store cannot be reached or written")
		said = append(said, dialogue.Part{Text: p.Text, Reply: r.phrases.Refuse(t.asked, t.ID, t.session, t.lang, busy)})
	}
	t.Reply = r.phrases.Together(t.asked, t.ID, t.session, t.lang, said)
	r.send(t)
	t.Finished = r.Clock.Now()
	return &assistant.Commit{Turn: t.Turn}
}

// part returns the turn of one part once it is committed.
func (r *Router) part(ctx context.Context, t *turn, n int, p nlu.Part) (*assistant.Turn, error) {
	asked := *t.asked
	asked.Text, asked.Direct = p.Text, true // what it says is said by the whole
	if n > 0 {
		asked.Received, asked.Sent = r.Clock.Now(), time.Time{} // it was not late for what the parts before it took
	}
	part := &turn{
		Turn: &assistant.Turn{
			ID: assistant.PartTurnID(t.ID, n, p.Text), Kind: assistant.KindPart, PartOf: t.ID, Home: t.Home, Device: t.Device,
			Message: t.Message, Text: p.Text, Received: t.Received,
		},
		asked: &asked, view: t.view, speaker: t.speaker, lang: t.lang, session: t.session, snapshot: t.snapshot, stage: t.stage,
	}
	switch old, err := r.Store.FindTurn(ctx, part.ID); {
	case err == nil:
		return old, nil
	case errors.Is(err, assistant.ErrStoreAway):
		return nil, &storeAway{cause: err}
	case !errors.Is(err, assistant.ErrNotFound):
		return nil, err
	}
	part.note("understand", t.lang+assumed(p))
	part.understood(p.Matches, t.confidence)
	return r.answer(ctx, part)
}
