package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// errDocument is a document that does not decode: damage, or a newer Hark.
var errDocument = errors.New("the stored document is unreadable")

// maxTurns is the largest limit of Turns.
const maxTurns = 1000

// turnNumbers is how many turns of one millisecond have different keys.
const turnNumbers = 1 << 20

// turnKey orders turns by the time they were received, so that no index is
// needed for that. The number tells those of the same millisecond apart.
func turnKey(received time.Time, n int64) int64 {
	const last = math.MaxInt64/turnNumbers - 1 // in the year 2248
	return min(max(received.UnixMilli(), 0), last)*turnNumbers + n%turnNumbers
}

// FindTurn returns the first of the ids that is committed, else ErrNotFound.
func (s *Store) FindTurn(ctx context.Context, ids ...string) (*assistant.Turn, error) {
	row := func(query string, args []any, dest ...any) error { return s.reads.row(ctx, query, args, dest...) }
	for _, id := range ids {
		if !s.known.mayHave(id) {
			continue
		}
		if doc, ok := s.writer.pending.turn(id); ok {
			var t assistant.Turn
			return &t, failed("find a turn", decode([]byte(doc), &t))
		}
		key, err := s.writer.ids.find(id, row)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		var doc []byte
		if err == nil {
			err = row(`SELECT doc FROM turns WHERE key = ?`, []any{key}, &doc)
		}
		if err != nil {
			return nil, failed("find a turn", err)
		}
		var t assistant.Turn
		return &t, failed("find a turn", decode(doc, &t))
	}
	return nil, fmt.Errorf("find a turn: %w", assistant.ErrNotFound)
}

// State returns a state; one never written has revision 0 and no value.
func (s *Store) State(ctx context.Context, key assistant.StateKey) (assistant.State, error) {
	if st, ok := s.writer.pending.state(key); ok {
		return st, nil
	}
	if st, ok := s.states.get(key); ok {
		return st, nil
	}
	var st assistant.State
	var value []byte
	err := s.reads.row(ctx, `SELECT revision, value FROM states WHERE home = ? AND skill = ? AND scope = ?`,
		[]any{key.Home, key.Skill, key.Scope}, &st.Revision, &value)
	if errors.Is(err, sql.ErrNoRows) {
		return assistant.State{}, nil
	}
	st.Value = value
	return st, failed("read a state", err)
}

// Turns returns the newest turns by the time they were received, newest first,
// once all that was queued before the call is committed.
func (s *Store) Turns(ctx context.Context, limit int) ([]assistant.Turn, error) {
	if limit < 1 || limit > maxTurns {
		return nil, fmt.Errorf("list turns: the limit is 1 to %d, not %d", maxTurns, limit)
	}
	if err := s.writer.flush(ctx); err != nil {
		return nil, fmt.Errorf("list turns: %w", err)
	}
	turns, err := documents[assistant.Turn](ctx, s.reports, `SELECT doc FROM turns ORDER BY key DESC LIMIT ?`, limit)
	return turns, failed("list turns", err)
}

// wholeMillis rounds up, as metering does.
func wholeMillis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

func decode(doc []byte, v any) error {
	if err := json.Unmarshal(doc, v); err != nil {
		return fmt.Errorf("%w: %w", errDocument, err)
	}
	return nil
}

// documents reads the documents that a query selects.
func documents[T any](ctx context.Context, r *reader, query string, args ...any) ([]T, error) {
	var out []T
	err := r.each(ctx, query, args, func(rows *sql.Rows) error {
		v, err := scanDocument[T](rows)
		out = append(out, v)
		return err
	})
	return out, err
}

func scanDocument[T any](rows *sql.Rows) (v T, err error) {
	var doc sql.RawBytes
	if err := rows.Scan(&doc); err != nil {
		return v, err
	}
	return v, decode(doc, &v)
}
