package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hark-voice/hark/functions/assistant"
)

// Commit makes a turn and all its effects durable: in the journal, or, where
// schedules change, in one transaction that it may share with others. Schedules
// are cancelled before others are set.
func (s *Store) Commit(ctx context.Context, c *assistant.Commit) error {
	what := "commit turn " + c.Turn.ID
	k := &commit{turn: c.Turn.ID, received: turnKey(c.Turn.Received, 0), delivered: c.Delivered}
	k.doc = k.document(c.Turn)
	k.invocations = invocationRows(c.Turn)
	k.guard(c)
	k.effects(c)
	if k.err != nil {
		return fmt.Errorf("%s: %w", what, k.err)
	}
	w := write{what: what, size: k.size}
	if c.Fired == nil && len(c.Set) == 0 && len(c.Cancel) == 0 {
		w.enter = func(ctx context.Context, e *entries) error { return k.enter(ctx, s, e) }
	} else {
		w.apply = func(ctx context.Context, t *tx) error { return k.apply(ctx, s, t) }
		w.committed = func() { k.committed(s) }
	}
	return s.writer.do(ctx, w)
}

// commit is all that a commit writes, encoded by the caller so that the writer
// has only to run it. It is a copy: the caller may be gone when it is applied.
type commit struct {
	batch // effects that need no check

	turn        string
	received    int64 // the key of the turn, without its number
	key         int64 // of the turn, once it is inserted
	late        bool  // its id is in the index already
	doc         string
	invocations [][]any
	state       *assistant.StateChange
	owed        []owed
	delivered   func(id string) bool

	// What must hold before anything is written.
	fired *assistant.ScheduleKey
	due   int64
	sets  []assistant.ScheduleKey
	gone  []assistant.ScheduleKey // fired or cancelled
}

// invocationRows are the arguments behind the key of the turn.
func invocationRows(t *assistant.Turn) [][]any {
	rows := make([][]any, 0, len(t.Invocations))
	for n, in := range t.Invocations {
		rows = append(rows, []any{
			int64(0), n, t.Home, in.Skill, in.Version, string(in.Outcome), in.Cold,
			wholeMillis(in.Wall), in.CPU.Nanoseconds(), in.MemoryMiB, in.MicroCU,
		})
	}
	return rows
}

func (k *commit) guard(c *assistant.Commit) {
	if c.Fired != nil {
		key := c.Fired.ScheduleKey
		k.fired, k.due = &key, c.Fired.Due.UnixMilli()
	}
	for _, sc := range c.Set {
		k.sets = append(k.sets, sc.ScheduleKey)
	}
	k.gone = slices.Clone(c.Cancel)
	if k.fired != nil {
		k.gone = append(k.gone, *k.fired)
	}
}

func (k *commit) effects(c *assistant.Commit) {
	if c.Fired != nil {
		k.removeSchedule(c.Fired.ScheduleKey)
	}
	if c.State != nil {
		change := *c.State
		change.Value = slices.Clone(change.Value)
		k.state = &change
		k.size += len(change.Value)
	}
	for _, key := range c.Cancel {
		k.removeSchedule(key)
	}
	for i := range c.Set {
		k.setSchedule(&c.Set[i])
	}
	for i := range c.Messages {
		k.owed = append(k.owed, k.owe(&c.Messages[i]))
	}
}

// enter checks the commit against all that was committed before, and adds it to
// a group of the journal.
func (k *commit) enter(ctx context.Context, s *Store, e *entries) error {
	row := func(query string, args []any, dest ...any) error { return s.reads.row(ctx, query, args, dest...) }
	if err := k.duplicate(s, e.turns, row); err != nil {
		return err
	}
	for i := range k.owed { // what is in the journal must fit into the tables
		if slices.ContainsFunc(k.owed[:i], func(m owed) bool { return m.id == k.owed[i].id }) {
			return fmt.Errorf("two messages have the id %q", k.owed[i].id)
		}
	}
	if c := k.state; c != nil {
		now, ok := e.states[c.Key]
		if !ok {
			var err error
			if now, err = s.State(ctx, c.Key); err != nil {
				return err
			}
		}
		if now.Revision != c.Base {
			return assistant.ErrConflict
		}
	}
	k.owed = slices.DeleteFunc(k.owed, func(m owed) bool { return k.delivered != nil && k.delivered(m.id) })
	s.known.add(k.turn)
	e.add(k)
	e.frame = k.appendRecord(e.frame)
	return nil
}

// post writes to the tables what is durable in the journal.
func (k *commit) post(ctx context.Context, s *Store, t *tx) error {
	if err := k.insert(ctx, s, t); err != nil {
		return err
	}
	for i := range k.owed {
		if k.owed[i].settled {
			continue
		}
		if err := s.outbox.add(ctx, t, &k.owed[i], "ON CONFLICT DO NOTHING"); err != nil {
			return err
		}
	}
	return nil
}

