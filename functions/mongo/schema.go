package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// migration moves a database from the schema version that is its index to the
// next. Two processes may run it at once, and one may run it again after a
// crash: it must bear both.
type migration func(ctx context.Context, s *Store) error

// schema is how a database came to be what it is. A step that was released is
// never edited: a change of the schema is a new step.
func schema() []migration { return []migration{startCounting} }

// schemaDoc says what the database holds.
type schemaDoc struct {
	ID      string `bson:"_id"`
	Version int    `bson:"version"`
}

// startCounting makes the counter of all that is done to schedules.
func startCounting(ctx context.Context, s *Store) error {
	err := s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collMeta).InsertOne(ctx, bson.D{{Key: "_id", Value: "sequence"}, {Key: "n", Value: int64(0)}})
		return err
	})
	if driver.IsDuplicateKeyError(err) {
		return nil
	}
	return err
}

// migrate brings the database to the newest schema, or refuses it.
func (s *Store) migrate(ctx context.Context, steps []migration) error {
	const what = "read the schema version"
	for {
		doc, err := findOne[schemaDoc](ctx, s, collMeta, byID("schema"))
		switch {
		case errors.Is(err, driver.ErrNoDocuments):
			err = s.raw(ctx, func(ctx context.Context) error {
				_, err := s.db.Collection(collMeta).InsertOne(ctx, schemaDoc{ID: "schema"})
				return err
			})
			if err != nil && !driver.IsDuplicateKeyError(err) {
				return failed(ctx, what, err)
			}
			continue
		case err != nil:
			return failed(ctx, what, err)
		case doc.Version > len(steps):
			return fmt.Errorf("the database %q has schema version %d, written by a newer Hark; this one knows up to %d: use that version of Hark, or another database",
				s.db.Name(), doc.Version, len(steps))
		case doc.Version == len(steps):
			return nil
		}
		if err := steps[doc.Version](ctx, s); err != nil {
			return failed(ctx, fmt.Sprintf("move the database to schema version %d", doc.Version+1), err)
		}
		_, err = s.update(ctx, collMeta, bson.D{{Key: "_id", Value: "schema"}, {Key: "version", Value: doc.Version}},
			set(bson.E{Key: "version", Value: doc.Version + 1}))
		if err != nil {
			return failed(ctx, what, err)
		}
	}
}

// index makes the indexes that are missing.
func (s *Store) index(ctx context.Context) error {
	sparse := options.Index().SetSparse(true)
	for _, c := range []struct {
		coll string
		keys []string // a minus: descending
		opts *options.IndexOptionsBuilder
	}{
		{collTurns, []string{"received", "at"}, nil},
		{collTurns, []string{"at"}, nil},
		{collTurns, []string{"open"}, sparse},
		{collTurns, []string{"owed.id"}, sparse},
		{collTurns, []string{"owed.to"}, sparse},
		{collTurns, []string{"owed.expires"}, sparse},
		{collSchedules, []string{"ready"}, sparse},
		{collSchedules, []string{"home", "due"}, nil},
		{collSchedules, []string{"home", "skill"}, nil},
		{collSchedules, []string{"owner"}, sparse},
		{collSchedules, []string{"dead"}, sparse},
		{collDevices, []string{"home", "device"}, nil},
		{collEntities, []string{"home", "entity"}, nil},
		{collReadings, []string{"home", "-at", "device", "key"}, nil},
		{collVersions, []string{"skill", "created"}, nil},
		{collArtifacts, []string{"hash"}, nil},
		{collChunks, []string{"upload"}, nil},
	} {
		keys := make(bson.D, 0, len(c.keys))
		for _, k := range c.keys {
			direction := 1
			if name, down := strings.CutPrefix(k, "-"); down {
				k, direction = name, -1
			}
			keys = append(keys, bson.E{Key: k, Value: direction})
		}
		err := s.call(ctx, "make an index on "+c.coll, func(ctx context.Context) error {
			_, err := s.db.Collection(c.coll).Indexes().CreateOne(ctx, driver.IndexModel{Keys: keys, Options: c.opts})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
