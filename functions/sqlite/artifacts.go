package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/hark-voice/hark/functions/assistant"
)

// chunkSize is how an artifact is cut into rows, each written in a transaction
// of its own, so that an upload never holds up a turn for long.
const chunkSize = 1 << 20

// PutArtifact stores an archive under its hash, the SHA-256 of its content in
// lower-case hexadecimal. One that exists is left alone, and r unread. The
// content is refused when it has another hash or is too large; it can be seen
// once it is whole and checked.
func (s *Store) PutArtifact(ctx context.Context, hash string, r io.Reader) error {
	what := "keep artifact " + hash
	var exists int
	err := s.reads.row(ctx, `SELECT 1 FROM artifacts WHERE hash = ?`, []any{hash}, &exists)
	if err == nil {
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return failed(what, err)
	}
	upload := s.lastUpload.Add(1)
	size, chunks, err := s.upload(ctx, what, upload, hash, r)
	if err == nil {
		err = s.publish(ctx, what, upload, hash, size)
	}
	if err != nil {
		// Also what a context ended must go; what cannot go now goes at the next start.
		s.dropUpload(context.WithoutCancel(ctx), what, upload, chunks)
		return err
	}
	return nil
}

// upload writes the chunks and returns their size and number.
func (s *Store) upload(ctx context.Context, what string, upload int64, hash string, r io.Reader) (size int64, n int, err error) {
	sum := sha256.New()
	for {
		chunk := make([]byte, chunkSize)
		got, err := io.ReadFull(r, chunk)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return size, n, fmt.Errorf("%s: read its content: %w", what, err)
		}
		if got == 0 {
			break
		}
		chunk = chunk[:got]
		sum.Write(chunk)
		if size += int64(got); size > s.maxArtifact {
			return size, n, fmt.Errorf("%s: it is larger than the %d bytes allowed", what, s.maxArtifact)
		}
		place := n
		n++
		err = s.writer.do(ctx, write{what: what, size: got, alone: true, apply: func(ctx context.Context, t *tx) error {
			_, err := t.exec(ctx, `INSERT INTO chunks (upload, n, data) VALUES (?, ?, ?)`, upload, place, chunk)
			return err
		}})
		if err != nil {
			return size, n, err
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != hash {
		return size, n, fmt.Errorf("%s: the content has the hash %s: it was damaged on its way, send it again", what, got)
	}
	return size, n, nil
}

// publish makes an upload the artifact, unless another was quicker.
func (s *Store) publish(ctx context.Context, what string, upload int64, hash string, size int64) error {
	return s.writer.do(ctx, write{what: what, alone: true, apply: func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `INSERT INTO artifacts (hash, upload, size) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			hash, upload, size)
		if err != nil || n == 1 {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM chunks WHERE upload = ?`, upload)
		return err
	}})
}

// dropUpload removes the chunks of an upload that came to nothing.
func (s *Store) dropUpload(ctx context.Context, what string, upload int64, chunks int) {
	for n := range chunks {
		err := s.writer.later(ctx, write{what: what + ": clean up", alone: true, apply: func(ctx context.Context, t *tx) error {
			_, err := t.exec(ctx, `DELETE FROM chunks WHERE upload = ?1 AND n = ?2
				AND NOT EXISTS (SELECT 1 FROM artifacts WHERE upload = ?1)`, upload, n)
			return err
		}})
		if err != nil {
			return
		}
	}
}

// clearUploads removes what uploads left that a crash cut off. A disk that is
// too full for it does not keep the store from opening.
func (s *Store) clearUploads(ctx context.Context) error {
	const what = "clean up after uploads"
	type place struct {
		upload int64
		n      int
	}
	var left []place
	err := s.reports.each(ctx, `SELECT upload, n FROM chunks WHERE upload NOT IN (SELECT upload FROM artifacts)`, nil,
		func(rows *sql.Rows) error {
			var p place
			err := rows.Scan(&p.upload, &p.n)
			left = append(left, p)
			return err
		})
	if err != nil {
		return failed(what, err)
	}
	for _, p := range left {
		err := s.writer.do(ctx, write{what: what, alone: true, apply: func(ctx context.Context, t *tx) error {
			_, err := t.exec(ctx, `DELETE FROM chunks WHERE upload = ? AND n = ?`, p.upload, p.n)
			return err
		}})
		if err != nil && !errors.Is(err, assistant.ErrStoreAway) {
			return err
		}
	}
	var last int64
	err = s.reports.row(ctx, `SELECT COALESCE(MAX(upload), 0) FROM chunks`, nil, &last)
	s.lastUpload.Store(last)
	return failed(what, err)
}

// Artifact opens an archive; ErrNotFound. Reading ends with ctx.
func (s *Store) Artifact(ctx context.Context, hash string) (io.ReadCloser, error) {
	what := "open artifact " + hash
	var upload int64
	if err := s.reads.row(ctx, `SELECT upload FROM artifacts WHERE hash = ?`, []any{hash}, &upload); err != nil {
		return nil, failed(what, err)
	}
	n := 0
	return &artifact{next: func() ([]byte, error) {
		var chunk []byte
		err := s.reads.row(ctx, `SELECT data FROM chunks WHERE upload = ? AND n = ?`, []any{upload, n}, &chunk)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, io.EOF
		}
		n++
		return chunk, failed(what, err)
	}}, nil
}

// artifact reads an archive chunk by chunk. No connection is held in between.
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
