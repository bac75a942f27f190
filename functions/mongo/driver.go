package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

const (
	// operationTimeout bounds one operation, retries of the driver included.
	operationTimeout = 4 * time.Second
	// selectionTimeout is how long an operation looks for a server that takes it:
	// short, because a turn waits, and who is told that the store is away tries again.
	selectionTimeout = 1500 * time.Millisecond
	// maxOperations bounds the operations under way. More of them wait here: in the
	// driver's pool, waiting would eat up their timeouts.
	maxOperations = 32
	// maxCommitBytes bounds what the commits and reports under way hold.
	maxCommitBytes = 64 << 20
	// maxDocument keeps a document below the 16 MiB that MongoDB takes.
	maxDocument = 12 << 20

	duplicateKey = 11000
)

// errDocument is a document that does not decode: damage, or a newer Hark.
var errDocument = errors.New("the stored document is unreadable")

// awayError is ErrStoreAway with its cause. The cause is for people alone: its
// own chain holds deadlines, which a caller would take for its own.
type awayError struct{ cause error }

func (e *awayError) Error() string { return assistant.ErrStoreAway.Error() + ": " + e.cause.Error() }

func (e *awayError) Unwrap() error { return assistant.ErrStoreAway }

func connect(o Options) (*driver.Client, *driver.Database, error) {
	cs, err := connstring.ParseAndValidate(o.URI)
	if err != nil {
		return nil, nil, fmt.Errorf("the address is not understood, write mongodb://host:port/database: %w", err)
	}
	name := o.Database
	if name == "" {
		name = cs.Database
	}
	if name == "" {
		name = DefaultDatabase
	}
	journaled := true
	opts := options.Client().ApplyURI(o.URI).SetAppName("hark").
		SetTimeout(operationTimeout).SetMaxPoolSize(maxOperations).
		SetReadPreference(readpref.Primary()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled})
	if opts.ServerSelectionTimeout == nil {
		opts.SetServerSelectionTimeout(selectionTimeout)
	}
	client, err := driver.Connect(opts)
	if err != nil {
		return nil, nil, err
	}
	return client, client.Database(name), nil
}

// call runs one operation in a slot and says of its error what it means.
func (s *Store) call(ctx context.Context, what string, op func(ctx context.Context) error) error {
	return failed(ctx, what, s.raw(ctx, op))
}

// raw runs one operation in a slot and returns the driver's error.
func (s *Store) raw(ctx context.Context, op func(ctx context.Context) error) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slots }()
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return op(ctx)
}

// failed wraps what an operation returned: no document is ErrNotFound, the end
// of the caller's context is itself, anything else means that the store is away.
func failed(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case errors.Is(err, driver.ErrNoDocuments):
		return fmt.Errorf("%s: %w", what, assistant.ErrNotFound)
	case errors.Is(err, errDocument), errors.Is(err, errTooLarge), isOfStores(err):
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, &awayError{err})
}

// isOfStores tells whether the error is one that the stores share.
func isOfStores(err error) bool {
	return errors.Is(err, assistant.ErrStoreAway) || errors.Is(err, assistant.ErrNotFound) ||
		errors.Is(err, assistant.ErrDuplicate) || errors.Is(err, assistant.ErrConflict) || errors.Is(err, assistant.ErrGone) ||
		errors.Is(err, assistant.ErrTooMany)
}

// refused splits the error of an unordered bulk write: the codes of the writes
// that the server refused, by their place, or an error after which nothing is
// known about any of them.
func refused(err error) (map[int]int, error) {
	if err == nil {
		return nil, nil
	}
	var bulk driver.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil || len(bulk.WriteErrors) == 0 {
		return nil, err
	}
	codes := make(map[int]int, len(bulk.WriteErrors))
	for _, e := range bulk.WriteErrors {
		if e.Code != duplicateKey {
			return nil, err
		}
		codes[e.Index] = e.Code
	}
	return codes, nil
}

// findAll returns all documents that a filter matches.
func findAll[T any](
	ctx context.Context, s *Store, coll string, filter any, opts ...options.Lister[options.FindOptions],
) (list []T, err error) {
	err = s.raw(ctx, func(ctx context.Context) error {
		cur, err := s.db.Collection(coll).Find(ctx, filter, opts...)
		if err != nil {
			return err
		}
		return cur.All(ctx, &list)
	})
	return list, err
}

// findOne returns a document that a filter matches, or driver.ErrNoDocuments.
func findOne[T any](
	ctx context.Context, s *Store, coll string, filter any, opts ...options.Lister[options.FindOneOptions],
) (v T, err error) {
	err = s.raw(ctx, func(ctx context.Context) error {
		return s.db.Collection(coll).FindOne(ctx, filter, opts...).Decode(&v)
	})
	return v, err
}

// update changes one document and tells whether the filter matched it.
func (s *Store) update(ctx context.Context, coll string, filter, change bson.D) (matched bool, err error) {
	err = s.raw(ctx, func(ctx context.Context) error {
		res, err := s.db.Collection(coll).UpdateOne(ctx, filter, change)
		if err == nil {
			matched = res.MatchedCount > 0
		}
		return err
	})
	return matched, err
}

// put replaces the document of an id, or inserts it. Two that insert at once
// are told apart by the index on _id; the one that lost then replaces.
func (s *Store) put(ctx context.Context, what, coll, id string, doc any) error {
	return s.call(ctx, what, func(ctx context.Context) error {
		for {
			_, err := s.db.Collection(coll).ReplaceOne(ctx, byID(id), doc, options.Replace().SetUpsert(true))
			if !driver.IsDuplicateKeyError(err) {
				return err
			}
		}
	})
}

func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }

// among matches the ids.
func among[T any](ids []T) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
}

func set(fields ...bson.E) bson.D { return bson.D{{Key: "$set", Value: bson.D(fields)}} }

func unset(names ...string) bson.E {
	fields := make(bson.D, 0, len(names))
	for _, n := range names {
		fields = append(fields, bson.E{Key: n, Value: ""})
	}
	return bson.E{Key: "$unset", Value: fields}
}

func exists(yes bool) bson.D { return bson.D{{Key: "$exists", Value: yes}} }
