package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The steps of a commit, in their order. A turn takes those that it needs.
const (
	stepInsert = "insert" // the turn is prepared; one without state and firing is committed by it
	stepLock   = "lock"   // the schedule that it fires is marked as being fired by this attempt
	stepSwap   = "swap"   // the state changes: the commit point of a turn with state
	stepMark   = "mark"   // the turn is marked as committed: the commit point of a firing without state
	stepApply  = "apply"  // schedules are removed, cancelled and set
	stepFinish = "finish" // nothing is left to do: the evidence goes from the state, the plan from the turn
)

// errTaken is what an attempt meets when another process has given it up for
// dead and discarded it.
var errTaken = fmt.Errorf("%w: the turn took so long that another process discarded it", assistant.ErrStoreAway)

// Commit makes a turn and all its effects durable, at once and once; the
// package's documentation says how. When ctx ends first, the commit goes on and
// is done whole or not at all.
func (s *Store) Commit(ctx context.Context, c *assistant.Commit) error {
	what := "commit turn " + c.Turn.ID
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	a, err := s.newAttempt(c)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := s.room.Acquire(ctx, int64(a.bytes)); err != nil {
		return fmt.Errorf("%s: too much waits for the store: %w", what, err)
	}
	release := func() { s.room.Release(int64(a.bytes)) }
	if !s.flights.begin(a) {
		release()
		return fmt.Errorf("%s: %w: it is closed", what, assistant.ErrStoreAway)
	}
	a.At = s.stamps.next()
	go s.fly(a, release) //nolint:gosec,contextcheck // it goes on when the caller has gone
	select {
	case <-a.done:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	return a.err
}

// fly commits an attempt, tells its caller, and then finishes it.
func (s *Store) fly(a *attempt, release func()) {
	ctx := context.Background()
	if a.err = s.commit(ctx, a); a.err != nil {
		a.err = failed(ctx, "commit turn "+a.ID, a.err)
	}
	release()
	close(a.done)
	s.flights.answered(a)
	if a.err != nil || a.Open == "" {
		s.flights.end(a)
		return
	}
	if s.step != nil && s.step(stepFinish) != nil {
		s.flights.end(a)
		return
	}
	s.finishes.add(a, func(error) { s.flights.end(a) }) // what fails is found by the watch
}

// commit takes the steps of an attempt up to the outcome that its caller waits for.
func (s *Store) commit(ctx context.Context, a *attempt) error {
	if err := s.checkRoom(ctx, a); err != nil {
		return err
	}
	if a.changesSchedules() {
		if err := s.sequence(a); err != nil {
			return err
		}
	}
	if err := s.insert(ctx, a); err != nil {
		return err
	}
	if a.Phase == prepared {
		if err := s.decide(ctx, a); err != nil {
			return err
		}
	}
	return s.together(a.State != nil, func() error { return s.markAfterSwap(a) }, func() error {
		return s.take(stepApply, func() error { return s.apply(ctx, &a.turnDoc) })
	})
}

// together runs apply, at the same time as mark if there is something to mark.
func (s *Store) together(marks bool, mark, apply func() error) error {
	if !marks {
		return apply()
	}
	marked := make(chan error, 1)
	go func() { marked <- mark() }()
	err := apply()
	return errors.Join(err, <-marked)
}

func (s *Store) markAfterSwap(a *attempt) error {
	return s.take(stepMark, func() error { return s.marks.do(a) })
}

// take takes a step, unless a test cuts the commit off before it.
func (s *Store) take(step string, run func() error) error {
	if s.step != nil {
		if err := s.step(step); err != nil {
			return err
		}
	}
	return run()
}

// decide brings a prepared attempt to its commit point, or withdraws it.
func (s *Store) decide(ctx context.Context, a *attempt) error {
	var refusal error
	if a.Fired != nil {
		err := s.take(stepLock, func() error { return s.lock(ctx, a) })
		if err != nil && !errors.Is(err, assistant.ErrGone) {
			return err
		}
		refusal = err
	}
	switch {
	case refusal != nil:
	case a.State != nil:
		err := s.take(stepSwap, func() error { return s.swap(ctx, a) })
		if err == nil || !errors.Is(err, assistant.ErrConflict) {
			return err
		}
		refusal = err
	default:
		return s.take(stepMark, func() error { return s.commitFiring(ctx, a) })
	}
	switch outcome, err := s.withdraw(ctx, &a.turnDoc); {
	case err != nil:
		return err
	case outcome == committed: // by a process that found the evidence
		return nil
	}
	return refusal
}

// commitFiring is the commit point of a firing without state.
func (s *Store) commitFiring(ctx context.Context, a *attempt) error {
	matched, err := s.markOne(ctx, &a.turnDoc)
	if err != nil || matched {
		return err
	}
	t, err := findOne[turnDoc](ctx, s, collTurns, byID(a.ID))
	switch {
	case err == nil && t.Attempt == a.Attempt && t.Phase == committed:
		return nil // this very update, whose answer was lost
	case err != nil && !errors.Is(err, driver.ErrNoDocuments):
		return err
	}
	return errors.Join(errTaken, s.release(ctx, a.Fired.ID, a.Attempt))
}

// insert writes the turn, or finds out who wrote one of its id before.
func (s *Store) insert(ctx context.Context, a *attempt) error {
	write := func() error { return s.inserts.do(a) }
	err := s.take(stepInsert, write)
	for wait := s.patience(); errors.Is(err, assistant.ErrDuplicate); {
		before, readErr := findOne[turnDoc](ctx, s, collTurns, byID(a.ID))
		switch {
		case errors.Is(readErr, driver.ErrNoDocuments): // discarded meanwhile
			err = write()
			continue
		case readErr != nil:
			return readErr
		case before.Attempt == a.Attempt:
			return nil // our own: the driver wrote it twice because an answer was lost
		case before.Phase == committed:
			s.helpFinish(ctx, &before)
			return err
		}
		if s.flights.has(before.Attempt) || before.Open != s.process {
			if wait.pause() {
				continue
			}
		}
		// Nobody is about to end it.
		if _, resolveErr := s.resolve(ctx, &before); resolveErr != nil {
			return resolveErr
		}
	}
	return err
}

// helpFinish applies what a turn committed and did not live to apply, so that
// who is told that it is a duplicate finds its effects. The watch does it too,
// later, so that an error here is not the caller's.
func (s *Store) helpFinish(ctx context.Context, t *turnDoc) {
	if t.Open == "" || s.flights.has(t.Attempt) {
		return
	}
	if _, err := s.resolve(ctx, t); err != nil {
		s.logger.Debug("a turn that was found half done stays so for now", "turn", t.ID, "error", err)
	}
}

// insertTurns writes turns as they are; of an id that exists, ErrDuplicate.
func (s *Store) insertTurns(ctx context.Context, list []*attempt) []error {
	docs := make([]any, len(list))
	for i, a := range list {
		docs[i] = &a.turnDoc
	}
	err := s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collTurns).InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
		return err
	})
	codes, err := refused(err)
	out := each(list, err)
	for i := range codes {
		out[i] = assistant.ErrDuplicate
	}
	return out
}

