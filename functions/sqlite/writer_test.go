package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// hold keeps the writer busy until release is called, so that what is queued
// in between becomes one group.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	busy, free := make(chan struct{}), make(chan struct{})
	err := s.writer.later(t.Context(), write{what: "hold", alone: true, apply: func(context.Context, *tx) error {
		close(busy)
		<-free
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-busy
	return func() { close(free) }
}

// waitQueued returns when n writes are queued behind the one that runs.
func waitQueued(t *testing.T, s *Store, n int) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		s.writer.mu.Lock()
		queued := len(s.writer.queue)
		s.writer.mu.Unlock()
		if queued == n {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d writes are queued, want %d", queued, n)
		case <-tick.C:
		}
	}
}

// TestGroupOutcomes commits a group in which several are refused and one cannot
// be stored at all: the others are stored, and each gets its own outcome.
func TestGroupOutcomes(t *testing.T) {
	s := openAt(t, t.TempDir())
	if err := s.Commit(t.Context(), crashCommit(0, 0)); err != nil {
		t.Fatal(err)
	}
	conflict := crashCommit(0, 5)
	gone := crashCommit(1, 0)
	gone.Fired = &assistant.Schedule{ScheduleKey: assistant.ScheduleKey{Home: "home", Skill: "count", ID: "none"}}
	impossible := crashCommit(2, 0)
	impossible.Messages = append(impossible.Messages, impossible.Messages[0]) // one id twice
	another := errors.New("any other error")
	commits := []struct {
		c    *assistant.Commit
		want error
	}{
		{crashCommit(3, 0), nil},
		{crashCommit(0, 0), assistant.ErrDuplicate},
		{conflict, assistant.ErrConflict},
		{impossible, another},
		{gone, assistant.ErrGone},
		{crashCommit(4, 0), nil},
		{crashCommit(3, 0), assistant.ErrDuplicate},
		{crashCommit(0, 1), nil},
	}
	release := hold(t, s)
	outcomes := make([]chan error, len(commits))
	for i, c := range commits {
		outcomes[i] = make(chan error, 1)
		go func() { outcomes[i] <- s.Commit(t.Context(), c.c) }()
		waitQueued(t, s, i+1)
	}
	release()
	for i, c := range commits {
		err := <-outcomes[i]
		switch {
		case c.c == impossible:
			if err == nil || errors.Is(err, assistant.ErrStoreAway) {
				t.Errorf("a commit that cannot be stored: %v", err)
			}
		case !errors.Is(err, c.want):
			t.Errorf("commit %d (%s): %v, want %v", i, c.c.Turn.ID, err, c.want)
		}
	}
	for _, c := range commits {
		_, err := s.FindTurn(t.Context(), c.c.Turn.ID)
		stored := c.want == nil || errors.Is(c.want, assistant.ErrDuplicate)
		if (err == nil) != stored {
			t.Errorf("turn %s: %v, want stored: %t", c.c.Turn.ID, err, stored)
		}
	}
}

// TestReadsWait: reports see what was queued before them.
func TestReadsWait(t *testing.T) {
	s := openAt(t, t.TempDir())
	release := hold(t, s)
	results := make(chan error, 3)
	go func() { results <- s.Commit(t.Context(), crashCommit(0, 0)) }()
	waitQueued(t, s, 1)
	go func() {
		turns, err := s.Turns(t.Context(), 10)
		if err == nil && len(turns) != 1 {
			err = fmt.Errorf("%d turns", len(turns))
		}
		results <- err
	}()
	go func() {
		usage, err := s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageByHome})
		if err == nil && (len(usage) != 1 || usage[0].Invocations != 1) {
			err = fmt.Errorf("usage %+v", usage)
		}
		results <- err
	}()
	waitQueued(t, s, 3)
	// The road does not wait for the writer.
	if _, err := s.FindTurn(t.Context(), "none"); !errors.Is(err, assistant.ErrNotFound) {
		t.Error(err)
	}
	release()
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// TestQueueIsBounded: beyond the bound callers wait outside, as long as they like.
func TestQueueIsBounded(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: t.TempDir() + "/hark.db", MaxQueued: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := hold(t, s)
	settled := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := s.Settle(ctx, strings.Repeat("x", 64))
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
		if settled++; settled > 8 {
			t.Fatal("the queue takes more than it should")
		}
	}
	// A caller that leaves the queue before its turn has changed nothing.
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- s.PutHome(ctx, assistant.Home{ID: "left"}) }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that leaves: %v", err)
	}
	release()
	// What is larger than the whole queue still gets through, by itself.
	if err := s.PutHome(t.Context(), assistant.Home{ID: "big", Zone: strings.Repeat("x", 64<<10)}); err != nil {
		t.Error(err)
	}
	if _, err := s.Home(t.Context(), "left"); !errors.Is(err, assistant.ErrNotFound) {
		t.Errorf("what was left: %v", err)
	}
}

