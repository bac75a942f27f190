package mongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// owedFields is what the outbox reads of a turn.
func owedFields() bson.D {
	return bson.D{{Key: "at", Value: 1}, {Key: "owed", Value: 1}}
}

// Owed returns what is owed to a device, oldest first, at most limit. What is
// beyond MaxOwed is given up here, because what nobody asks for expires anyway.
func (s *Store) Owed(ctx context.Context, home, device string, limit int) ([]assistant.Message, error) {
	what := fmt.Sprintf("look what is owed to %s/%s", home, device)
	if limit < 1 {
		return nil, nil
	}
	to := path(home, device)
	for {
		owed, err := s.owedTo(ctx, to, 1, limit)
		if err != nil {
			return nil, failed(ctx, what, err)
		}
		owed = owed[:min(limit, len(owed))]
		var old []string
		if len(owed) >= min(limit, assistant.MaxOwed+1) { // there may be more than the device may have
			if old, err = s.tooOld(ctx, to, owed); err != nil {
				return nil, failed(ctx, what, err)
			}
		}
		if len(old) == 0 {
			return decodeAll[assistant.Message](ctx, what, owed, func(m owedDoc) string { return m.Doc })
		}
		if err := s.settleMessages(ctx, old)[0]; err != nil {
			return nil, failed(ctx, what, err)
		}
	}
}

// owedTo reads the messages of at most so many turns, the oldest turn first in
// direction 1, the newest in direction -1.
func (s *Store) owedTo(ctx context.Context, to string, direction, turns int) ([]owedDoc, error) {
	found, err := findAll[turnDoc](ctx, s, collTurns, bson.D{{Key: "owed.to", Value: to}, isCommitted()},
		options.Find().SetSort(bson.D{{Key: "at", Value: direction}, {Key: "_id", Value: direction}}).
			SetLimit(int64(turns)).SetProjection(owedFields()))
	var owed []owedDoc
	for _, t := range found {
		if direction < 0 {
			slices.Reverse(t.Owed)
		}
		for _, m := range t.Owed {
			if m.To == to {
				owed = append(owed, m)
			}
		}
	}
	return owed, err
}

// tooOld returns those of the messages that are not among the newest MaxOwed.
func (s *Store) tooOld(ctx context.Context, to string, owed []owedDoc) ([]string, error) {
	newest, err := s.owedTo(ctx, to, -1, assistant.MaxOwed)
	if err != nil {
		return nil, err
	}
	keep := make(map[string]bool, assistant.MaxOwed)
	for _, m := range newest[:min(assistant.MaxOwed, len(newest))] {
		keep[m.ID] = true
	}
	var old []string
	for _, m := range owed {
		if !keep[m.ID] && len(keep) == assistant.MaxOwed {
			old = append(old, m.ID)
		}
	}
	return old, nil
}

// Settle removes messages, and does not wait for it: a removal that is lost in a
// crash only lets a device get a message again that it knows. A message that a
// commit under way will owe is removed after it.
func (s *Store) Settle(ctx context.Context, ids ...string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("settle messages: %w", err)
	}
	note := func(err error) {
		if err != nil {
			s.logger.Debug("the settling of a message was lost", "error", err)
		}
	}
	for _, id := range ids {
		if a := s.flights.owing(id); a != nil {
			go func() {
				<-a.done
				s.settles.add(id, note)
			}()
			continue
		}
		s.settles.add(id, note)
	}
	return nil
}

// settleMessages takes messages off their turns.
func (s *Store) settleMessages(ctx context.Context, ids []string) []error {
	these := bson.D{{Key: "$in", Value: ids}}
	return each(ids, s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collTurns).UpdateMany(ctx, bson.D{{Key: "owed.id", Value: these}},
			bson.D{{Key: "$pull", Value: bson.D{{Key: "owed", Value: bson.D{{Key: "id", Value: these}}}}}})
		return err
	}))
}

// expiring is a message with its place.
type expiring struct {
	owedDoc
	turn string
	at   int64
}

// Expired removes and returns messages that expired by now, at most limit,
// those first that expired first.
func (s *Store) Expired(ctx context.Context, now time.Time, limit int) ([]assistant.Message, error) {
	const what = "remove expired messages"
	var claimed []owedDoc
	for limit > 0 && len(claimed) == 0 {
		list, err := s.expiring(ctx, now.UnixMilli(), limit)
		if err != nil || len(list) == 0 {
			return nil, failed(ctx, what, err)
		}
		if claimed, err = s.takeOff(ctx, list); err != nil && len(claimed) == 0 {
			return nil, failed(ctx, what, err)
		}
	}
	return decodeAll[assistant.Message](ctx, what, claimed, func(m owedDoc) string { return m.Doc })
}

// expiring reads messages that expired, the earliest first.
func (s *Store) expiring(ctx context.Context, now int64, limit int) ([]expiring, error) {
	turns, err := findAll[turnDoc](ctx, s, collTurns,
		bson.D{{Key: "owed.expires", Value: bson.D{{Key: "$lte", Value: now}}}, isCommitted()},
		options.Find().SetSort(bson.D{{Key: "owed.expires", Value: 1}}).SetLimit(int64(limit)).SetProjection(owedFields()))
	if err != nil {
		return nil, err
	}
	var list []expiring
	for _, t := range turns {
		for _, m := range t.Owed {
			if m.Expires != nil && *m.Expires <= now {
				list = append(list, expiring{m, t.ID, t.At})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b expiring) int {
		return cmp.Or(cmp.Compare(*a.Expires, *b.Expires), cmp.Compare(a.at, b.at))
	})
	return list[:min(limit, len(list))], nil
}

// takeOff removes messages one by one, to know which of them were still there.
func (s *Store) takeOff(ctx context.Context, list []expiring) ([]owedDoc, error) {
	mine := make([]bool, len(list))
	errs := make(chan error, len(list))
	for i, m := range list {
		go func() {
			var err error
			mine[i], err = s.update(ctx, collTurns, bson.D{{Key: "_id", Value: m.turn}, {Key: "owed.id", Value: m.ID}},
				bson.D{{Key: "$pull", Value: bson.D{{Key: "owed", Value: bson.D{{Key: "id", Value: m.ID}}}}}})
			errs <- err
		}()
	}
	var err error
	for range list {
		err = errors.Join(err, <-errs)
	}
	var taken []owedDoc
	for i, m := range list {
		if mine[i] {
			taken = append(taken, m.owedDoc)
		}
	}
	return taken, err
}
