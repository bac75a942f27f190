package mongo

import (
	"context"
	"errors"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// errLocked is a schedule that another turn is firing.
var errLocked = errors.New("the schedule is being fired")

// lock marks the schedule that an attempt fires, if it is still due at the same
// time; else ErrGone.
func (s *Store) lock(ctx context.Context, a *attempt) error {
	for wait := s.patience(); ; {
		matched, err := s.update(ctx, collSchedules,
			bson.D{{Key: "_id", Value: a.Fired.ID}, {Key: "due", Value: a.Fired.Due}, {Key: "by", Value: exists(false)}},
			set(bson.E{Key: "by", Value: a.Attempt}))
		if err != nil || matched {
			return err
		}
		sc, err := findOne[scheduleDoc](ctx, s, collSchedules, byID(a.Fired.ID))
		switch {
		case errors.Is(err, driver.ErrNoDocuments):
			return assistant.ErrGone
		case err != nil:
			return err
		case sc.By == a.Attempt:
			return nil // this very update, whose answer was lost
		case sc.By != "":
			if err := s.unlock(ctx, wait, &sc); err != nil {
				return err
			}
		case sc.Dead != 0 || sc.Due == nil || *sc.Due != a.Fired.Due:
			return assistant.ErrGone
		}
	}
}

// unlock waits for the turn that fires a schedule, and ends it if it does not
// end by itself.
func (s *Store) unlock(ctx context.Context, wait *patience, sc *scheduleDoc) error {
	t, err := s.turnOf(ctx, sc.By)
	switch {
	case err == nil && t.Attempt == sc.By:
		if wait.pause() {
			return nil
		}
		_, err = s.resolve(ctx, &t)
	case err == nil, errors.Is(err, driver.ErrNoDocuments): // it was discarded
		err = s.release(ctx, sc.ID, sc.By)
	}
	return err
}

// release takes the mark of an attempt that was discarded off its schedule.
func (s *Store) release(ctx context.Context, id, by string) error {
	_, err := s.update(ctx, collSchedules, bson.D{{Key: "_id", Value: id}, {Key: "by", Value: by}}, bson.D{unset("by")})
	return err
}

// apply does what a committed turn does to schedules. It may be done any number
// of times, by any process.
func (s *Store) apply(ctx context.Context, t *turnDoc) error {
	if t.Fired != nil {
		if err := s.removeFired(ctx, t); err != nil {
			return err
		}
	}
	if !t.changesSchedules() {
		return nil
	}
	now := time.Now().UnixMilli()
	changes := make([]*change, 0, len(t.Set)+len(t.Cancel))
	for i := range t.Set {
		changes = append(changes, &change{&t.Set[i]})
	}
	for _, id := range t.Cancel {
		changes = append(changes, &change{&scheduleDoc{ID: id, Seq: t.Seq, Dead: now}})
	}
	outcomes := make(chan error, len(changes))
	for _, c := range changes {
		s.changes.add(c, func(err error) { outcomes <- err })
	}
	var superseded bool
	for range changes {
		switch err := <-outcomes; {
		case errors.Is(err, errLocked):
			superseded = true
		case err != nil:
			return err
		}
	}
	if !superseded {
		return nil
	}
	for _, c := range changes {
		if err := s.insist(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// removeFired puts what follows in the place of the schedule that was fired.
// The place keeps its sequence: what another turn did to the schedule since is
// newer than this firing of it.
func (s *Store) removeFired(ctx context.Context, t *turnDoc) error {
	update := bson.D{
		{Key: "$set", Value: bson.D{{Key: "dead", Value: time.Now().UnixMilli()}}},
		unset("by", "home", "skill", "due", "ready", "owner", "doc"),
	}
	if next := t.Fired.Set; next != nil {
		update = bson.D{
			{Key: "$set", Value: bson.D{
				{Key: "home", Value: next.Home}, {Key: "skill", Value: next.Skill}, {Key: "due", Value: next.Due}, {Key: "ready", Value: next.Ready}, {Key: "doc", Value: next.Doc},
			}},
			unset("by", "owner"),
		}
	}
	_, err := s.update(ctx, collSchedules, bson.D{{Key: "_id", Value: t.Fired.ID}, {Key: "by", Value: t.Attempt}}, update)
	return err
}

// change is what a turn leaves of a schedule.
type change struct{ doc *scheduleDoc }

func (c *change) size() int { return len(c.doc.Doc) + 256 }

func (c *change) model() *driver.ReplaceOneModel {
	return driver.NewReplaceOneModel().SetUpsert(true).SetReplacement(c.doc).SetFilter(bson.D{
		{Key: "_id", Value: c.doc.ID},
		{Key: "seq", Value: bson.D{{Key: "$lt", Value: c.doc.Seq}}},
		{Key: "by", Value: exists(false)},
	})
}

// changeSchedules writes changes unless newer ones were written before. Where
// the filter does not match, the insert that then follows runs into the index on
// _id: the schedule is newer, or it is being fired.
func (s *Store) changeSchedules(ctx context.Context, list []*change) []error {
	writes := make([]driver.WriteModel, len(list))
	for i, c := range list {
		writes[i] = c.model()
	}
	codes, err := refused(s.bulk(ctx, collSchedules, writes))
	out := each(list, err)
	for i := range codes {
		out[i] = errLocked
	}
	return out
}

// insist makes a change until it is made or superseded.
func (s *Store) insist(ctx context.Context, c *change) error {
	for wait := s.patience(); ; {
		sc, err := findOne[scheduleDoc](ctx, s, collSchedules, byID(c.doc.ID))
		switch {
		case errors.Is(err, driver.ErrNoDocuments):
		case err != nil:
			return err
		case sc.Seq >= c.doc.Seq:
			return nil
		case sc.By != "":
			if err := s.unlock(ctx, wait, &sc); err != nil {
				return err
			}
		}
		m := c.model()
		err = s.raw(ctx, func(ctx context.Context) error {
			_, err := s.db.Collection(collSchedules).ReplaceOne(ctx, m.Filter, c.doc, options.Replace().SetUpsert(true))
			return err
		})
		if !driver.IsDuplicateKeyError(err) {
			return err
		}
	}
}
