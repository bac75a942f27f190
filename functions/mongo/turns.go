package mongo

import (
	"context"
	"fmt"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// maxTurns is the largest limit of Turns.
const maxTurns = 1000

// FindTurn returns the first of the ids that is committed, else ErrNotFound.
func (s *Store) FindTurn(ctx context.Context, ids ...string) (*assistant.Turn, error) {
	const what = "find a turn"
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: %w", what, assistant.ErrNotFound)
	}
	found, err := findAll[turnDoc](ctx, s, collTurns, among(ids),
		options.Find().SetProjection(bson.D{{Key: "phase", Value: 1}, {Key: "doc", Value: 1}}))
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	docs := make(map[string]string, len(found))
	for _, t := range found {
		if t.Phase == committed {
			docs[t.ID] = t.Doc
		}
	}
	for _, id := range ids {
		if doc, ok := docs[id]; ok {
			t, err := decode[assistant.Turn](doc)
			return &t, failed(ctx, what, err)
		}
	}
	return nil, fmt.Errorf("%s: %w", what, assistant.ErrNotFound)
}

// Turns returns the newest turns by the time they were received, newest first,
// once all that this store was committing before the call is committed.
func (s *Store) Turns(ctx context.Context, limit int) ([]assistant.Turn, error) {
	if limit < 1 || limit > maxTurns {
		return nil, fmt.Errorf("list turns: the limit is 1 to %d, not %d", maxTurns, limit)
	}
	if err := s.flights.wait(ctx); err != nil {
		return nil, fmt.Errorf("list turns: %w", err)
	}
	found, err := findAll[turnDoc](ctx, s, collTurns, bson.D{isCommitted()},
		options.Find().SetSort(bson.D{{Key: "received", Value: -1}, {Key: "at", Value: -1}}).SetLimit(int64(limit)).
			SetProjection(bson.D{{Key: "doc", Value: 1}}))
	if err != nil {
		return nil, failed(ctx, "list turns", err)
	}
	return decodeAll[assistant.Turn](ctx, "list turns", found, func(t turnDoc) string { return t.Doc })
}

func isCommitted() bson.E { return bson.E{Key: "phase", Value: committed} }

func decodeAll[T, D any](ctx context.Context, what string, docs []D, doc func(D) string) ([]T, error) {
	list := make([]T, 0, len(docs))
	for _, d := range docs {
		v, err := decode[T](doc(d))
		if err != nil {
			return nil, failed(ctx, what, err)
		}
		list = append(list, v)
	}
	return list, nil
}
