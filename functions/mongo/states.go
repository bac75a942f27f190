package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// maxRecent bounds the evidence that a state holds. It is gone a round trip
// after the turn; only crashes let it pile up, and then it is worked off.
const maxRecent = 32

// errFull is a state whose evidence must be worked off first.
var errFull = errors.New("the state holds too many turns that are not finished")

// State returns a state; one never written has revision 0 and no value.
// Revisions only grow, but not always by one: discarding a turn that may still
// be on its way takes a revision without a value of its own.
func (s *Store) State(ctx context.Context, key assistant.StateKey) (assistant.State, error) {
	doc, err := findOne[stateDoc](ctx, s, collStates, byID(path(key.Home, key.Skill, key.Scope)))
	if errors.Is(err, driver.ErrNoDocuments) {
		return assistant.State{}, nil
	}
	if err != nil {
		return assistant.State{}, failed(ctx, "read a state", err)
	}
	st := assistant.State{Revision: doc.Revision}
	if doc.Value != nil {
		st.Value = []byte(*doc.Value)
	}
	return st, nil
}

// swap is the commit point of an attempt with state.
func (s *Store) swap(ctx context.Context, a *attempt) error {
	for {
		err := s.swaps.do(a)
		if !errors.Is(err, errFull) {
			return err
		}
		if err := s.workOff(ctx, a.State.ID); err != nil {
			return err
		}
	}
}

// swapStates compares and swaps. A bulk write says how many of its writes found
// their revision, not which: where it was not all, the states are read again.
func (s *Store) swapStates(ctx context.Context, list []*attempt) []error {
	writes := make([]driver.WriteModel, len(list))
	for i, a := range list {
		if a.State.Base == 0 {
			writes[i] = driver.NewInsertOneModel().SetDocument(
				stateDoc{ID: a.State.ID, Revision: 1, Value: a.value, Recent: []string{a.Attempt}})
			continue
		}
		value := bson.E{Key: "$set", Value: bson.D{{Key: "revision", Value: a.State.Base + 1}, {Key: "value", Value: a.value}}}
		writes[i] = driver.NewUpdateOneModel().
			SetFilter(bson.D{
				{Key: "_id", Value: a.State.ID},
				{Key: "revision", Value: a.State.Base},
				{Key: "recent." + strconv.Itoa(maxRecent-1), Value: exists(false)},
			}).
			SetUpdate(bson.D{value, {Key: "$push", Value: bson.D{{Key: "recent", Value: a.Attempt}}}})
	}
	var found int64
	err := s.raw(ctx, func(ctx context.Context) error {
		res, err := s.db.Collection(collStates).BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		if res != nil {
			found = res.InsertedCount + res.MatchedCount
		}
		return err
	})
	if _, err := refused(err); err != nil {
		return each(list, err) // perhaps some still arrive: whoever resolves them shuts them out
	}
	if err == nil && found == int64(len(list)) {
		return each(list, nil)
	}
	return s.whoWon(ctx, list)
}

// whoWon reads from the states which of the attempts changed them.
func (s *Store) whoWon(ctx context.Context, list []*attempt) []error {
	ids := make([]string, len(list))
	for i, a := range list {
		ids[i] = a.State.ID
	}
	docs, err := findAll[stateDoc](ctx, s, collStates, among(ids))
	if err != nil {
		return each(list, err)
	}
	states := make(map[string]stateDoc, len(docs))
	for _, d := range docs {
		states[d.ID] = d
	}
	out := make([]error, len(list))
	for i, a := range list {
		switch st := states[a.State.ID]; {
		case slices.Contains(st.Recent, a.Attempt):
		case st.Revision != a.State.Base:
			out[i] = assistant.ErrConflict
		case len(st.Recent) >= maxRecent:
			out[i] = errFull
		default: // it did not match, and then somebody made it match
			out[i] = assistant.ErrConflict
		}
	}
	return out
}

// workOff finishes the turns that a state holds evidence of.
func (s *Store) workOff(ctx context.Context, id string) error {
	st, err := findOne[stateDoc](ctx, s, collStates, byID(id))
	if err != nil {
		return err
	}
	for _, name := range st.Recent {
		if s.flights.has(name) {
			continue
		}
		turn, _, _ := strings.Cut(name, "#")
		t, err := findOne[turnDoc](ctx, s, collTurns, bson.D{{Key: "_id", Value: turn}, {Key: "attempt", Value: name}})
		switch {
		case errors.Is(err, driver.ErrNoDocuments) || err == nil && t.Open == "":
			// Finished, and its removal from here was lost.
			_, err = s.update(ctx, collStates, byID(id),
				bson.D{{Key: "$pull", Value: bson.D{{Key: "recent", Value: name}}}})
		case err == nil:
			_, err = s.resolve(ctx, &t)
		}
		if err != nil {
			return fmt.Errorf("finish what changed the state before: %w", err)
		}
	}
	return nil
}

// evidence tells whether an attempt changed its state. If it did not, then it
// never will: where it still could, its revision is taken from it.
func (s *Store) evidence(ctx context.Context, t *turnDoc) (bool, error) {
	for {
		st, err := findOne[stateDoc](ctx, s, collStates, byID(t.State.ID))
		switch {
		case errors.Is(err, driver.ErrNoDocuments) && t.State.Base == 0:
			err = s.raw(ctx, func(ctx context.Context) error {
				_, err := s.db.Collection(collStates).InsertOne(ctx, stateDoc{ID: t.State.ID, Revision: 1, Recent: []string{}})
				return err
			})
			if driver.IsDuplicateKeyError(err) {
				continue
			}
			return false, err
		case errors.Is(err, driver.ErrNoDocuments):
			return false, nil
		case err != nil:
			return false, err
		case slices.Contains(st.Recent, t.Attempt):
			return true, nil
		case st.Revision != t.State.Base:
			return false, nil
		}
		matched, err := s.update(ctx, collStates,
			bson.D{{Key: "_id", Value: t.State.ID}, {Key: "revision", Value: t.State.Base}},
			bson.D{{Key: "$inc", Value: bson.D{{Key: "revision", Value: int64(1)}}}})
		if err != nil || matched {
			return false, err
		}
	}
}
