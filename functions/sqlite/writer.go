package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"golang.org/x/sync/semaphore"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// write is one operation that wants to be durable.
type write struct {
	what  string // for errors: "commit turn 7"
	size  int    // roughly what it holds, in bytes
	alone bool   // it is large: nobody else's write should wait in its transaction
	// apply runs within a transaction and possibly twice. It returns a refusal
	// (see isRefusal) before it writes anything. The context is the writer's: the
	// transaction belongs to many, so that none of them may end it.
	apply func(ctx context.Context, t *tx) error
	// enter, in place of apply, adds the write to a group of the journal, or returns
	// why it cannot.
	enter func(ctx context.Context, e *entries) error
	// committed, if not nil, is called once it is durable, before anybody hears of it.
	committed func()
}

// queued is a write that waits, with the place for its outcome.
type queued struct {
	write
	weight    int64
	refusal   error
	done      chan error  // nil: nobody waits
	abandoned atomic.Bool // who waited has left: it need not be done
	skipped   bool        // and was not
}

// writer commits writes in groups, in the order of their arrival: in the journal,
// from where they are posted to the tables many together, or in the tables, once
// all that is in the journal is there.
type writer struct {
	store  *Store
	db     *sql.DB
	logger *slog.Logger
	room   *semaphore.Weighted // what may wait, in bytes
	limit  int64

	mu      sync.Mutex
	queue   []*queued
	running bool
	lazy    bool // wake is to be called
	closed  bool
	alive   sync.WaitGroup

	failing atomic.Bool // the last transaction did

	tx  *tx // of the goroutine that runs, or posts; nil: to be opened
	log *walLog
	ids *turnIDs

	journal   *journal
	frame     []byte // memory for it
	recovered bool   // what an earlier process left in it
	drained   bool
	pending   *pending
	posting   chan struct{} // closed when it is over; of the goroutine that runs
	offered   bool          // what grows was closed by a transaction that failed; of the goroutine that runs

	timeToPost atomic.Bool
}

func newWriter(s *Store, db *sql.DB, log *walLog, j *journal, o Options) *writer {
	w := &writer{
		store: s, db: db, log: log, ids: &turnIDs{enough: cmp.Or(o.idsTogether, defaultEnough)}, logger: o.Logger, limit: o.MaxQueued,
		journal: j, pending: &pending{fresh: newGeneration(0)},
	}
	if w.limit == 0 {
		w.limit = DefaultMaxQueued
	}
	w.room = semaphore.NewWeighted(w.limit)
	return w
}

// do returns when the write is durable, refused or failed. When ctx ends first,
// the write may still be done or not.
//
// Who finds the writer idle writes itself: nobody has to be woken for that.
func (w *writer) do(ctx context.Context, wr write) error {
	q := &queued{write: wr, done: make(chan error, 1)}
	lead, err := w.enqueue(ctx, q, true)
	if err != nil {
		return err
	}
	if lead {
		w.lead(context.WithoutCancel(ctx)) // the others' writes, too
	}
	select {
	case err := <-q.done:
		return err
	case <-ctx.Done():
		q.abandoned.Store(true)
		return fmt.Errorf("%s: %w", wr.what, ctx.Err())
	}
}

// lazyFor is how long a write that nobody waits for may wait for another one, to
// share its transaction.
const lazyFor = 100 * time.Millisecond

// later queues the write and does not wait for it.
func (w *writer) later(ctx context.Context, wr write) error {
	_, err := w.enqueue(ctx, &queued{write: wr}, false)
	return err
}

// flush returns when all that was queued before it is committed.
func (w *writer) flush(ctx context.Context) error {
	w.mu.Lock()
	idle := !w.running && len(w.queue) == 0
	w.mu.Unlock()
	if idle && w.pending.nothing() {
		return nil
	}
	return w.do(ctx, write{what: "wait for earlier writes", apply: func(context.Context, *tx) error { return nil }})
}

