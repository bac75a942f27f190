package mongo

import (
	"context"
	"fmt"
	"slices"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// maxState bounds what is known of one entity, in bytes: news adds to it for as
// long as the entity lives.
const maxState = 1 << 20

// errTooLarge is a state that may not be kept, however often it is sent.
var errTooLarge = fmt.Errorf("the state of an entity would have more than the %d bytes allowed", maxState)

// entityDoc is an entity. What describes it and what is known of its state
// change apart from each other.
type entityDoc struct {
	ID     string `bson:"_id"`
	Home   string `bson:"home"`
	Entity string `bson:"entity"`
	Domain string `bson:"domain"`
	Name   string `bson:"name"`
	Area   string `bson:"area"`
	Device string `bson:"device"` // whose it is; empty: nobody's

	State    string `bson:"state"` // JSON: the name of a field must not hold whatever a key may
	Updated  *int64 `bson:"updated,omitempty"`
	Revision int64  `bson:"revision"` // of the state
}

func newEntity(e *assistant.Entity) (entityDoc, error) {
	d := entityDoc{
		ID: path(e.Home, e.ID), Home: e.Home, Entity: e.ID, Domain: e.Domain, Name: e.Name, Area: e.Area, Device: e.Device,
		State: "{}", Updated: millis(e.Updated),
	}
	if e.State == nil {
		return d, nil
	}
	enc := encoder{}
	if d.State = enc.json(e.State); enc.err == nil && len(d.State) > maxState {
		enc.err = errTooLarge
	}
	return d, enc.err
}

func (d *entityDoc) entity() (assistant.Entity, error) {
	state, err := decode[map[string]any](d.State)
	return assistant.Entity{
		Home: d.Home, ID: d.Entity, Domain: d.Domain, Name: d.Name, Area: d.Area, Device: d.Device,
		State: state, Updated: fromMillis(d.Updated),
	}, err
}

// description is all but the state.
func (d *entityDoc) description() bson.D {
	return bson.D{
		{Key: "home", Value: d.Home},
		{Key: "entity", Value: d.Entity},
		{Key: "domain", Value: d.Domain},
		{Key: "name", Value: d.Name},
		{Key: "area", Value: d.Area},
		{Key: "device", Value: d.Device},
	}
}

// describe sets the description to what the fields say. The state is set only
// where there was no entity.
func (d *entityDoc) describe(fields bson.D) bson.D {
	known := bson.D{{Key: "state", Value: d.State}, {Key: "revision", Value: d.Revision}}
	if d.Updated != nil {
		known = append(known, bson.E{Key: "updated", Value: *d.Updated})
	}
	return bson.D{{Key: "$set", Value: fields}, {Key: "$setOnInsert", Value: known}}
}

// stated leaves out the fields that are empty.
func stated(fields bson.D) bson.D {
	return slices.DeleteFunc(fields, func(f bson.E) bool { return f.Value == "" })
}

// merge changes the document of an id, or inserts one. Two that insert at once
// are told apart by the index on _id; the one that lost then changes.
func (s *Store) merge(ctx context.Context, coll, id string, change bson.D) error {
	return s.raw(ctx, func(ctx context.Context) error {
		for {
			_, err := s.db.Collection(coll).UpdateOne(ctx, byID(id), change, options.UpdateOne().SetUpsert(true))
			if !driver.IsDuplicateKeyError(err) {
				return err
			}
		}
	})
}

// own keeps the entities that a device says it has, but for those of another.
func (s *Store) own(ctx context.Context, list []entityDoc) error {
	list, err := s.claim(ctx, list, true)
	if err == nil {
		// These are another's, or have just been made by somebody else.
		_, err = s.claim(ctx, list, false)
	}
	return err
}

// claim describes the entities that are their device's or nobody's, and inserts
// those that are missing if it may. It returns those that it could not insert,
// because they exist and did not match.
func (s *Store) claim(ctx context.Context, list []entityDoc, insert bool) (exist []entityDoc, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	writes := make([]driver.WriteModel, len(list))
	for i := range list {
		d := &list[i]
		writes[i] = driver.NewUpdateOneModel().
			SetFilter(bson.D{
				{Key: "_id", Value: d.ID},
				{Key: "device", Value: bson.D{{Key: "$in", Value: []string{"", d.Device}}}},
			}).
			SetUpdate(d.describe(stated(d.description()))).SetUpsert(insert)
	}
	codes, err := refused(s.bulk(ctx, collEntities, writes))
	for i := range codes {
		exist = append(exist, list[i])
	}
	return exist, err
}

// PutEntity makes or replaces an entity by hand; a state that is known is kept.
func (s *Store) PutEntity(ctx context.Context, e assistant.Entity) error {
	what := "keep entity " + e.Home + "/" + e.ID
	d, err := newEntity(&e)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return failed(ctx, what, s.merge(ctx, collEntities, d.ID, d.describe(d.description())))
}

// Entity returns an entity, or ErrNotFound.
func (s *Store) Entity(ctx context.Context, home, id string) (assistant.Entity, error) {
	what := "find entity " + home + "/" + id
	d, err := findOne[entityDoc](ctx, s, collEntities, byID(path(home, id)))
	if err != nil {
		return assistant.Entity{}, failed(ctx, what, err)
	}
	e, err := d.entity()
	return e, failed(ctx, what, err)
}

// Entities lists the entities of a home by id.
func (s *Store) Entities(ctx context.Context, home string) ([]assistant.Entity, error) {
	what := "list the entities of " + home
	docs, err := findAll[entityDoc](ctx, s, collEntities, bson.D{{Key: "home", Value: home}},
		options.Find().SetSort(bson.D{{Key: "entity", Value: 1}}))
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	list := make([]assistant.Entity, len(docs))
	for i := range docs {
		if list[i], err = docs[i].entity(); err != nil {
			return nil, failed(ctx, what, err)
		}
	}
	return list, nil
}
