package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// tx is the one connection that writes, with the statements prepared on it.
// Whoever has it is inside a transaction.
type tx struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	turns map[string]*commit // those that this transaction inserts, beside what it posts
}

func (t *tx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := t.stmts[query]; st != nil {
		return st, nil
	}
	st, err := t.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	t.stmts[query] = st
	return st, nil
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := t.prepare(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row scans the first row, or returns sql.ErrNoRows.
func (t *tx) row(ctx context.Context, query string, args []any, dest ...any) error {
	st, err := t.prepare(ctx, query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(dest...)
}

// each calls scan for every row.
func (t *tx) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	st, err := t.prepare(ctx, query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	return eachRow(rows, err, scan)
}

// close gives the connection back to its pool.
func (t *tx) close() error {
	for _, st := range t.stmts {
		_ = st.Close() // the pool's own end does the same
	}
	return t.conn.Close()
}

// reader is a pool of connections that cannot write, with their statements.
type reader struct {
	db    *sql.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func openReader(path string, conns int) (*reader, error) {
	db, err := openDB(path, conns, "busy_timeout(5000)", "query_only(1)", "cache_size(-8192)")
	if err != nil {
		return nil, err
	}
	return &reader{db: db, stmts: make(map[string]*sql.Stmt)}, nil
}

func (r *reader) close() error { return r.db.Close() }

func (r *reader) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.RLock()
	st := r.stmts[query]
	r.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if st := r.stmts[query]; st != nil {
		return st, nil
	}
	st, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	r.stmts[query] = st
	return st, nil
}

// row scans the first row, or returns sql.ErrNoRows. It is for rows found by an
// index: such a read is over before the driver has set up its interruption by a
// context, so it goes without.
func (r *reader) row(ctx context.Context, query string, args []any, dest ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	st, err := r.prepare(ctx, query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(dest...)
}

// each calls scan for every row.
func (r *reader) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	st, err := r.prepare(ctx, query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	return eachRow(rows, err, scan)
}

func eachRow(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// failed wraps what a read returned: no row is ErrNotFound, the end of the
// caller's context is itself, anything else means that the store is away.
func failed(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", what, assistant.ErrNotFound)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errDocument):
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, assistant.ErrStoreAway, err)
}

// millis is how a time is stored: Unix milliseconds, NULL for the zero time.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// fromMillis is the reverse of millis.
func fromMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}