// enqueue returns true if the caller must write what is queued.
func (w *writer) enqueue(ctx context.Context, q *queued, urgent bool) (lead bool, err error) {
	const overhead = 512 // of a queued write, whatever it holds
	q.weight = min(int64(q.size)+overhead, w.limit)
	if err := w.room.Acquire(ctx, q.weight); err != nil {
		return false, fmt.Errorf("%s: the write queue is full: %w", q.what, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.room.Release(q.weight)
		return false, fmt.Errorf("%s: %w: it is closed", q.what, assistant.ErrStoreAway)
	}
	w.queue = append(w.queue, q)
	switch {
	case w.running:
	case urgent:
		w.running = true
		w.alive.Add(1)
		return true, nil
	case !w.lazy:
		w.lazy = true
		time.AfterFunc(lazyFor, w.wake)
	}
	return false, nil
}

// wake writes and posts what was left for later, if nobody has done so.
func (w *writer) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lazy = false
	if !w.running && !w.closed && (len(w.queue) > 0 || w.timeToPost.Load()) {
		w.running = true
		w.alive.Go(w.run)
	}
}

// lead writes what is queued, one group, and leaves what came meanwhile to a
// goroutine of its own.
func (w *writer) lead(ctx context.Context) {
	defer w.alive.Done()
	w.write(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running = len(w.queue) > 0 || w.timeToPost.Load(); w.running {
		w.alive.Go(w.run)
	}
}

// run writes until nothing is queued.
func (w *writer) run() {
	for w.write(context.Background()) {
		continue
	}
}

// write writes a group, and returns false when there is none.
func (w *writer) write(ctx context.Context) bool {
	runtime.Gosched() // who is about to write may still come along
	group, idle := w.take()
	if w.timeToPost.Swap(false) {
		w.startPosting(ctx)
	}
	switch {
	case idle:
		return false
	case group == nil:
	case group[0].enter != nil:
		w.enter(ctx, group)
	default:
		w.waitPosted()
		w.commit(ctx, group)
	}
	return true
}

// take returns all that is queued, up to a write of the other kind or one that
// goes alone, and not so much that the first would wait long for the last.
func (w *writer) take() (group []*queued, idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.running = w.timeToPost.Load()
		return nil, !w.running
	}
	const most = 1024
	n := 1
	if first := w.queue[0]; !first.alone {
		for n < min(len(w.queue), most) && !w.queue[n].alone && (w.queue[n].enter == nil) == (first.enter == nil) {
			n++
		}
	}
	group = w.queue[:n:n]
	if w.queue = w.queue[n:]; len(w.queue) == 0 {
		w.queue = nil // the group's memory is not to be written over
	}
	return group, false
}

// commit gives every write of the group its outcome.
func (w *writer) commit(ctx context.Context, group []*queued) {
	err := w.transact(ctx, group)
	w.note(err)
	if len(group) > 1 && breaksRule(err) {
		// One of them cannot be stored at all. Alone, it fails alone.
		for _, q := range group {
			w.finish(q, w.transact(ctx, []*queued{q}))
		}
		return
	}
	for _, q := range group {
		w.finish(q, err)
	}
}

// note tells the operator when the store goes away and when it is back; in
// between, every caller is told.
func (w *writer) note(err error) {
	failing := err != nil && !breaksRule(err)
	switch before := w.failing.Swap(failing); {
	case failing && !before:
		w.logger.Warn("the store cannot be written; every new write tries again", "error", err)
	case before && !failing:
		w.logger.Info("the store can be written again")
	}
}

func (w *writer) finish(q *queued, err error) {
	w.room.Release(q.weight)
	switch {
	case err == nil && q.refusal == nil:
		if q.committed != nil && !q.skipped {
			q.committed()
		}
	case err == nil:
		err = q.refusal
	case breaksRule(err):
	default:
		err = fmt.Errorf("%w: %w", assistant.ErrStoreAway, err)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", q.what, err)
	}
	if q.done != nil {
		q.done <- err
	} else if err != nil {
		w.logger.Debug("a write that nobody waits for was lost", "error", err)
	}
}

