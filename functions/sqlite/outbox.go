package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
)

// owed is a message on its way into the outbox.
type owed struct {
	id, home, device string
	expires          any
	doc              string
	settled          bool // while it was in the journal: it need not be posted
}

func (b *batch) owe(m *assistant.Message) owed {
	return owed{id: m.ID, home: m.Home, device: m.Device, expires: millis(m.Expires), doc: b.document(m)}
}

// outbox is what the writer knows of the table of that name.
type outbox struct {
	seq int64 // of the last message
	// room is how many messages a device may at least still get before it has to be
	// looked how many lie there.
	room map[topic.Device]int
}

// add owes a message. What a device leaves lying is bounded: the oldest make room.
// The clause says what becomes of one that is there; empty: an error.
func (o *outbox) add(ctx context.Context, t *tx, m *owed, conflict string) error {
	o.seq++
	if _, err := t.exec(ctx, `INSERT INTO outbox (id, home, device, seq, expires, doc) VALUES (?, ?, ?, ?, ?, ?) `+conflict,
		m.id, m.home, m.device, o.seq, m.expires, m.doc); err != nil {
		return err
	}
	d := topic.Device{Home: m.home, ID: m.device}
	if o.room[d]--; o.room[d] >= 0 {
		return nil
	}
	var lying int
	if err := t.row(ctx, `SELECT COUNT(*) FROM outbox WHERE home = ? AND device = ?`, []any{m.home, m.device}, &lying); err != nil {
		return err
	}
	o.room[d] = max(assistant.MaxOwed-lying, 0)
	if lying <= assistant.MaxOwed {
		return nil
	}
	_, err := t.exec(ctx, `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE home = ? AND device = ? ORDER BY seq LIMIT ?)`,
		m.home, m.device, lying-assistant.MaxOwed)
	return err
}

// Owed returns what is owed to a device, oldest first, at most limit.
func (s *Store) Owed(ctx context.Context, home, device string, limit int) ([]assistant.Message, error) {
	if limit < 1 {
		return nil, nil
	}
	what := fmt.Sprintf("look what is owed to %s/%s", home, device)
	if s.writer.pending.owes(home, device) {
		if err := s.writer.flush(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	settled := s.writer.pending.isSettled()
	owed, err := documents[assistant.Message](ctx, s.reads,
		`SELECT doc FROM outbox WHERE home = ? AND device = ? ORDER BY seq LIMIT ?`, home, device, limit+len(settled))
	if err != nil {
		return nil, failed(what, err)
	}
	owed = slices.DeleteFunc(owed, func(m assistant.Message) bool { return settled[m.ID] })
	return owed[:min(limit, len(owed))], nil
}

// Settle removes messages, after the commits that began before it and without
// waiting for the disk: a removal that is lost in a crash, or to a full disk,
// only lets a device get a message again that it knows.
func (s *Store) Settle(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	ids = slices.Clone(ids)
	size := 0
	for _, id := range ids {
		size += len(id) + 16
	}
	return s.writer.later(ctx, write{what: "settle messages", size: size, enter: func(_ context.Context, e *entries) error {
		e.settled = append(e.settled, ids...)
		return nil
	}})
}

func settle(ctx context.Context, t *tx, ids []string) error {
	for _, id := range ids {
		if _, err := t.exec(ctx, `DELETE FROM outbox WHERE id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

// Expired removes and returns messages that expired by now, at most limit,
// those first that expired first.
func (s *Store) Expired(ctx context.Context, now time.Time, limit int) ([]assistant.Message, error) {
	if limit < 1 {
		return nil, nil
	}
	if err := s.writer.flush(ctx); err != nil {
		return nil, fmt.Errorf("look what has expired: %w", err)
	}
	// Nearly all of the outbox is young, so it is looked through without an index,
	// and neither by the writer nor among the reads of the road.
	old, err := documents[assistant.Message](ctx, s.reports,
		`SELECT doc FROM outbox WHERE expires <= ? ORDER BY expires, seq LIMIT ?`, now.UnixMilli(), limit)
	if err != nil || len(old) == 0 {
		return nil, failed("look what has expired", err)
	}
	var expired []assistant.Message
	err = s.writer.do(ctx, write{what: "remove expired messages", apply: func(ctx context.Context, t *tx) error {
		expired = nil
		for _, m := range old {
			n, err := t.exec(ctx, `DELETE FROM outbox WHERE id = ?`, m.ID)
			if err != nil {
				return err
			}
			if n > 0 { // the device has not fetched it meanwhile
				expired = append(expired, m)
			}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return expired, nil
}