// apply checks and writes the commit within a transaction, before which all that
// is in the journal was posted.
func (k *commit) apply(ctx context.Context, s *Store, t *tx) error {
	if err := k.refusal(ctx, s, t); err != nil {
		return err
	}
	if err := k.changeState(ctx, s, t); err != nil {
		return err
	}
	if err := k.insert(ctx, s, t); err != nil {
		return err
	}
	if t.turns == nil {
		t.turns = make(map[string]*commit)
	}
	t.turns[k.turn] = k
	if err := k.run(ctx, t); err != nil {
		return err
	}
	for i := range k.owed {
		if k.delivered != nil && k.delivered(k.owed[i].id) {
			continue
		}
		if err := s.outbox.add(ctx, t, &k.owed[i], ""); err != nil {
			return err
		}
	}
	return nil
}

// insert inserts the turn and its invocations.
func (k *commit) insert(ctx context.Context, s *Store, t *tx) error {
	s.known.add(k.turn)
	if err := k.insertTurn(ctx, s, t); err != nil {
		return err
	}
	for _, row := range k.invocations {
		row[0] = k.key
		if _, err := t.exec(ctx, `INSERT INTO invocations (turn, n, home, skill, version, outcome, cold,
			wall_ms, cpu_ns, memory_mib, micro_cu) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, row...); err != nil {
			return err
		}
	}
	return nil
}

func (k *commit) insertTurn(ctx context.Context, s *Store, t *tx) error {
	for range turnNumbers {
		s.lastTurn++ // only who has the transaction is here
		k.key = k.received + s.lastTurn%turnNumbers
		n, err := t.exec(ctx, `INSERT INTO turns (key, id, doc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, k.key, k.turn, k.doc)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if k.late = s.writer.ids.late(k.key); k.late { // else see committed
			_, err = t.exec(ctx, `INSERT INTO turn_ids (id, turn) VALUES (?, ?)`, k.turn, k.key)
		}
		return err
	}
	return fmt.Errorf("%d turns of one millisecond", turnNumbers)
}

// duplicate returns ErrDuplicate where a turn of this id is there, or in the group.
func (k *commit) duplicate(s *Store, group map[string]*commit, row func(query string, args []any, dest ...any) error) error {
	if group[k.turn] != nil {
		return assistant.ErrDuplicate
	}
	if !s.known.mayHave(k.turn) {
		return nil
	}
	if _, ok := s.writer.pending.turn(k.turn); ok {
		return assistant.ErrDuplicate
	}
	switch _, err := s.writer.ids.find(k.turn, row); {
	case err == nil:
		return assistant.ErrDuplicate
	case !errors.Is(err, sql.ErrNoRows):
		return failed("look whether the turn is there", err)
	}
	return nil
}

// changeState returns ErrConflict, with nothing changed, where the state is not
// what the turn began with.
func (k *commit) changeState(ctx context.Context, s *Store, t *tx) error {
	c := k.state
	if c == nil {
		return nil
	}
	statement := `UPDATE states SET revision = ?1 + 1, value = ?2 WHERE home = ?3 AND skill = ?4 AND scope = ?5 AND revision = ?1`
	if c.Base == 0 {
		statement = `INSERT INTO states (revision, value, home, skill, scope) VALUES (?1 + 1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING`
	}
	n, err := t.exec(ctx, statement, c.Base, textOrNull(c.Value), c.Key.Home, c.Key.Skill, c.Key.Scope)
	if err == nil && n == 0 {
		s.states.forget(c.Key)
		return assistant.ErrConflict
	}
	return err
}

// setState writes a state as the journal has it.
func setState(ctx context.Context, t *tx, key assistant.StateKey, st assistant.State) error {
	_, err := t.exec(ctx, `INSERT INTO states (home, skill, scope, revision, value) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT DO UPDATE SET revision = ?4, value = ?5`, key.Home, key.Skill, key.Scope, st.Revision, textOrNull(st.Value))
	return err
}

func textOrNull(value []byte) any {
	if value == nil {
		return nil
	}
	return string(value)
}

// committed is called when the commit is durable in the tables.
func (k *commit) committed(s *Store) {
	if !k.late {
		s.writer.ids.add(k.turn, k.key)
	}
	if c := k.state; c != nil {
		s.states.put(c.Key, assistant.State{Revision: c.Base + 1, Value: c.Value})
	}
}

// refusal is why nothing may be written.
func (k *commit) refusal(ctx context.Context, s *Store, t *tx) error {
	row := func(query string, args []any, dest ...any) error { return t.row(ctx, query, args, dest...) }
	if err := k.duplicate(s, t.turns, row); err != nil {
		return err
	}
	if k.fired != nil {
		var due int64
		err := t.row(ctx, `SELECT due FROM schedules WHERE home = ? AND skill = ? AND id = ?`,
			[]any{k.fired.Home, k.fired.Skill, k.fired.ID}, &due)
		if errors.Is(err, sql.ErrNoRows) || err == nil && due != k.due {
			return assistant.ErrGone
		}
		if err != nil {
			return err
		}
	}
	return k.room(ctx, t)
}

// room refuses schedules beyond what a skill may have in a home, once those are
// gone that the commit takes away or sets anew.
func (k *commit) room(ctx context.Context, t *tx) error {
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

// batch is statements with their arguments.
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
