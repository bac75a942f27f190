package sqlite

import (
	"context"
	"fmt"
	"time"
)

// postWithin is how long a commit may be in the journal alone.
const postWithin = 250 * time.Millisecond

// maxKeptFrame is the memory that is kept for the next group, in bytes.
const maxKeptFrame = 1 << 20

// enter gives every write of a group its outcome by way of the journal.
func (w *writer) enter(ctx context.Context, group []*queued) {
	err := w.makeRoom(ctx)
	e := &entries{generation: *newGeneration(0), frame: newFrame(w.frame)}
	for _, q := range group {
		if q.skipped = q.abandoned.Load(); err == nil && !q.skipped {
			q.refusal = q.enter(ctx, e)
		}
	}
	if err == nil && (e.sync || len(e.commits) > 0) {
		if err = w.journal.append(e.frame); err != nil {
			w.note(err) // that all is well is noted when it comes to the tables
		}
	}
	if w.frame = e.frame; cap(w.frame) > maxKeptFrame {
		w.frame = nil
	}
	if err == nil {
		if w.pending.publish(e) {
			time.AfterFunc(postWithin, w.postSoon)
		}
		for key, st := range e.states {
			w.store.states.put(key, st)
		}
	}
	for _, q := range group {
		w.finish(q, err)
	}
	if enough, _ := w.pending.much(); enough {
		w.startPosting(ctx)
	}
}

// makeRoom waits where more is in the journal than should be. It fails where
// that cannot be posted, and also where a posting failed that may be on the disk
// all the same: what it closed takes no more commits.
func (w *writer) makeRoom(ctx context.Context) error {
	if w.offered {
		w.waitPosted()
		return w.transact(ctx, nil)
	}
	if _, tooMuch := w.pending.much(); !tooMuch {
		return nil
	}
	w.waitPosted()
	if _, tooMuch := w.pending.much(); !tooMuch {
		return nil
	}
	return w.transact(ctx, nil)
}

// postSoon has the writer post what is pending.
func (w *writer) postSoon() {
	w.timeToPost.Store(true)
	w.wake()
}

// startPosting posts a generation beside the writer.
func (w *writer) startPosting(ctx context.Context) {
	if w.posting != nil {
		select {
		case <-w.posting:
		default:
			return
		}
	}
	if w.offered || w.journal.dirty { // no generation may begin before this one is posted
		err := w.transact(ctx, nil)
		if w.note(err); err != nil {
			time.AfterFunc(postWithin, w.postSoon)
		}
		return
	}
	d := w.pending.rotate(w.nextGeneration)
	posting := make(chan struct{})
	w.posting = posting
	ctx = context.WithoutCancel(ctx)
	w.alive.Go(func() {
		defer close(posting)
		err := w.transactDue(ctx, d, nil)
		if w.note(err); err != nil || !w.pending.nothing() {
			time.AfterFunc(postWithin, w.postSoon)
		}
	})
}

// waitPosted returns when nobody is posting.
func (w *writer) waitPosted() {
	if w.posting != nil {
		<-w.posting
		w.posting = nil
	}
}

func (w *writer) nextGeneration() uint64 {
	w.journal.next()
	return w.journal.generation
}

// post writes to the tables, within a transaction, what is due.
func (w *writer) post(ctx context.Context, t *tx, d due) error {
	if err := w.postDue(ctx, t, d); err != nil {
		// Whatever it is, it is no matter of whose write shares the transaction.
		return fmt.Errorf("bring what is in the journal to the tables: %s", err) //nolint:errorlint // see breaksRule
	}
	return nil
}

func (w *writer) postDue(ctx context.Context, t *tx, d due) error {
	for _, g := range d.generations {
		for _, k := range g.commits {
			if err := k.post(ctx, w.store, t); err != nil {
				return err
			}
		}
		for key, st := range g.states {
			if err := setState(ctx, t, key, st); err != nil {
				return err
			}
		}
		if _, err := t.exec(ctx, `UPDATE journal SET posted = ?`, int64(g.number)); err != nil { //nolint:gosec // one more for each posting
			return err
		}
	}
	return settle(ctx, t, d.settled)
}

// posted is called when what was due is durable in the tables.
func (w *writer) posted(d due) {
	for _, g := range d.generations {
		for _, k := range g.commits {
			if !k.late {
				w.ids.add(k.turn, k.key)
			}
		}
	}
	w.pending.posted(d, w.nextGeneration)
}

// recover posts what a process that did not end well has left in the journal.
func (w *writer) recover(ctx context.Context, r *reader) error {
	var posted int64
	if err := r.row(ctx, `SELECT posted FROM journal`, nil, &posted); err != nil {
		return err
	}
	row := func(query string, args []any, dest ...any) error { return r.row(ctx, query, args, dest...) }
	left := newGeneration(uint64(posted)) //nolint:gosec // not negative
	err := w.journal.read(left.number, func(generation uint64, records []byte) error {
		left.number = generation
		return eachRecord(records, func(k *commit) {
			if there := left.turns[k.turn] != nil || w.ids.has(k.turn, row); !there {
				w.store.known.add(k.turn)
				left.add(k)
			}
		})
	})
	if err != nil {
		return err
	}
	if w.pending.fresh = left; len(left.commits) > 0 {
		posted = int64(left.number) //nolint:gosec // one more for each posting
		if err := w.transact(ctx, nil); err != nil {
			return fmt.Errorf("post %d commits that are in the journal alone: %w", len(left.commits), err)
		}
	}
	if err := w.journal.begin(uint64(posted) + 1); err != nil { //nolint:gosec // not negative
		return err
	}
	w.pending.fresh = newGeneration(w.journal.generation)
	w.recovered = true
	return nil
}
