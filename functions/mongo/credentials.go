package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hark-voice/hark/broker/topic"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// keepExpired is how long an expired credential is remembered.
const keepExpired = 24 * time.Hour

// credentialsDoc holds all credentials of a device, so that replacing them is
// one write. They are few: temporary ones are forgotten a day after their end.
type credentialsDoc struct {
	ID       string          `bson:"_id"`
	Revision int64           `bson:"revision"`
	List     []credentialDoc `bson:"list"`
}

type credentialDoc struct {
	ID      string `bson:"id"`
	Hash    []byte `bson:"hash"`
	Expires *int64 `bson:"expires,omitempty"`
}

func newCredential(c topic.Credential) credentialDoc {
	return credentialDoc{ID: c.ID, Hash: c.Hash[:], Expires: millis(c.Expires)}
}

// Credentials returns those of a device, expired ones included, none for an
// unknown device.
func (s *Store) Credentials(ctx context.Context, d topic.Device) ([]topic.Credential, error) {
	what := "find the credentials of " + d.String()
	doc, err := findOne[credentialsDoc](ctx, s, collCredentials, byID(path(d.Home, d.ID)))
	if errors.Is(err, driver.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	list := make([]topic.Credential, len(doc.List))
	for i, c := range doc.List {
		list[i] = topic.Credential{Device: d, ID: c.ID, Expires: fromMillis(c.Expires)}
		if copy(list[i].Hash[:], c.Hash) != len(list[i].Hash) {
			return nil, fmt.Errorf("%s: %w: the hash of %s has %d bytes", what, errDocument, c.ID, len(c.Hash))
		}
	}
	return list, nil
}

// PutCredential adds a credential, or replaces the one of its id. With a
// temporary one, those of the device that expired a day or more before it will
// are forgotten, so that they do not pile up.
func (s *Store) PutCredential(ctx context.Context, c topic.Credential) error {
	return s.changeCredentials(ctx, "keep a credential of "+c.Device.String(), c, func(old credentialDoc) bool {
		return !c.Expires.IsZero() && old.Expires != nil && *old.Expires <= c.Expires.Add(-keepExpired).UnixMilli()
	})
}

// ReplaceCredentials makes c the only lasting credential of its device;
// temporary ones (with an expiry) stay.
func (s *Store) ReplaceCredentials(ctx context.Context, c topic.Credential) error {
	return s.changeCredentials(ctx, "replace the credentials of "+c.Device.String(), c, func(old credentialDoc) bool {
		return old.Expires == nil
	})
}

// changeCredentials adds c in place of its namesake and of those that go, by
// compare-and-swap.
func (s *Store) changeCredentials(ctx context.Context, what string, c topic.Credential, goes func(credentialDoc) bool) error {
	id := path(c.Device.Home, c.Device.ID)
	for {
		doc, err := findOne[credentialsDoc](ctx, s, collCredentials, byID(id))
		fresh := errors.Is(err, driver.ErrNoDocuments)
		if err != nil && !fresh {
			return failed(ctx, what, err)
		}
		base := doc.Revision
		doc.ID, doc.Revision = id, base+1
		doc.List = append(slices.DeleteFunc(doc.List, func(old credentialDoc) bool {
			return old.ID == c.ID || goes(old)
		}), newCredential(c))
		won := false
		err = s.raw(ctx, func(ctx context.Context) error {
			coll := s.db.Collection(collCredentials)
			if fresh {
				_, err := coll.InsertOne(ctx, doc)
				won = err == nil
				return err
			}
			res, err := coll.ReplaceOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "revision", Value: base}}, doc)
			won = err == nil && res.MatchedCount > 0
			return err
		})
		if err != nil && !driver.IsDuplicateKeyError(err) {
			return failed(ctx, what, err)
		}
		if won {
			return nil
		}
	}
}
