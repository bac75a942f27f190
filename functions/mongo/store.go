package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/semaphore"
)

const (
	// DefaultDatabase is used where neither Options nor the URI names one.
	DefaultDatabase = "hark"
	// DefaultMaxArtifact is in bytes.
	DefaultMaxArtifact = 256 << 20
)

// Options say where the store is.
type Options struct {
	URI      string // mongodb:// or mongodb+srv://
	Database string // empty: the one in the path of the URI, else DefaultDatabase
	// Owner names this installation: one process at a time, the same after a
	// restart. What an earlier process of the name left half done is settled at
	// Open; without a name, after that process's lease.
	Owner       string
	Logger      *slog.Logger // nil: silent
	MaxArtifact int64        // bytes of one artifact. 0: DefaultMaxArtifact
}

// Store keeps everything in one database of a MongoDB. All methods are safe for
// concurrent use, and several stores, in several processes, may share a
// database. How a commit is whole and happens once without a transaction is told
// in the package's documentation.
//
// Until Close, goroutines of the store and of the driver keep watch over the
// servers and over what dead processes left half done.
type Store struct {
	client *driver.Client
	db     *driver.Database
	logger *slog.Logger
	slots  chan struct{}       // operations under way
	room   *semaphore.Weighted // bytes of commits and reports under way

	process     string // names this store among those on the database
	owner       string
	maxArtifact int64
	lease       time.Duration
	grace       time.Duration
	rest        time.Duration

	sequences *group[*sequenced]
	inserts   *group[*attempt]
	swaps     *group[*attempt]
	marks     *group[*attempt]
	changes   *group[*change]
	finishes  *group[*attempt]
	settles   *group[string]
	news      *group[*news]
	readings  *group[*readingDoc]

	stamps   stamps
	flights  flights
	watch    sync.WaitGroup
	stop     context.CancelFunc
	closing  sync.Once
	closeErr error

	// step is called before each step of a commit; an error ends the commit there,
	// as a crash would. Nil but in tests.
	step func(name string) error
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

// Open connects to the database, moves an older schema forward and settles what
// an earlier process of the same owner left half done. A database that a newer
// Hark wrote is refused, and nothing in it touched.
//
// The caller calls Close when nothing uses the store any more.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := open(ctx, o, schema())
	if err != nil {
		return nil, fmt.Errorf("open the MongoDB store: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, o Options, steps []migration) (_ *Store, err error) {
	s := &Store{
		logger: o.Logger, owner: o.Owner, maxArtifact: o.MaxArtifact, process: rand.Text(), lease: ownerLease,
		grace: commitGrace, rest: tombstoneRest,
		slots: make(chan struct{}, maxOperations), room: semaphore.NewWeighted(maxCommitBytes),
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.maxArtifact == 0 {
		s.maxArtifact = DefaultMaxArtifact
	}
	if s.client, s.db, err = connect(o); err != nil {
		return nil, err
	}
	defer func() { //nolint:contextcheck // the caller's may have ended
		if err != nil {
			err = errors.Join(err, s.disconnect())
		}
	}()
	s.group()
	if err := s.migrate(ctx, steps); err != nil {
		return nil, err
	}
	if err := s.index(ctx); err != nil {
		return nil, err
	}
	if err := s.seedStamps(ctx); err != nil {
		return nil, err
	}
	if err := s.register(ctx); err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.watch.Go(func() { s.keepWatch(watch) })
	return s, nil
}

// group makes the queues in which concurrent writes meet.
func (s *Store) group() {
	s.sequences = newGroup(s.allocate, nil)
	s.inserts = newGroup(s.insertTurns, (*attempt).size)
	s.swaps = newGroup(s.swapStates, (*attempt).size)
	s.marks = newGroup(s.markCommitted, nil)
	s.changes = newGroup(s.changeSchedules, (*change).size)
	s.finishes = newGroup(s.finishTurns, nil)
	s.settles = newGroup(s.settleMessages, nil)
	s.news = newGroup(s.mergeNews, (*news).size)
	s.readings = newGroup(s.insertReadings, (*readingDoc).size)
}

// Ping makes a durable write, so that it fails when a commit would.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "write to the store", func(ctx context.Context) error {
		_, err := s.db.Collection(collMeta).UpdateOne(ctx, bson.D{{Key: "_id", Value: "ping"}},
			bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
		return err
	})
}

// Close waits for the commits and reports under way, refuses later ones with ErrStoreAway
// and disconnects. It may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.watch.Wait()
		s.flights.close()
		for _, g := range []interface{ close() }{
			s.sequences, s.inserts, s.swaps, s.marks, s.changes, s.finishes, s.settles, s.news, s.readings,
		} {
			g.close()
		}
		s.deregister()
		s.closeErr = s.disconnect()
	})
	return s.closeErr
}

func (s *Store) disconnect() error {
	ctx, cancel := context.WithTimeout(context.Background(), operationTimeout)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("close the MongoDB store: %w", err)
	}
	return nil
}
