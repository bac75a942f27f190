package mongo

import (
	"context"
	"encoding/json"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// news is a StateReport as it is merged.
type news struct {
	id     string // of the entity's document
	device string // that reports
	state  map[string]any
	at     int64
	create *entityDoc // nil: nothing is made
	bytes  int
}

func newNews(r *assistant.Report, st *assistant.StateReport) (*news, error) {
	enc := encoder{}
	doc := enc.json(st.State)
	if enc.err != nil {
		return nil, enc.err
	}
	if len(doc) > maxState {
		return nil, errTooLarge
	}
	n := &news{id: path(r.Home, st.Entity), device: r.Device, at: st.At.UnixMilli(), bytes: len(doc) + 256}
	if err := json.Unmarshal([]byte(doc), &n.state); err != nil {
		return nil, err
	}
	if st.Create != nil {
		e := *st.Create
		e.Home, e.ID, e.Device = r.Home, st.Entity, r.Device
		d, err := newEntity(&e)
		if err != nil {
			return nil, err
		}
		n.create = &d
		n.bytes += len(d.State)
	}
	return n, nil
}

func (n *news) size() int { return n.bytes }

// mergeNews merges news into the entities by compare-and-swap. Merging it again
// changes nothing, so that after a conflict the whole list is.
func (s *Store) mergeNews(ctx context.Context, list []*news) []error {
	for {
		entities, err := s.reported(ctx, list)
		if err != nil {
			return each(list, err)
		}
		out := make([]error, len(list))
		for i, n := range list {
			out[i] = entities.take(n)
		}
		if all, err := s.swapEntities(ctx, entities); err != nil {
			return each(list, err)
		} else if all {
			return out
		}
	}
}

// reportedEntity is an entity while news is merged into it.
type reportedEntity struct {
	entityDoc
	known   string // the state as it was read
	fresh   bool   // it is not stored yet
	changed bool
}

type reportedEntities map[string]*reportedEntity // by the id of the document

// reported reads the entities that the news is of.
func (s *Store) reported(ctx context.Context, list []*news) (reportedEntities, error) {
	ids := make([]string, len(list))
	for i, n := range list {
		ids[i] = n.id
	}
	docs, err := findAll[entityDoc](ctx, s, collEntities, among(ids))
	entities := make(reportedEntities, len(docs))
	for _, d := range docs {
		entities[d.ID] = &reportedEntity{entityDoc: d, known: d.State}
	}
	return entities, err
}

// take merges news into its entity, if that is the device's and knows nothing newer.
func (r reportedEntities) take(n *news) error {
	e := r[n.id]
	if e == nil {
		if n.create == nil {
			return nil
		}
		e = &reportedEntity{entityDoc: *n.create, fresh: true}
		r[n.id] = e
	}
	if e.fresh {
		return nil // it is merged once the entity is there, whoever made it
	}
	if e.Device != n.device || e.Updated != nil && *e.Updated > n.at {
		return nil
	}
	known, err := decode[map[string]any](e.State)
	if err != nil {
		return err
	}
	state, err := json.Marshal(patched(known, n.state))
	if err != nil {
		return err
	}
	if len(state) > maxState {
		return errTooLarge
	}
	if e.Updated == nil || *e.Updated != n.at || e.State != string(state) {
		e.State, e.Updated, e.changed = string(state), &n.at, true
	}
	return nil
}

// patched merges as a JSON merge patch does (RFC 7396), into known.
func patched(known any, patch map[string]any) map[string]any {
	target, ok := known.(map[string]any)
	if !ok || target == nil {
		target = make(map[string]any, len(patch))
	}
	for key, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(target, key)
		case map[string]any:
			target[key] = patched(target[key], v)
		default:
			target[key] = v
		}
	}
	return target
}

// swapEntities writes what changed, and tells whether nobody had written any of
// it in the meantime.
func (s *Store) swapEntities(ctx context.Context, entities reportedEntities) (all bool, err error) {
	var writes []driver.WriteModel
	made := false
	for _, e := range entities {
		switch {
		case e.fresh:
			made = true
			writes = append(writes, driver.NewInsertOneModel().SetDocument(e.entityDoc))
		case e.changed:
			writes = append(writes, driver.NewUpdateOneModel().
				// Compared is the state itself: a server that shows one field of a document
				// before and another after a write cannot mislead it.
				SetFilter(bson.D{{Key: "_id", Value: e.ID}, {Key: "device", Value: e.Device}, {Key: "state", Value: e.known}}).
				SetUpdate(set(
					bson.E{Key: "state", Value: e.State},
					bson.E{Key: "updated", Value: *e.Updated},
					bson.E{Key: "revision", Value: e.Revision + 1},
				)))
		}
	}
	if len(writes) == 0 {
		return true, nil
	}
	var found int64
	err = s.raw(ctx, func(ctx context.Context) error {
		res, err := s.db.Collection(collEntities).BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		if res != nil {
			found = res.InsertedCount + res.MatchedCount
		}
		return err
	})
	_, err = refused(err) // made by somebody else at the same time, which is as good
	return err == nil && !made && found == int64(len(writes)), err
}
