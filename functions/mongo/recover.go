package mongo

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// ownerBeat is how often a process shows that it lives, and looks after others.
	ownerBeat = 3 * time.Second
	// ownerLease is how long a process may be silent before others end its turns.
	// It is measured by who waits, so that no two clocks are compared.
	ownerLease = 15 * time.Second
	// tombstoneRest is how long a schedule that is gone is remembered: far longer
	// than any write that an older turn has sent can still be on its way.
	tombstoneRest = time.Hour
	// atOnce bounds what one look takes on.
	atOnce = 1000
)

// discarded is what became of a turn that is not committed.
const discarded = "discarded"

// resolve ends a turn that its own process did not end: one that reached its
// commit point is applied, any other is discarded. It may be called at any time,
// also while the turn is on its way: then that gets errTaken and is tried again.
func (s *Store) resolve(ctx context.Context, t *turnDoc) (outcome string, err error) {
	if t.Phase == prepared {
		reached := false
		if t.State != nil {
			if reached, err = s.evidence(ctx, t); err != nil {
				return "", err
			}
		}
		if !reached {
			if outcome, err = s.withdraw(ctx, t); err != nil || outcome == discarded {
				return outcome, err
			}
		} else if _, err = s.markOne(ctx, t); err != nil {
			return "", err
		}
	}
	if t.Open == "" {
		return committed, nil
	}
	if err := s.apply(ctx, t); err != nil {
		return "", err
	}
	return committed, s.finishes.do(&attempt{turnDoc: *t})
}

// withdraw removes a turn that did not reach its commit point, and says
// committed where another process knew better.
func (s *Store) withdraw(ctx context.Context, t *turnDoc) (outcome string, err error) {
	var deleted int64
	err = s.raw(ctx, func(ctx context.Context) error {
		res, err := s.db.Collection(collTurns).DeleteOne(ctx, t.is(prepared))
		if err == nil {
			deleted = res.DeletedCount
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if deleted == 0 {
		now, err := findOne[turnDoc](ctx, s, collTurns, byID(t.ID))
		switch {
		case err == nil && now.Attempt == t.Attempt && now.Phase == committed:
			return committed, nil
		case err != nil && !errors.Is(err, driver.ErrNoDocuments):
			return "", err
		}
	}
	if t.Fired != nil {
		err = s.release(ctx, t.Fired.ID, t.Attempt)
	}
	return discarded, err
}

// turnOf returns the turn of an attempt, in whatever attempt it is by now.
func (s *Store) turnOf(ctx context.Context, name string) (turnDoc, error) {
	id, _, _ := strings.Cut(name, "#")
	return findOne[turnDoc](ctx, s, collTurns, byID(id))
}

// ownerDoc is a process that uses the database.
type ownerDoc struct {
	ID   string `bson:"_id"`
	Name string `bson:"name"`
	Beat int64  `bson:"beat"`
}

// register announces this process, and ends what earlier ones of its name left.
func (s *Store) register(ctx context.Context) error {
	if err := s.beat(ctx); err != nil {
		return failed(ctx, "announce this process", err)
	}
	if s.owner == "" {
		return nil
	}
	earlier, err := findAll[ownerDoc](ctx, s, collOwners,
		bson.D{{Key: "name", Value: s.owner}, {Key: "_id", Value: bson.D{{Key: "$ne", Value: s.process}}}})
	if err != nil {
		return failed(ctx, "look for earlier processes", err)
	}
	for _, o := range earlier {
		if err := s.bury(ctx, o.ID); err != nil {
			return failed(ctx, "finish what an earlier process left", err)
		}
	}
	return nil
}

// deregister takes the announcement back. If that fails, the lease runs out.
func (s *Store) deregister() {
	ctx := context.Background()
	err := s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collOwners).DeleteOne(ctx, byID(s.process))
		return err
	})
	if err != nil {
		s.logger.Debug("the store could not be told of the end of this process", "error", err)
	}
}

func (s *Store) beat(ctx context.Context) error {
	return s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collOwners).UpdateOne(ctx, byID(s.process), bson.D{
			{Key: "$set", Value: bson.D{{Key: "name", Value: s.owner}}},
			{Key: "$inc", Value: bson.D{{Key: "beat", Value: int64(1)}}},
		}, options.UpdateOne().SetUpsert(true))
		return err
	})
}

