package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// isSet matches schedules that are not gone: the others have no such field.
func isSet(field string) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$gte", Value: int64(math.MinInt64)}}}
}

// isNotOf matches the schedules of other skills.
func isNotOf(skills []string) bson.D {
	if len(skills) == 0 {
		return nil
	}
	return bson.D{{Key: "skill", Value: bson.D{{Key: "$nin", Value: skills}}}}
}

func inOrder() bson.D { return bson.D{{Key: "due", Value: 1}, {Key: "_id", Value: 1}} }

// ClaimDue returns schedules due by now that nobody holds a lease on, at most
// limit, earliest first, and gives owner the lease until now+lease. The lease is
// over at that very millisecond. Those of the skills in except are left alone.
func (s *Store) ClaimDue(
	ctx context.Context, now time.Time, owner string, lease time.Duration, limit int, except ...string,
) ([]assistant.Schedule, error) {
	const what = "claim due schedules"
	if limit < 1 {
		return nil, nil
	}
	ready := bson.E{Key: "ready", Value: bson.D{{Key: "$lte", Value: now.UnixMilli()}}}
	for {
		due, err := findAll[scheduleDoc](ctx, s, collSchedules, append(bson.D{ready}, isNotOf(except)...),
			options.Find().SetSort(inOrder()).SetLimit(int64(limit)).SetProjection(bson.D{{Key: "_id", Value: 1}}))
		if err != nil || len(due) == 0 {
			return nil, failed(ctx, what, err)
		}
		claim := rand.Text()
		ids := make([]string, len(due))
		for i, d := range due {
			ids[i] = d.ID
		}
		err = s.raw(ctx, func(ctx context.Context) error {
			_, err := s.db.Collection(collSchedules).UpdateMany(ctx, append(among(ids), ready), set(
				bson.E{Key: "ready", Value: now.Add(lease).UnixMilli()},
				bson.E{Key: "owner", Value: owner},
				bson.E{Key: "claim", Value: claim},
			))
			return err
		})
		if err != nil {
			return nil, failed(ctx, what, err)
		}
		claimed, err := findAll[scheduleDoc](ctx, s, collSchedules, append(among(ids), bson.E{Key: "claim", Value: claim}),
			options.Find().SetSort(inOrder()))
		if err != nil {
			return nil, failed(ctx, what, err)
		}
		if len(claimed) > 0 { // else others were quicker
			return decodeAll[assistant.Schedule](ctx, what, claimed, func(d scheduleDoc) string { return d.Doc })
		}
	}
}

// ReleaseClaims ends the leases of an owner that has just started: what it
// claimed before, it fires no more.
func (s *Store) ReleaseClaims(ctx context.Context, owner string) error {
	const what = "release claimed schedules"
	mine, err := findAll[scheduleDoc](ctx, s, collSchedules, bson.D{{Key: "owner", Value: owner}})
	if err != nil || len(mine) == 0 {
		return failed(ctx, what, err)
	}
	writes := make([]driver.WriteModel, 0, len(mine))
	for _, sc := range mine {
		writes = append(writes, driver.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: sc.ID}, {Key: "owner", Value: owner}, {Key: "due", Value: sc.Due}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "ready", Value: sc.Due}}}, unset("owner", "claim")}))
	}
	return failed(ctx, what, s.bulk(ctx, collSchedules, writes))
}

// NextDue returns when the earliest schedule can next be claimed: its due
// time, or the end of its lease if that is later; those of the skills in except
// aside. ErrNotFound: there is none.
func (s *Store) NextDue(ctx context.Context, except ...string) (time.Time, error) {
	const what = "look for the next schedule"
	sc, err := findOne[scheduleDoc](ctx, s, collSchedules, append(bson.D{isSet("ready")}, isNotOf(except)...),
		options.FindOne().SetSort(bson.D{{Key: "ready", Value: 1}}).SetProjection(bson.D{{Key: "ready", Value: 1}}))
	if errors.Is(err, driver.ErrNoDocuments) {
		return time.Time{}, fmt.Errorf("%s: %w", what, assistant.ErrNotFound)
	}
	return fromMillis(sc.Ready), failed(ctx, what, err)
}

// Schedules lists the schedules of a home, of all homes for "", by due time.
func (s *Store) Schedules(ctx context.Context, home string) ([]assistant.Schedule, error) {
	what := fmt.Sprintf("list the schedules of %q", home)
	filter := bson.D{isSet("due")}
	if home != "" {
		filter = append(bson.D{{Key: "home", Value: home}}, filter...)
	}
	list, err := findAll[scheduleDoc](ctx, s, collSchedules, filter, options.Find().SetSort(inOrder()))
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	return decodeAll[assistant.Schedule](ctx, what, list, func(d scheduleDoc) string { return d.Doc })
}

// checkRoom refuses schedules beyond what a skill may have in a home. Turns that
// commit at the same time do not see each other's: it is a bound and no quota.
func (s *Store) checkRoom(ctx context.Context, a *attempt) error {
	sets, touched := slices.Clone(a.Set), slices.Clone(a.Cancel)
	if a.Fired != nil {
		touched = append(touched, a.Fired.ID)
		if a.Fired.Set != nil {
			sets = append(sets, *a.Fired.Set)
		}
	}
	type owner struct{ home, skill string }
	added := make(map[owner]int64)
	for _, sc := range sets {
		added[owner{sc.Home, sc.Skill}]++
		touched = append(touched, sc.ID)
	}
	for of, n := range added {
		var others int64
		err := s.raw(ctx, func(ctx context.Context) (err error) {
			others, err = s.db.Collection(collSchedules).CountDocuments(ctx, bson.D{
				{Key: "home", Value: of.home},
				{Key: "skill", Value: of.skill},
				isSet("due"),
				{Key: "_id", Value: bson.D{{Key: "$nin", Value: touched}}},
			})
			return err
		})
		if err != nil {
			return err
		}
		if others+n > assistant.MaxSchedules {
			return s.tooMany(ctx, a)
		}
	}
	return nil
}

// tooMany is ErrTooMany, unless the turn is committed already.
func (s *Store) tooMany(ctx context.Context, a *attempt) error {
	t, err := findOne[turnDoc](ctx, s, collTurns, byID(a.ID))
	switch {
	case err == nil && t.Phase == committed:
		return assistant.ErrDuplicate
	case err == nil || errors.Is(err, driver.ErrNoDocuments):
		return assistant.ErrTooMany
	}
	return err
}
