package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
)

// openErr opens what must be refused and returns why.
func openErr(t *testing.T, path string) string {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: path})
	return refused(t, s, err)
}

func refused(t *testing.T, s *Store, err error) string {
	t.Helper()
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	return err.Error()
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q does not say %q", got, w)
		}
	}
}

func TestSecondOpener(t *testing.T) {
	dir := t.TempDir()
	first := openAt(t, dir)
	path := filepath.Join(dir, "hark.db")
	wantText(t, openErr(t, path), "in use by another Hark", fmt.Sprint(os.Getpid()), "another data folder")
	if err := first.Ping(t.Context()); err != nil {
		t.Errorf("the first after the second was refused: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, dir)
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want string // in the error
	}{
		{"text", text("dear diary, today nothing happened"), "not a Hark store"},
		{"a few bytes", text("SQL"), "not a Hark store"},
		{"another program's", foreign, "another program"},
		{"a damaged header", damage(16), "damaged"},
		{"a damaged schema", damage(100), "damaged"},
		{"a folder", folder, "is a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hark.db")
			c.make(t, path)
			before, _ := os.ReadFile(path)
			wantText(t, openErr(t, path), path, c.want)
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
	wantText(t, openErr(t, ""), "no path")
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// damage makes a store and writes over a part of it.
func damage(from int64) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		s, err := Open(t.Context(), Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte(strings.Repeat("damage", 4000)), from); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func text(s string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		writeFile(t, path, s)
	}
}

func foreign(t *testing.T, path string) {
	t.Helper()
	db, err := openDB(path, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE bookmarks (url TEXT)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOpenAnywhere: a folder that does not exist yet, of a difficult name, with
// somebody else's files and an empty file in the place of the database.
func TestOpenAnywhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b%20c?d#e&_pragma=x", "数据")
	openAt(t, dir)
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "hark.db"), "")
	writeFile(t, filepath.Join(dir, "notes.txt"), "not ours")
	s := openAt(t, dir)
	info, err := os.Stat(filepath.Join(dir, "hark.db"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file is readable by others: %v", info.Mode())
	}
	var mode string
	var sync int
	if err := s.writer.do(t.Context(), write{apply: func(ctx context.Context, t *tx) error {
		return errors.Join(t.row(ctx, "PRAGMA journal_mode", nil, &mode), t.row(ctx, "PRAGMA synchronous", nil, &sync))
	}}); err != nil {
		t.Fatal(err)
	}
	if mode != "wal" || sync != 2 {
		t.Errorf("journal_mode %s, synchronous %d: want wal and 2 (FULL)", mode, sync)
	}
	if err := s.reads.row(t.Context(), "DELETE FROM turns RETURNING 1", nil, &sync); err == nil {
		t.Error("a connection for reading can write")
	}
}

func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hark.db")
	openErr := func(steps []migration) string {
		t.Helper()
		s, err := open(t.Context(), Options{Path: path}, steps)
		return refused(t, s, err)
	}
	reopen := func(steps []migration) *Store {
		t.Helper()
		s, err := open(t.Context(), Options{Path: path}, steps)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// A store of today's schema is that of a Hark of the past, some day.
	past := schema()
	s := reopen(past)
	if err := s.PutHome(t.Context(), assistant.Home{ID: "home", Lang: "en"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// A migration that fails leaves everything as it was.
	broken := append(slices.Clip(past), "CREATE TABLE moods (name TEXT); INSERT INTO nothing VALUES (1)")
	wantText(t, openErr(broken), fmt.Sprint("schema version ", len(past)+1), "nothing")
	// One that works, twice: the second time there is nothing to do.
	future := append(slices.Clip(past), "CREATE TABLE moods (name TEXT)", "INSERT INTO moods VALUES ('good')")
	for range 2 {
		s = reopen(future)
		var mood, home string
		err := s.reads.row(t.Context(), "SELECT name, (SELECT id FROM homes) FROM moods", nil, &mood, &home)
		if err != nil || mood != "good" || home != "home" {
			t.Errorf("after the migration: %q %q %v", mood, home, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The Hark of the past refuses it, and can use the backup.
	wantText(t, openErr(past), "newer Hark", fmt.Sprint("schema version ", len(future)), fmt.Sprint("knows ", len(past)),
		fmt.Sprintf("hark.db.schema%d.bak", len(past)))
	if err := os.Rename(backupPath(path, len(past)), path); err != nil {
		t.Fatal(err)
	}
	s = reopen(past)
	if _, err := s.Home(t.Context(), "home"); err != nil {
		t.Errorf("in the backup: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// A store of schema version 1 has all that was in it after the migration, and a
// backup beside it.
func TestMigrateFromSchema1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hark.db")
	db, err := openDB(path, 1, "journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	if err := step(t.Context(), db, schema1, 1); err != nil {
		t.Fatal(err)
	}
	const n = 30
	for i := range int64(n) {
		c := withEffects((i*7)%n + 1) // not in the order of arrival
		turn, m := c.Turn, c.Messages[0]
		var b batch
		for query, args := range map[string][]any{
			`INSERT INTO turns (id, received, doc) VALUES (?, ?, ?)`: {turn.ID, turn.Received.UnixMilli(), b.document(turn)},
			`INSERT INTO invocations VALUES (?, ?, 0, 'i', 'home', 'clock', '1', 'ok', 0, 2, 3, 64, 12)`: {
				turn.Received.UnixMilli(), turn.ID,
			},
			`INSERT INTO outbox (id, home, device, expires, doc) VALUES (?, ?, 'kitchen', ?, ?)`: {m.ID, m.Home, m.Expires.UnixMilli(), b.document(m)},
		} {
			if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, filepath.Dir(path))
	turns, err := s.Turns(t.Context(), 100)
	if err != nil || len(turns) != n || turns[0].ID != turnID(n) || turns[n-1].ID != turnID(1) {
		t.Errorf("%d turns, %v", len(turns), err)
	}
	for i := range int64(n) {
		if err := s.Commit(t.Context(), &assistant.Commit{Turn: aTurn(i + 1)}); !errors.Is(err, assistant.ErrDuplicate) {
			t.Errorf("turn %d again: %v", i+1, err)
		}
	}
	usage, err := s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageBySkill, From: aTurn(11).Received})
	if err != nil || len(usage) != 1 || usage[0].Invocations != n-10 || usage[0].MicroCU != 12*(n-10) {
		t.Errorf("usage %+v, %v", usage, err)
	}
	owed, err := s.Owed(t.Context(), "home", "kitchen", 100)
	if err != nil || len(owed) != n || owed[0].ID != assistant.EffectID(turnID(1), 0) || owed[1].ID != assistant.EffectID(turnID(8), 0) {
		t.Errorf("%d messages owed, %v", len(owed), err)
	}
	if err := s.Commit(t.Context(), withEffects(n+1)); err != nil {
		t.Errorf("a new turn: %v", err)
	}
	if _, err := os.Stat(backupPath(path, 1)); err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	// Settle does not wait for the disk, Close does.
	for n := range 20 {
		if err := s.Commit(t.Context(), crashCommit(0, n)); err != nil {
			t.Fatal(err)
		}
		if err := s.Settle(t.Context(), assistant.EffectID(crashCommit(0, n).Turn.ID, 0)); err != nil {
			t.Fatal(err)
		}
	}
	release := hold(t, s)
	if err := s.Settle(t.Context(), "unknown"); err != nil {
		t.Fatal(err)
	}
	last := make(chan error, 1)
	go func() { last <- s.Commit(t.Context(), crashCommit(1, 0)) }()
	waitQueued(t, s, 2)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	for refusing := false; !refusing; { // Close has begun
		s.writer.mu.Lock()
		refusing = s.writer.closed
		s.writer.mu.Unlock()
		runtime.Gosched()
	}
	release()
	for what, result := range map[string]chan error{"what was queued": last, "Close": closed} {
		if err := <-result; err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	for what, err := range map[string]error{
		"Commit": s.Commit(t.Context(), crashCommit(0, 20)),
		"Settle": s.Settle(t.Context(), "x"),
		"Ping":   s.Ping(t.Context()),
		"Home":   second(s.Home(t.Context(), "home")),
		"Usage":  second(s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageByHome})),
	} {
		if !errors.Is(err, assistant.ErrStoreAway) {
			t.Errorf("%s of a closed store: %v", what, err)
		}
	}
	owed, err := openAt(t, dir).Owed(context.WithoutCancel(t.Context()), "home", "0", 100)
	if err != nil || len(owed) > 0 {
		t.Errorf("settled before the end, and owed again: %d (%v)", len(owed), err)
	}
}

func second[T any](_ T, err error) error { return err }
