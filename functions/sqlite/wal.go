package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

// walLog folds the write-ahead log into the store: beside the writer, so that no
// commit waits for it. For the log to start anew, from its beginning, all of it
// must be folded at a moment when nobody reads from it. So once it is long, the
// writer folds what was written last itself, which is little, and the next
// transaction starts it anew, if no reader happens to be there. If that does not
// help, the writer waits for the readers.
//
// Sizes are in pages, of which the log holds one for each that a transaction
// changed.
type walLog struct {
	db     *sql.DB // one connection
	logger *slog.Logger

	pages   int // written since the last fold, estimated; of the writer's goroutine
	folding atomic.Bool
	length  atomic.Int64 // of the log, at the end of the last fold
	alive   sync.WaitGroup
}

const (
	foldEvery = 4000
	isLong    = 4500
	tooLong   = 9000
	pageSize  = 4096
	perGroup  = 4 // pages that any transaction changes: the ends of tables and indexes
	perWrite  = 2 // pages that a write changes beside these and those that it fills
)

func openLog(path string, logger *slog.Logger) (*walLog, error) {
	db, err := openDB(path, 1, "busy_timeout(250)", "synchronous(FULL)", "wal_autocheckpoint(0)")
	if err != nil {
		return nil, err
	}
	return &walLog{db: db, logger: logger}, nil
}

// grown notes what a transaction wrote, in the gap before the next one.
func (l *walLog) grown(ctx context.Context, t *tx, d due, group []*queued) {
	l.pages += perGroup
	for _, g := range d.generations {
		l.pages += len(g.states) + 2*g.size/pageSize // and as much for what is not counted
	}
	for _, q := range group {
		l.pages += perWrite + q.size/pageSize
	}
	if l.folding.Load() {
		return
	}
	var err error
	switch length := l.length.Swap(0); {
	case length >= tooLong:
		err = foldLog(ctx, t, "RESTART", new(int64))
	case length >= isLong:
		err = foldLog(ctx, t, "PASSIVE", new(int64))
	case l.pages >= foldEvery:
		l.pages = 0
		l.folding.Store(true)
		l.alive.Go(l.fold)
	}
	l.note(err)
}

// fold moves what is in the log into the store while others read and write.
func (l *walLog) fold() {
	defer l.folding.Store(false)
	ctx := context.Background()
	conn, err := l.db.Conn(ctx)
	if err == nil {
		var length int64
		t := &tx{conn: conn, stmts: make(map[string]*sql.Stmt)}
		err = errors.Join(foldLog(ctx, t, "PASSIVE", &length), t.close())
		l.length.Store(length)
	}
	l.note(err)
}

func (l *walLog) note(err error) {
	if err != nil {
		l.logger.Warn("the write-ahead log cannot be folded into the store", "error", err)
	}
}

func foldLog(ctx context.Context, t *tx, mode string, length *int64) error {
	var busy, folded int64
	return t.row(ctx, "PRAGMA wal_checkpoint("+mode+")", nil, &busy, length, &folded)
}

func (l *walLog) close() error {
	l.alive.Wait()
	return l.db.Close()
}
