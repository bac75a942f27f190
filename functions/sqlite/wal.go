package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
)

// walLog folds the write-ahead log into the store: beside the writer, so that no
// commit waits for it. Only to start the log anew, from its beginning, does the
// writer have to pause, for what was written last; SQLite does that by itself
// only in a moment when nobody reads or writes.
//
// Sizes are in pages, of which the log holds one for each that a transaction
// changed.
type walLog struct {
	db     *sql.DB // one connection
	logger *slog.Logger

	pages   int // written since the last fold, estimated; of the writer's goroutine
	folding atomic.Bool
	long    atomic.Bool // it should start anew
	alive   sync.WaitGroup
}

const (
	foldEvery = 2000
	restartAt = 6000
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

// grown notes a group that was committed, and has the log folded where it is
// time. It returns whether the writer should start the log anew.
func (l *walLog) grown(group []*queued) bool {
	l.pages += perGroup
	for _, q := range group {
		l.pages += perWrite + q.size/pageSize
	}
	if l.pages >= foldEvery && l.folding.CompareAndSwap(false, true) {
		l.pages = 0
		l.alive.Go(l.fold)
	}
	return l.long.Load()
}

// fold moves what is in the log into the store while others read and write.
func (l *walLog) fold() {
	defer l.folding.Store(false)
	var busy, pages, moved int
	if err := l.db.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved); err != nil {
		l.logger.Warn("the write-ahead log cannot be folded into the store", "error", err)
		return
	}
	l.long.Store(pages >= restartAt)
}

// restart moves the rest, and lets the log begin anew. A reader that does not end
// within the busy timeout puts it off.
func (l *walLog) restart(ctx context.Context, t *tx) error {
	l.long.Store(false)
	var busy, pages, moved int
	return t.row(ctx, "PRAGMA wal_checkpoint(RESTART)", nil, &busy, &pages, &moved)
}

func (l *walLog) close() error {
	l.alive.Wait()
	return l.db.Close()
}
