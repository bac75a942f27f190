// Package sqlite is the embedded store: turns, schedules, the outbox, homes,
// skills, usage and credentials come in as domain values and go out again from
// one SQLite file. It must not know MQTT, gRPC or what a turn means.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	driver "modernc.org/sqlite"
)

// The limits that Options fills in, in bytes.
const (
	DefaultMaxQueued   = 64 << 20
	DefaultMaxArtifact = 256 << 20
)

// Options say where the store is and how much it may hold.
type Options struct {
	Path        string       // the database file; its folder is made if it is missing
	Logger      *slog.Logger // nil: silent
	MaxQueued   int64        // bytes of writes that may wait for the disk; more wait outside. 0: DefaultMaxQueued
	MaxArtifact int64        // bytes of one artifact. 0: DefaultMaxArtifact

	idsTogether int // ids of turns that come into their index together; 0: many
}

// Store keeps everything in one SQLite file. All methods are safe for
// concurrent use.
//
// All writes go through one queue and are committed in groups: whatever waits
// when a transaction ends shares the next one. Reads have connections of their
// own and see every write that was acknowledged before they began.
type Store struct {
	lock        *lock
	writer      *writer
	reads       *reader // of the road, which must never wait for a report
	reports     *reader // what operators ask for, however long it takes
	maxArtifact int64
	lastUpload  atomic.Int64

	known  *knownTurns
	states *recentStates
	// Of the writer's goroutine alone.
	lastTurn int64 // number in the key of a turn
	outbox   outbox

	loading sync.WaitGroup
	endLoad context.CancelFunc
}

var (
	_ assistant.TurnStore     = (*Store)(nil)
	_ assistant.ScheduleStore = (*Store)(nil)
	_ assistant.OutboxStore   = (*Store)(nil)
	_ assistant.HomeStore     = (*Store)(nil)
	_ assistant.SkillStore    = (*Store)(nil)
	_ assistant.UsageStore    = (*Store)(nil)
	_ assistant.EntityStore   = (*Store)(nil)
	_ topic.CredentialStore   = (*Store)(nil)
)

// Open opens the store at the path or makes an empty one. An older schema is
// backed up beside the file and migrated. It is refused, with nothing touched,
// when another process has the store open, when the file is not Hark's, and
// when a newer Hark wrote it.
//
// The caller calls Close when nothing uses the store any more.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := open(ctx, o, schema())
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", o.Path, err)
	}
	return s, nil
}

func open(ctx context.Context, o Options, steps []migration) (_ *Store, err error) {
	path, err := prepareFolder(o.Path)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{maxArtifact: o.MaxArtifact}
	if s.maxArtifact == 0 {
		s.maxArtifact = DefaultMaxArtifact
	}
	if s.lock, err = acquireLock(path + ".lock"); err != nil {
		return nil, err
	}
	defer func() { //nolint:contextcheck // what is begun is closed, whatever became of the caller
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	version, err := inspect(ctx, path, len(steps))
	if err != nil {
		return nil, err
	}
	db, err := openDB(path, 1,
		"busy_timeout(250)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-4096)",
		"journal_size_limit(16777216)", "wal_autocheckpoint(0)")
	if err != nil {
		return nil, err
	}
	wal, err := openLog(path, o.Logger)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	j, err := openJournal(path)
	if err != nil {
		return nil, errors.Join(err, wal.close(), db.Close())
	}
	s.writer = newWriter(s, db, wal, j, o)
	if err := migrate(ctx, db, path, version, steps); err != nil {
		return nil, err
	}
	if s.reads, err = openReader(path, max(4, runtime.GOMAXPROCS(0))); err != nil {
		return nil, err
	}
	if s.reports, err = openReader(path, 2); err != nil {
		return nil, err
	}
	if err := s.remember(ctx); err != nil {
		return nil, err
	}
	if err := s.writer.recover(ctx, s.reports); err != nil {
		return nil, err
	}
	return s, s.clearUploads(ctx)
}

// remember prepares what the store knows without a read.
func (s *Store) remember(ctx context.Context) error {
	if err := s.writer.ids.load(ctx, s.reports); err != nil {
		return err
	}
	var turns int
	if err := s.reports.row(ctx, `SELECT (SELECT COUNT(*) FROM turn_ids), (SELECT COALESCE(MAX(key), 0) FROM turns),
		(SELECT COALESCE(MAX(seq), 0) FROM outbox)`, nil, &turns, &s.lastTurn, &s.outbox.seq); err != nil {
		return err
	}
	s.outbox.room = make(map[topic.Device]int)
	s.states = newRecentStates()
	s.known = newKnownTurns(turns + len(s.writer.ids.wait))
	for id := range s.writer.ids.wait {
		s.known.add(id)
	}
	if turns == 0 {
		s.known.whole.Store(true)
		return nil
	}
	ctx, s.endLoad = context.WithCancel(context.WithoutCancel(ctx))
	s.loading.Go(func() {
		if err := s.known.load(ctx, s.reports); err != nil && ctx.Err() == nil {
			s.writer.logger.Warn("the ids of earlier turns cannot be read; each message costs a read more", "error", err)
		}
	})
	return nil
}

// Ping makes a durable write, so that it fails when a commit would: to the
// journal, as long as all goes well; once a write has failed, to the tables, with
// the room of some commits, before it calls the store well again.
func (s *Store) Ping(ctx context.Context) error {
	const what, room = "write to the store", 64 << 10
	if !s.writer.failing.Load() {
		return s.writer.do(ctx, write{what: what, enter: func(_ context.Context, e *entries) error {
			e.sync = true
			return nil
		}})
	}
	return s.writer.do(ctx, write{what: what, apply: func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE pings SET n = n + 1, pad = randomblob(?)`, room)
		return err
	}})
}

// Close commits what is queued, refuses what comes later with ErrStoreAway,
// and lets go of the file. It may be called more than once.
func (s *Store) Close() error {
	var errs []error
	if s.endLoad != nil {
		s.endLoad()
		s.loading.Wait()
	}
	if s.writer != nil {
		errs = append(errs, s.writer.drain())
	}
	if s.reads != nil {
		errs = append(errs, s.reads.close())
	}
	if s.reports != nil {
		errs = append(errs, s.reports.close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	errs = append(errs, s.lock.release())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// prepareFolder makes the folder of the database, readable by its owner alone
// because it holds what is said in a home.
func prepareFolder(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path is given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return path, os.MkdirAll(filepath.Dir(path), 0o700)
}

// openDB opens a pool of at most conns connections, which stay open.
func openDB(path string, conns int, pragmas ...string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{
		"_pragma": pragmas,
		"_dqs":    {"0"},
	}.Encode()}
	connector, err := driver.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}