// markCommitted marks attempts that are committed by their states.
func (s *Store) markCommitted(ctx context.Context, list []*attempt) []error {
	writes := make([]driver.WriteModel, len(list))
	for i, a := range list {
		writes[i] = driver.NewUpdateOneModel().SetFilter(a.is(prepared)).
			SetUpdate(set(bson.E{Key: "phase", Value: committed}))
	}
	// What does not match was marked by a process that found the evidence.
	return each(list, s.bulk(ctx, collTurns, writes))
}

func (s *Store) markOne(ctx context.Context, t *turnDoc) (matched bool, err error) {
	return s.update(ctx, collTurns, t.is(prepared), set(bson.E{Key: "phase", Value: committed}))
}

// is matches the document of this attempt in a phase.
func (t *turnDoc) is(phase string) bson.D {
	return bson.D{{Key: "_id", Value: t.ID}, {Key: "attempt", Value: t.Attempt}, {Key: "phase", Value: phase}}
}

func (s *Store) bulk(ctx context.Context, coll string, writes []driver.WriteModel) error {
	return s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(coll).BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		return err
	})
}

// finishTurns forgets the plans of attempts whose effects are applied. The
// evidence goes first: what is still open when it is gone is known to be
// committed from its own document.
func (s *Store) finishTurns(ctx context.Context, list []*attempt) []error {
	var states []driver.WriteModel
	turns := make([]driver.WriteModel, len(list))
	for i, a := range list {
		if a.State != nil {
			states = append(states, driver.NewUpdateOneModel().SetFilter(byID(a.State.ID)).
				SetUpdate(bson.D{{Key: "$pull", Value: bson.D{{Key: "recent", Value: a.Attempt}}}}))
		}
		turns[i] = driver.NewUpdateOneModel().SetFilter(a.is(committed)).
			SetUpdate(bson.D{unset("open", "state", "fired", "set", "cancel")})
	}
	if len(states) > 0 {
		if err := s.bulk(ctx, collStates, states); err != nil {
			return each(list, err)
		}
	}
	return each(list, s.bulk(ctx, collTurns, turns))
}

// sequenced asks for a place in the order of what is done to schedules.
type sequenced struct{ seq int64 }

func (s *Store) sequence(a *attempt) error {
	q := &sequenced{}
	err := s.sequences.do(q)
	a.Seq = q.seq
	for i := range a.Set {
		a.Set[i].Seq = q.seq
	}
	return err
}

// allocate takes a block off the one counter of the database, so that who asks
// later, anywhere, comes later.
func (s *Store) allocate(ctx context.Context, list []*sequenced) []error {
	var doc struct {
		N int64 `bson:"n"`
	}
	err := s.raw(ctx, func(ctx context.Context) error {
		return s.db.Collection(collMeta).FindOneAndUpdate(ctx, byID("sequence"),
			bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(len(list))}}}},
			options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&doc)
	})
	if err == nil {
		for i, q := range list {
			q.seq = doc.N - int64(len(list)) + int64(i) + 1
		}
	}
	return each(list, err)
}

// patience waits for another attempt to end, which takes milliseconds unless
// its process is dead.
type patience struct {
	until time.Time
	next  time.Duration
}

// commitGrace is how long a commit that is alive may take between two of its steps.
// Who goes on after it breaks nothing, and only makes it try again.
const commitGrace = 2 * time.Second

func (s *Store) patience() *patience {
	return &patience{until: time.Now().Add(s.grace), next: time.Millisecond}
}

// pause tells whether it is worth to look again.
func (p *patience) pause() bool {
	if time.Now().After(p.until) {
		return false
	}
	time.Sleep(p.next)
	p.next = min(2*p.next, 50*time.Millisecond)
	return true
}