// TestAbandoned: a caller that gives up while it is queued has changed nothing.
func TestAbandoned(t *testing.T) {
	s := openAt(t, t.TempDir())
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Commit(ctx, crashCommit(0, 0)) }()
	waitQueued(t, s, 1)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	if turns, err := s.Turns(t.Context(), 10); err != nil || len(turns) != 0 {
		t.Errorf("%d turns (%v)", len(turns), err)
	}
}

func TestArtifactLimit(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: t.TempDir() + "/hark.db", MaxArtifact: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fits := make([]byte, 2<<20)
	if err := s.PutArtifact(t.Context(), sha(fits), bytes.NewReader(fits)); err != nil {
		t.Error(err)
	}
	large := make([]byte, 2<<20+1)
	if err := s.PutArtifact(t.Context(), sha(large), bytes.NewReader(large)); err == nil {
		t.Error("an artifact above the limit is taken")
	}
	if err := s.writer.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := chunks(t, s); n != 2 {
		t.Errorf("%d chunks are stored, want the 2 of the one that fits", n)
	}
}

// TestUploadCutOff: what a crash left of an upload is gone after the next start.
func TestUploadCutOff(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	whole := []byte("whole")
	if err := s.PutArtifact(t.Context(), sha(whole), bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.upload(t.Context(), "upload", s.lastUpload.Add(1), sha(nil), strings.NewReader("cut off"))
	if err == nil {
		t.Fatal("an upload of another hash was taken")
	}
	if n := chunks(t, s); n != 2 {
		t.Fatalf("%d chunks are stored", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir)
	if n := chunks(t, s); n != 1 {
		t.Errorf("%d chunks are left, want 1", n)
	}
	r, err := s.Artifact(t.Context(), sha(whole))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("%q %v", got, err)
	}
}

func chunks(t *testing.T, s *Store) (n int) {
	t.Helper()
	if err := s.reads.row(t.Context(), "SELECT COUNT(*) FROM chunks", nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestLogIsBounded: readers that overlap without a gap would let the
// write-ahead log grow for ever, for SQLite starts it anew only in such a gap.
func TestLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- overlap(t.Context(), s, stop) }()
	key := assistant.StateKey{Home: "home", Skill: "large", Scope: "home"}
	const commits = 700 // 45 MB and more
	for n := range commits {
		value := json.RawMessage(`"` + strings.Repeat(strconv.Itoa(n%10), 64<<10) + `"`)
		c := &assistant.Commit{Turn: aTurn(int64(n)), State: &assistant.StateChange{Key: key, Base: int64(n), Value: value}}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "hark.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 30<<20 {
		t.Errorf("the write-ahead log has %d bytes after %d commits of 64 KiB", info.Size(), commits)
	}
}

// overlap reads without a gap until stop is closed: one read ends when the next
// has long begun, as with reports that take longer than a commit.
func overlap(ctx context.Context, s *Store, stop <-chan struct{}) error {
	var last *sql.Rows
	length := time.NewTicker(10 * time.Millisecond)
	defer length.Stop()
	for {
		next, err := s.reads.db.QueryContext(ctx, "SELECT key FROM turns UNION ALL SELECT 1 UNION ALL SELECT 2")
		if err != nil {
			return err
		}
		if !next.Next() { // a row: the read has begun
			return next.Err()
		}
		if last != nil {
			if err := last.Close(); err != nil {
				return err
			}
		}
		last = next
		select {
		case <-stop:
			return last.Close()
		case <-length.C:
		}
	}
}

// TestUnreadable: a damaged document fails who asks for it, and nobody else.
func TestUnreadable(t *testing.T) {
	s := openAt(t, t.TempDir())
	if err := s.Commit(t.Context(), crashCommit(0, 0)); err != nil {
		t.Fatal(err)
	}
	err := s.writer.do(t.Context(), write{what: "damage", apply: func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE schedules SET doc = 'damage'`)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, s)
	claimed, committed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.ClaimDue(t.Context(), aTurn(1<<40).Received, "one", time.Minute, 10)
		claimed <- err
	}()
	waitQueued(t, s, 1)
	go func() { committed <- s.Commit(t.Context(), crashCommit(0, 1)) }()
	waitQueued(t, s, 2)
	release()
	if err := <-claimed; !errors.Is(err, errDocument) || errors.Is(err, assistant.ErrStoreAway) {
		t.Errorf("claim: %v", err)
	}
	if err := <-committed; err != nil {
		t.Errorf("a commit beside it: %v", err)
	}
}

// TestUploadTwice: of two uploads of one artifact, one is kept.
func TestUploadTwice(t *testing.T) {
	s := openAt(t, t.TempDir())
	hash := sha([]byte("content"))
	for upload := range int64(2) {
		size, _, err := s.upload(t.Context(), "upload", upload, hash, strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.publish(t.Context(), "publish", upload, hash, size); err != nil {
			t.Fatal(err)
		}
	}
	if n := chunks(t, s); n != 1 {
		t.Errorf("%d chunks are stored, want 1", n)
	}
}
