package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// errDocument is a document that does not decode: damage, or a newer Hark.
var errDocument = errors.New("the stored document is unreadable")

// maxTurns is the largest limit of Turns.
const maxTurns = 1000

// FindTurn returns the first of the ids that is committed, else ErrNotFound.
func (s *Store) FindTurn(ctx context.Context, ids ...string) (*assistant.Turn, error) {
	// Two at a time: a message has two ids, see assistant.MessageTurnID.
	for pair := range slices.Chunk(ids, 2) {
		var doc []byte
		err := s.reads.row(ctx, `
			SELECT COALESCE((SELECT doc FROM turns WHERE id = ?), (SELECT doc FROM turns WHERE id = ?))`,
			[]any{pair[0], pair[len(pair)-1]}, &doc)
		if err != nil {
			return nil, failed("find a turn", err)
		}
		if doc == nil {
			continue
		}
		var t assistant.Turn
		return &t, failed("find a turn", decode(doc, &t))
	}
	return nil, fmt.Errorf("find a turn: %w", assistant.ErrNotFound)
}

// State returns a state; one never written has revision 0 and no value.
func (s *Store) State(ctx context.Context, key assistant.StateKey) (assistant.State, error) {
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
	turns, err := documents[assistant.Turn](ctx, s.reports, `
		SELECT doc FROM turns ORDER BY received DESC, seq DESC LIMIT ?`, limit)
	return turns, failed("list turns", err)
}

// Commit makes a turn and all its effects durable, in one transaction that it
// may share with others. Schedules are cancelled before others are set.
func (s *Store) Commit(ctx context.Context, c *assistant.Commit) error {
	what := "commit turn " + c.Turn.ID
	b := batch{}
	b.turn(c)
	b.effects(c)
	if b.err != nil {
		return fmt.Errorf("%s: %w", what, b.err)
	}
	check := newCheck(c)
	return s.writer.do(ctx, write{what: what, size: b.size, apply: func(ctx context.Context, t *tx) error {
		if err := check.refusal(ctx, t); err != nil {
			return err
		}
		return b.run(ctx, t)
	}})
}

// check is what must hold before anything of a commit is written. It is a copy:
// the caller may be gone when it is made.
type check struct {
	turn  string
	fired *assistant.ScheduleKey
	due   int64
	state *assistant.StateKey
	base  int64
	sets  []assistant.ScheduleKey
	gone  []assistant.ScheduleKey // fired or cancelled
}

func newCheck(c *assistant.Commit) check {
	k := check{turn: c.Turn.ID}
	if c.Fired != nil {
		key := c.Fired.ScheduleKey
		k.fired, k.due = &key, c.Fired.Due.UnixMilli()
	}
	if c.State != nil {
		key := c.State.Key
		k.state, k.base = &key, c.State.Base
	}
	for _, sc := range c.Set {
		k.sets = append(k.sets, sc.ScheduleKey)
	}
	k.gone = slices.Clone(c.Cancel)
	if k.fired != nil {
		k.gone = append(k.gone, *k.fired)
	}
	return k
}

func (k check) refusal(ctx context.Context, t *tx) error {
	var found int64
	switch err := t.row(ctx, `SELECT 1 FROM turns WHERE id = ?`, []any{k.turn}, &found); {
	case err == nil:
		return assistant.ErrDuplicate
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if k.fired != nil {
		err := t.row(ctx, `SELECT due FROM schedules WHERE home = ? AND skill = ? AND id = ?`,
			[]any{k.fired.Home, k.fired.Skill, k.fired.ID}, &found)
		if errors.Is(err, sql.ErrNoRows) || err == nil && found != k.due {
			return assistant.ErrGone
		}
		if err != nil {
			return err
		}
	}
	if k.state != nil {
		found = 0
		err := t.row(ctx, `SELECT revision FROM states WHERE home = ? AND skill = ? AND scope = ?`,
			[]any{k.state.Home, k.state.Skill, k.state.Scope}, &found)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if found != k.base {
			return assistant.ErrConflict
		}
	}
	return k.room(ctx, t)
}

// room refuses schedules beyond what a skill may have in a home, once those are
// gone that the commit takes away or sets anew.
func (k check) room(ctx context.Context, t *tx) error {
	if len(k.sets) == 0 {
		return nil
	}
	home, skill := k.sets[0].Home, k.sets[0].Skill // a turn sets those of its own skill
	touched := make([]string, 0, len(k.sets)+len(k.gone))
	for _, key := range slices.Concat(k.sets, k.gone) {
		touched = append(touched, key.ID)
	}
	var others int
	if err := t.row(ctx, `SELECT COUNT(*) FROM schedules WHERE home = ? AND skill = ? AND id NOT IN (SELECT value FROM json_each(?))`,
		[]any{home, skill, array(touched)}, &others); err != nil {
		return err
	}
	if others+len(k.sets) > assistant.MaxSchedules {
		return assistant.ErrTooMany
	}
	return nil
}

// batch is the statements of a commit, encoded by the caller so that the writer
// has only to run them.
type batch struct {
	statements []statement
	size       int
	err        error // the first that could not be encoded
}

type statement struct {
	query string
	args  []any
}

func (b *batch) add(query string, args ...any) {
	b.statements = append(b.statements, statement{query, args})
	b.size += 16 * len(args)
}

// document encodes a value of the domain.
func (b *batch) document(v any) string {
	doc, err := json.Marshal(v)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.size += len(doc)
	return string(doc)
}

func (b *batch) run(ctx context.Context, t *tx) error {
	for _, st := range b.statements {
		if _, err := t.exec(ctx, st.query, st.args...); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) turn(c *assistant.Commit) {
	received := c.Turn.Received.UnixMilli()
	b.add(`INSERT INTO turns (id, received, doc) VALUES (?, ?, ?)`, c.Turn.ID, received, b.document(c.Turn))
	for n, in := range c.Turn.Invocations {
		b.add(`INSERT INTO invocations (received, turn, n, id, home, skill, version, outcome, cold,
			wall_ms, cpu_ns, memory_mib, micro_cu) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			received, c.Turn.ID, n, in.ID, c.Turn.Home, in.Skill, in.Version, string(in.Outcome), in.Cold,
			wholeMillis(in.Wall), in.CPU.Nanoseconds(), in.MemoryMiB, in.MicroCU)
	}
}

func (b *batch) effects(c *assistant.Commit) {
	if c.Fired != nil {
		b.removeSchedule(c.Fired.ScheduleKey)
	}
	if st := c.State; st != nil {
		var value any
		if st.Value != nil {
			value = string(st.Value)
			b.size += len(st.Value)
		}
		b.add(`INSERT INTO states (home, skill, scope, revision, value) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET revision = excluded.revision, value = excluded.value`,
			st.Key.Home, st.Key.Skill, st.Key.Scope, st.Base+1, value)
	}
	for _, key := range c.Cancel {
		b.removeSchedule(key)
	}
	for i := range c.Set {
		b.setSchedule(&c.Set[i])
	}
	for i := range c.Messages {
		b.owe(&c.Messages[i])
	}
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
