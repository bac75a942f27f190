package mongo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// chunkSize is how an artifact is cut into documents.
const chunkSize = 1 << 20

// artifactDoc is an upload. It is an artifact once it is done, which is the
// last thing that is written of it.
type artifactDoc struct {
	ID     string `bson:"_id"`
	Hash   string `bson:"hash"`
	Owner  string `bson:"owner"` // the process that uploads
	Chunks int    `bson:"chunks"`
	Size   int64  `bson:"size"`
	Done   bool   `bson:"done"`
}

type chunkDoc struct {
	ID     string `bson:"_id"` // {upload}/{n}
	Upload string `bson:"upload"`
	Data   []byte `bson:"data"`
}

func chunkID(upload string, n int) string { return upload + "/" + strconv.Itoa(n) }

// PutArtifact stores an archive under its hash, the SHA-256 of its content in
// lower-case hexadecimal. One that exists is left alone, and r unread. The
// content is refused when it has another hash or is too large; it can be seen
// once it is whole and checked. Two that are uploaded at once are both kept.
func (s *Store) PutArtifact(ctx context.Context, hash string, r io.Reader) error {
	what := "keep artifact " + hash
	switch _, err := s.findArtifact(ctx, hash); {
	case err == nil:
		return nil
	case !errors.Is(err, driver.ErrNoDocuments):
		return failed(ctx, what, err)
	}
	doc := artifactDoc{ID: rand.Text(), Hash: hash, Owner: s.process}
	err := s.call(ctx, what, func(ctx context.Context) error {
		_, err := s.db.Collection(collArtifacts).InsertOne(ctx, doc)
		return err
	})
	if err != nil {
		return err
	}
	err = s.upload(ctx, what, &doc, r)
	if err == nil {
		err = s.publish(ctx, what, &doc)
	}
	if err != nil {
		// Also what a context ended must go; what cannot go now, goes after the end
		// of this process.
		if dropErr := s.dropUpload(context.WithoutCancel(ctx), doc.ID); dropErr != nil {
			s.logger.Debug("an upload that came to nothing is still stored", "artifact", hash, "error", dropErr)
		}
	}
	return err
}

func (s *Store) findArtifact(ctx context.Context, hash string) (artifactDoc, error) {
	return findOne[artifactDoc](ctx, s, collArtifacts, bson.D{{Key: "hash", Value: hash}, {Key: "done", Value: true}},
		options.FindOne().SetSort(bson.D{{Key: "_id", Value: 1}}))
}

// upload writes the chunks and checks their hash.
func (s *Store) upload(ctx context.Context, what string, doc *artifactDoc, r io.Reader) error {
	sum := sha256.New()
	chunk := make([]byte, chunkSize)
	for {
		got, err := io.ReadFull(r, chunk)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: read its content: %w", what, err)
		}
		if got == 0 {
			break
		}
		sum.Write(chunk[:got])
		if doc.Size += int64(got); doc.Size > s.maxArtifact {
			return fmt.Errorf("%s: it is larger than the %d bytes allowed", what, s.maxArtifact)
		}
		err = s.call(ctx, what, func(ctx context.Context) error {
			_, err := s.db.Collection(collChunks).InsertOne(ctx,
				chunkDoc{ID: chunkID(doc.ID, doc.Chunks), Upload: doc.ID, Data: chunk[:got]})
			return err
		})
		if err != nil {
			return err
		}
		doc.Chunks++
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != doc.Hash {
		return fmt.Errorf("%s: the content has the hash %s: it was damaged on its way, send it again", what, got)
	}
	return nil
}

// publish makes an upload the artifact, unless this process was taken for dead
// and its upload removed.
func (s *Store) publish(ctx context.Context, what string, doc *artifactDoc) error {
	matched, err := s.update(ctx, collArtifacts, byID(doc.ID), set(
		bson.E{Key: "done", Value: true}, bson.E{Key: "chunks", Value: doc.Chunks}, bson.E{Key: "size", Value: doc.Size}))
	if err == nil && !matched {
		err = errors.New("the upload took too long and was given up; send it again")
	}
	return failed(ctx, what, err)
}

// dropUpload removes an upload that is not done. Its document goes first, so
// that it cannot be published any more.
func (s *Store) dropUpload(ctx context.Context, id string) error {
	return s.raw(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collArtifacts).DeleteOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "done", Value: false}})
		if err != nil {
			return err
		}
		if n, err := s.db.Collection(collArtifacts).CountDocuments(ctx, byID(id)); err != nil || n > 0 {
			return err // it was published after all
		}
		_, err = s.db.Collection(collChunks).DeleteMany(ctx, bson.D{{Key: "upload", Value: id}})
		return err
	})
}

// dropUploads removes the uploads that a dead process did not end.
func (s *Store) dropUploads(ctx context.Context, process string) error {
	left, err := findAll[artifactDoc](ctx, s, collArtifacts,
		bson.D{{Key: "owner", Value: process}, {Key: "done", Value: false}})
	if err != nil {
		return err
	}
	for _, d := range left {
		if err := s.dropUpload(ctx, d.ID); err != nil {
			return err
		}
	}
	return nil
}

// Artifact opens an archive; ErrNotFound. Reading ends with ctx.
func (s *Store) Artifact(ctx context.Context, hash string) (io.ReadCloser, error) {
	what := "open artifact " + hash
	doc, err := s.findArtifact(ctx, hash)
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	n := 0
	return &artifact{next: func() ([]byte, error) {
		if n == doc.Chunks {
			return nil, io.EOF
		}
		chunk, err := findOne[chunkDoc](ctx, s, collChunks, byID(chunkID(doc.ID, n)))
		if errors.Is(err, driver.ErrNoDocuments) {
			return nil, fmt.Errorf("%s: %w: part %d of %d is missing", what, errDocument, n+1, doc.Chunks)
		}
		n++
		return chunk.Data, failed(ctx, what, err)
	}}, nil
}

// artifact reads an archive chunk by chunk.
type artifact struct {
	next func() ([]byte, error)
	rest []byte
	err  error
}

func (a *artifact) Read(p []byte) (int, error) {
	for len(a.rest) == 0 && a.err == nil {
		a.rest, a.err = a.next()
	}
	if len(a.rest) == 0 {
		return 0, a.err
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

func (a *artifact) Close() error {
	a.err, a.rest = fs.ErrClosed, nil
	return nil
}