// bury ends all that a dead process left, and forgets it.
func (s *Store) bury(ctx context.Context, process string) error {
	for {
		left, err := findAll[turnDoc](ctx, s, collTurns, bson.D{{Key: "open", Value: process}},
			options.Find().SetLimit(atOnce))
		if err != nil {
			return err
		}
		for i := range left {
			if _, err := s.resolve(ctx, &left[i]); err != nil {
				return err
			}
		}
		if len(left) < atOnce {
			break
		}
	}
	if err := s.dropUploads(ctx, process); err != nil {
		return err
	}
	return s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collOwners).DeleteOne(ctx, byID(process))
		return err
	})
}

// sighting is when a process was first seen at a beat.
type sighting struct {
	beat  int64
	since time.Time
}

// keepWatch shows that this process lives, and ends what others, and failures
// of its own, left half done.
func (s *Store) keepWatch(ctx context.Context) {
	tick := time.NewTicker(ownerBeat)
	defer tick.Stop()
	seen := make(map[string]sighting)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.beat(ctx)
		if err == nil {
			err = s.look(ctx, seen, time.Now())
		}
		if err == nil {
			err = s.sweep(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.logger.Warn("the store could not be looked after; trying again", "error", err)
		}
	}
}

// judge notes which processes have shown that they live since they were last
// seen, and tells which have not for the time of a lease.
func (s *Store) judge(owners []ownerDoc, seen map[string]sighting, now time.Time) (alive map[string]bool, silent []ownerDoc) {
	alive = make(map[string]bool, len(owners))
	for _, o := range owners {
		first, known := seen[o.ID]
		if !known || first.beat != o.Beat {
			first = sighting{o.Beat, now}
			seen[o.ID] = first
		}
		if o.ID == s.process || now.Sub(first.since) < s.lease {
			alive[o.ID] = true
		} else {
			silent = append(silent, o)
		}
	}
	maps.DeleteFunc(seen, func(id string, _ sighting) bool { return !alive[id] })
	return alive, silent
}

// look ends the open turns that nobody else will: those of processes that are
// silent or unknown, and those of this one that are not on their way any more.
func (s *Store) look(ctx context.Context, seen map[string]sighting, now time.Time) error {
	owners, err := findAll[ownerDoc](ctx, s, collOwners, bson.D{})
	if err != nil {
		return err
	}
	alive, silent := s.judge(owners, seen, now)
	for _, o := range silent {
		s.logger.Info("another process on this database fell silent; its unfinished turns are ended", "process", o.ID, "name", o.Name)
		if err := s.bury(ctx, o.ID); err != nil {
			return err
		}
	}
	flying := s.flights.names() // before the turns are read: what ends in between is not open then
	left, err := findAll[turnDoc](ctx, s, collTurns, bson.D{{Key: "open", Value: exists(true)}}, options.Find().SetLimit(atOnce))
	if err != nil {
		return err
	}
	for i := range left {
		t := &left[i]
		if t.Open == s.process && (flying[t.Attempt] || s.flights.has(t.Attempt)) || t.Open != s.process && alive[t.Open] {
			continue
		}
		if _, err := s.resolve(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what is left of schedules that are gone, once no turn that is
// older has anything left to do. They are read first: a turn that is committed
// after that is not older in any way that a user could tell.
func (s *Store) sweep(ctx context.Context) error {
	old := bson.E{Key: "dead", Value: bson.D{{Key: "$lte", Value: time.Now().Add(-s.rest).UnixMilli()}}}
	dead, err := findAll[scheduleDoc](ctx, s, collSchedules, bson.D{old},
		options.Find().SetLimit(atOnce))
	if err != nil || len(dead) == 0 {
		return err
	}
	open, err := findAll[turnDoc](ctx, s, collTurns,
		bson.D{{Key: "open", Value: exists(true)}, {Key: "seq", Value: bson.D{{Key: "$gt", Value: int64(0)}}}},
		options.Find().SetSort(bson.D{{Key: "seq", Value: 1}}).SetLimit(1).SetProjection(bson.D{{Key: "seq", Value: 1}}))
	if err != nil {
		return err
	}
	var ids []string
	for _, d := range dead {
		if len(open) == 0 || d.Seq < open[0].Seq {
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	filter := append(among(ids), old)
	if len(open) > 0 {
		filter = append(filter, bson.E{Key: "seq", Value: bson.D{{Key: "$lt", Value: open[0].Seq}}})
	}
	return s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collSchedules).DeleteMany(ctx, filter)
		return err
	})
}
