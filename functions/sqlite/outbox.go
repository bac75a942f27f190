package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

func (b *batch) owe(m *assistant.Message) {
	b.add(`INSERT INTO outbox (id, home, device, expires, doc) VALUES (?, ?, ?, ?, ?)`,
		m.ID, m.Home, m.Device, millis(m.Expires), b.document(m))
	// What a device leaves lying is bounded: the oldest make room.
	b.add(`DELETE FROM outbox WHERE home = ?1 AND device = ?2 AND seq <=
		(SELECT seq FROM outbox WHERE home = ?1 AND device = ?2 ORDER BY seq DESC LIMIT 1 OFFSET ?3)`,
		m.Home, m.Device, assistant.MaxOwed)
}

// Owed returns what is owed to a device, oldest first, at most limit.
func (s *Store) Owed(ctx context.Context, home, device string, limit int) ([]assistant.Message, error) {
	if limit < 1 {
		return nil, nil
	}
	owed, err := documents[assistant.Message](ctx, s.reads,
		`SELECT doc FROM outbox WHERE home = ? AND device = ? ORDER BY seq LIMIT ?`, home, device, limit)
	if err != nil {
		return nil, failed(fmt.Sprintf("look what is owed to %s/%s", home, device), err)
	}
	return owed, nil
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
	return s.writer.later(ctx, write{what: "settle messages", size: size, apply: func(ctx context.Context, t *tx) error {
		return settle(ctx, t, ids)
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
	var expired []assistant.Message
	err := s.writer.do(ctx, write{what: "remove expired messages", apply: func(ctx context.Context, t *tx) error {
		expired = nil
		var ids []string
		err := t.each(ctx, `SELECT doc FROM outbox WHERE expires <= ? ORDER BY expires, seq LIMIT ?`,
			[]any{now.UnixMilli(), limit},
			func(rows *sql.Rows) error {
				m, err := scanDocument[assistant.Message](rows)
				expired = append(expired, m)
				ids = append(ids, m.ID)
				return err
			})
		if err != nil {
			return err
		}
		return settle(ctx, t, ids)
	}})
	if err != nil {
		return nil, err
	}
	return expired, nil
}