// transact posts what is pending and applies the group, in one transaction. An
// error means that nothing of it is stored, or, when the disk failed at the very
// end, that it is not known.
func (w *writer) transact(ctx context.Context, group []*queued) error {
	d := w.pending.all(w.journal.dirty || w.offered)
	w.offered = w.offered || d.closes
	err := w.transactDue(ctx, d, group)
	if err == nil {
		w.offered = false
	}
	return err
}

func (w *writer) transactDue(ctx context.Context, d due, group []*queued) error {
	t, err := w.begin(ctx)
	if err != nil {
		return err
	}
	if err := w.within(ctx, t, d, group); err != nil {
		w.rollback(ctx)
		return err
	}
	w.ids.committed()
	w.posted(d)
	w.log.grown(ctx, t, d, group)
	return nil
}

// within is what happens within a transaction, its end included.
func (w *writer) within(ctx context.Context, t *tx, d due, group []*queued) error {
	t.turns = nil
	if err := w.ids.advance(ctx, t, len(group)+d.commits()); err != nil {
		return err
	}
	if err := w.post(ctx, t, d); err != nil {
		return err
	}
	for _, q := range group {
		if q.skipped = q.abandoned.Load(); q.skipped {
			continue
		}
		q.refusal = nil
		if err := q.apply(ctx, t); isRefusal(err) {
			q.refusal = err
		} else if err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, "COMMIT")
	return err
}

// begin opens the connection if there is none, and a transaction on it.
func (w *writer) begin(ctx context.Context) (*tx, error) {
	if w.tx == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		w.tx = &tx{conn: conn, stmts: make(map[string]*sql.Stmt)}
	}
	if _, err := w.tx.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		w.discard()
		return nil, err
	}
	return w.tx, nil
}

// rollback undoes a transaction. SQLite may have done so itself after a failure
// of the disk; a connection of which that is not certain is not used again.
func (w *writer) rollback(ctx context.Context) {
	if _, err := w.tx.exec(ctx, "ROLLBACK"); err != nil {
		w.discard()
	}
}

func (w *writer) discard() {
	for _, st := range w.tx.stmts {
		_ = st.Close()
	}
	// ErrBadConn tells the pool to close the connection instead of keeping it.
	_ = w.tx.conn.Raw(func(any) error { return sqldriver.ErrBadConn })
	w.tx = nil
}

// drain commits what is queued, and takes no more.
func (w *writer) drain() error {
	if w.drained {
		return nil
	}
	w.drained = true
	w.wake()
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.alive.Wait()
	return w.clear(context.Background())
}

// close is called once nothing reads any more.
func (w *writer) close() error {
	if w.tx != nil {
		_ = w.tx.close() // back to the pool, which is closed next
		w.tx = nil
	}
	return errors.Join(w.log.close(), w.db.Close())
}

// clear posts what is pending, so that the journal is not needed any more. Where
// that cannot be done, it is done when the store is opened again.
func (w *writer) clear(ctx context.Context) error {
	if !w.recovered {
		return w.journal.close()
	}
	if !w.pending.nothing() {
		if err := w.transact(ctx, nil); err != nil {
			w.logger.Warn("what is in the journal alone is posted with the next start", "error", err)
			return w.journal.close()
		}
	}
	return errors.Join(w.journal.close(), w.journal.remove())
}

// isRefusal tells whether a write was turned down by the store's contract, or
// for what it found, which concerns nobody else in its transaction.
func isRefusal(err error) bool {
	return errors.Is(err, assistant.ErrDuplicate) || errors.Is(err, assistant.ErrConflict) ||
		errors.Is(err, assistant.ErrGone) || errors.Is(err, assistant.ErrTooMany) || errors.Is(err, assistant.ErrNotFound) || errors.Is(err, errDocument)
}

// breaksRule tells whether SQLite will never take a write, in contrast to a
// disk that may be better the next time.
func breaksRule(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}
