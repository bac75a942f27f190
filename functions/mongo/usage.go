package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// usageDoc is a group with its sums.
type usageDoc struct {
	Group struct {
		Skill   string `bson:"skill"`
		Version string `bson:"version"`
		Home    string `bson:"home"`
	} `bson:"_id"`
	N         int64 `bson:"n"`
	Failed    int64 `bson:"failed"`
	Cold      int64 `bson:"cold"`
	WallMS    int64 `bson:"wall_ms"`
	CPUNS     int64 `bson:"cpu_ns"`
	MiBMillis int64 `bson:"mib_ms"`
	MicroCU   int64 `bson:"micro_cu"`
}

// Usage returns one row per group, ordered by it, once all that this store was
// committing before the call is committed. It sums what the turns themselves
// hold, so that an invocation counts when its turn does, and once.
func (s *Store) Usage(ctx context.Context, q assistant.UsageQuery) ([]assistant.UsageRow, error) {
	const what = "sum usage"
	var by bson.D
	switch q.By {
	case assistant.UsageBySkill:
		by = bson.D{{Key: "skill", Value: "$calls.skill"}}
	case assistant.UsageByVersion:
		by = bson.D{{Key: "skill", Value: "$calls.skill"}, {Key: "version", Value: "$calls.version"}}
	case assistant.UsageByHome:
		by = bson.D{{Key: "home", Value: "$home"}}
	default:
		return nil, fmt.Errorf("%s: it cannot be grouped by %q", what, q.By)
	}
	if err := s.flights.wait(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	sums := bson.D{{Key: "_id", Value: by}, {Key: "n", Value: bson.D{{Key: "$sum", Value: int64(1)}}}}
	for _, field := range []string{"failed", "cold", "wall_ms", "cpu_ns", "mib_ms", "micro_cu"} {
		sums = append(sums, bson.E{Key: field, Value: bson.D{{Key: "$sum", Value: "$calls." + field}}})
	}
	var docs []usageDoc
	err := s.raw(ctx, func(ctx context.Context) error {
		cur, err := s.db.Collection(collTurns).Aggregate(ctx, []bson.D{
			{{Key: "$match", Value: within(q)}},
			{{Key: "$unwind", Value: "$calls"}},
			{{Key: "$group", Value: sums}},
		})
		if err != nil {
			return err
		}
		return cur.All(ctx, &docs)
	})
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	return usageRows(docs), nil
}

// within matches the committed turns of the time that is asked for.
func within(q assistant.UsageQuery) bson.D {
	match := bson.D{isCommitted()}
	var received bson.D
	if !q.From.IsZero() {
		received = append(received, bson.E{Key: "$gte", Value: q.From.UnixMilli()})
	}
	if !q.To.IsZero() {
		received = append(received, bson.E{Key: "$lt", Value: q.To.UnixMilli()})
	}
	if received != nil {
		match = append(match, bson.E{Key: "received", Value: received})
	}
	return match
}

func usageRows(docs []usageDoc) []assistant.UsageRow {
	rows := make([]assistant.UsageRow, len(docs))
	for i, d := range docs {
		rows[i] = assistant.UsageRow{
			Skill: d.Group.Skill, Version: d.Group.Version, Home: d.Group.Home,
			Invocations: d.N, Errors: d.Failed, ColdStarts: d.Cold,
			Wall: time.Duration(d.WallMS) * time.Millisecond, CPU: time.Duration(d.CPUNS),
			MiBMillis: d.MiBMillis, MicroCU: d.MicroCU,
		}
	}
	slices.SortFunc(rows, func(a, b assistant.UsageRow) int {
		if c := strings.Compare(a.Skill, b.Skill); c != 0 {
			return c
		}
		if c := strings.Compare(a.Version, b.Version); c != 0 {
			return c
		}
		return strings.Compare(a.Home, b.Home)
	})
	return rows
}
