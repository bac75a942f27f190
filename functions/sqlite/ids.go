package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
)

// The ids of turns are random, so each one that is put into an index changes a
// page of its own, and with a page for each turn the log holds more index than
// turns. That is why ids come into their index later than the turns themselves:
// when many wait, they are sorted, and each group takes some more of them along,
// neighbors together. Until then they are kept in memory, where nearly all that
// are asked for are found.
//
// All turns with a key below the mark are in the index; the ids of the others are
// read again when the store is opened.
type turnIDs struct {
	enough int // ids wait until they are so many

	mu   sync.RWMutex
	wait map[string]int64 // id -> key: committed, and not in the index

	// Of the writer's goroutine alone.
	sorted []indexed // being put into the index
	taken  int       // of sorted, in the transaction under way
	mark   int64
	marked int64 // the mark once that transaction is committed; 0: as it is
}

type indexed struct {
	id  string
	key int64
}

const (
	defaultEnough = 1 << 14
	// atOnce is how many go along with a group, at least: enough for the index to
	// keep up with groups of one.
	atOnce = 4
)

// load finds the turns whose ids are not in the index.
func (x *turnIDs) load(ctx context.Context, r *reader) error {
	x.wait = make(map[string]int64)
	if err := r.row(ctx, `SELECT mark FROM turn_mark`, nil, &x.mark); err != nil {
		return err
	}
	return r.each(ctx, `SELECT key, id FROM turns WHERE key >= ? AND id NOT IN (SELECT id FROM turn_ids)`, []any{x.mark},
		func(rows *sql.Rows) error {
			var key int64
			var id string
			err := rows.Scan(&key, &id)
			x.wait[id] = key
			return err
		})
}

// waiting returns the key of a turn that is not in the index yet.
func (x *turnIDs) waiting(id string) (key int64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	key, ok = x.wait[id]
	return key, ok
}

// find returns the key of a turn, or sql.ErrNoRows.
func (x *turnIDs) find(id string, row func(query string, args []any, dest ...any) error) (key int64, err error) {
	if key, ok := x.waiting(id); ok {
		return key, nil
	}
	err = row(`SELECT turn FROM turn_ids WHERE id = ?`, []any{id}, &key)
	if !errors.Is(err, sql.ErrNoRows) {
		return key, err
	}
	if key, ok := x.waiting(id); ok { // committed meanwhile
		return key, nil
	}
	return 0, err
}

// has tells whether a turn is in the tables.
func (x *turnIDs) has(id string, row func(query string, args []any, dest ...any) error) bool {
	_, err := x.find(id, row)
	return err == nil
}

// add notes a turn that is committed.
func (x *turnIDs) add(id string, key int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wait[id] = key
}

// late tells whether a turn is older than those that are in the index: then it
// cannot wait, since nobody would look for it when the store is opened.
func (x *turnIDs) late(key int64) bool { return key < max(x.mark, x.marked) }

// advance puts some ids into the index, at the beginning of a transaction.
func (x *turnIDs) advance(ctx context.Context, t *tx, group int) error {
	x.taken, x.marked = 0, 0
	if len(x.sorted) == 0 {
		x.sort()
	}
	return x.index(ctx, t, atOnce+4*group)
}

// sort begins with those that wait, if they are enough.
func (x *turnIDs) sort() {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.wait) < x.enough {
		return
	}
	x.sorted = x.sorted[:0]
	for id, key := range x.wait {
		x.sorted = append(x.sorted, indexed{id, key})
	}
	slices.SortFunc(x.sorted, func(a, b indexed) int { return cmp.Compare(a.id, b.id) })
}

func (x *turnIDs) index(ctx context.Context, t *tx, most int) error {
	some := x.sorted[:min(most, len(x.sorted))]
	for _, e := range some {
		if _, err := t.exec(ctx, `INSERT INTO turn_ids (id, turn) VALUES (?, ?) ON CONFLICT DO NOTHING`, e.id, e.key); err != nil {
			return err
		}
	}
	x.taken = len(some)
	if x.taken == 0 || x.taken < len(x.sorted) {
		return nil
	}
	x.marked = x.lowest(some)
	_, err := t.exec(ctx, `UPDATE turn_mark SET mark = ?`, x.marked)
	return err
}

// lowest returns the mark once the rest of those that are sorted is in the index.
func (x *turnIDs) lowest(rest []indexed) int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	lowest := x.mark
	for _, e := range rest {
		lowest = max(lowest, e.key+1)
	}
	done := make(map[string]bool, len(rest))
	for _, e := range rest {
		done[e.id] = true
	}
	for id, key := range x.wait {
		if !done[id] {
			lowest = min(lowest, key)
		}
	}
	return lowest
}

// committed forgets the ids that are durable in the index.
func (x *turnIDs) committed() {
	if x.taken == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.sorted[:x.taken] {
		delete(x.wait, e.id)
	}
	x.sorted = x.sorted[x.taken:]
	if x.marked != 0 {
		x.mark = x.marked
	}
	x.taken, x.marked = 0, 0
}
