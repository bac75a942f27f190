package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
)

// died copies the files of a store as they are now, as if its process had died.
func died(t *testing.T, dir string) (copied string) {
	t.Helper()
	copied = t.TempDir()
	files, err := filepath.Glob(filepath.Join(dir, "hark.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, filepath.Base(file)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

func commitPlain(t *testing.T, s *Store, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.Commit(t.Context(), plain(crashCommit(0, n))); err != nil {
			t.Fatal(err)
		}
	}
}

// keepPending has the writer leave what it commits in the journal, until release.
func keepPending(t *testing.T, s *Store) (release func()) {
	t.Helper()
	release = hold(t, s)
	posting := make(chan struct{})
	s.writer.posting = posting // the writer is held
	release()
	return func() { close(posting) }
}

// What is in the journal alone is there: at once, and when the store is opened
// after its process died.
func TestJournalAlone(t *testing.T) {
	const n = 5
	dir := t.TempDir()
	s := openAt(t, dir)
	release := keepPending(t, s)
	commitPlain(t, s, 0, n)
	if err := s.Settle(t.Context(), assistant.EffectID(crashCommit(0, 1).Turn.ID, 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), plain(crashCommit(0, 2))); !errors.Is(err, assistant.ErrDuplicate) {
		t.Errorf("a turn again: %v", err)
	}
	conflict := plain(crashCommit(0, n))
	conflict.State.Base = 2
	if err := s.Commit(t.Context(), conflict); !errors.Is(err, assistant.ErrConflict) {
		t.Errorf("an old state: %v", err)
	}
	checkPlain(t, s, n)
	copied := died(t, dir)
	release()
	checkPlain(t, s, n)
	owed, err := s.Owed(t.Context(), "home", "0", 10)
	if err != nil || len(owed) != n-1 || owed[1].ID != assistant.EffectID(crashCommit(0, 2).Turn.ID, 0) {
		t.Errorf("%d messages are owed: %v", len(owed), err)
	}

	s = openAt(t, copied)
	checkPlain(t, s, n)
	if turns, err := s.Turns(t.Context(), 100); err != nil || len(turns) != n {
		t.Errorf("%d turns: %v", len(turns), err)
	}
	if owed, err = s.Owed(t.Context(), "home", "0", 10); err != nil || len(owed) != n && len(owed) != n-1 {
		t.Errorf("%d messages are owed: %v", len(owed), err)
	}
	commitPlain(t, s, n, n+1)
}

func checkPlain(t *testing.T, s *Store, n int) {
	t.Helper()
	for i := range n {
		if found, err := s.FindTurn(t.Context(), crashCommit(0, i).Turn.ID); err != nil || found.Text != "what time is it" {
			t.Errorf("turn %d: %v", i, err)
		}
	}
	st, err := s.State(t.Context(), crashCommit(0, 0).State.Key)
	if err != nil || st.Revision != int64(n) || string(st.Value) != fmt.Sprint(n) {
		t.Errorf("the state is %+v: %v", st, err)
	}
}

// The last group may not be written whole: then nobody was told of it. All groups
// before it are there.
func TestJournalTornAnywhere(t *testing.T) {
	const n = 3
	dir := t.TempDir()
	s := openAt(t, dir)
	release := keepPending(t, s)
	defer release()
	ends := []int64{0}
	for i := range n {
		commitPlain(t, s, i, i+1)
		ends = append(ends, s.writer.journal.end)
	}
	name := filepath.Base(s.writer.journal.files[s.writer.journal.generation%2].Name())
	for cut := int64(0); cut <= ends[n]; cut += 1 + ends[n]/97 {
		copied := died(t, dir)
		if err := os.Truncate(filepath.Join(copied, name), cut); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for whole < n && ends[whole+1] <= cut {
			whole++
		}
		torn := openAt(t, copied)
		turns, err := torn.Turns(t.Context(), 10)
		if err != nil || len(turns) != whole {
			t.Errorf("cut at %d of %v: %d turns, %v", cut, ends, len(turns), err)
		}
		if err := torn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A journal does not go into a store that is older than it, or newer.
func TestJournalOfAnotherState(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	commitPlain(t, s, 0, 3)
	if err := s.writer.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	older := died(t, dir)
	for n := 3; n < 6; n++ {
		commitPlain(t, s, n, n+1)
		if err := s.writer.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	release := keepPending(t, s)
	defer release()
	commitPlain(t, s, 6, 7)
	for i := range 2 {
		name := filepath.Base(s.writer.journal.name(i))
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(older, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(t.Context(), Options{Path: filepath.Join(older, "hark.db")})
	if err == nil {
		_ = again.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("an older store with a later journal: %v", err)
	}
	for i := range 2 { // it must still be there, for the store that it belongs to
		if info, err := os.Stat(filepath.Join(older, fmt.Sprint("hark.db-journal", i))); err != nil || info.Size() == 0 {
			t.Errorf("journal %d: %v", i, err)
		}
	}
}

// What cannot be posted stays in the journal and is found there, and commits go on
// until it is too much; then the store is away. All of it comes to the tables once
// they can be written.
func TestPostingFails(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	path := filepath.Join(dir, "hark.db")
	rename(t, path, "invocations", "gone")
	n := 0
	for ; n < 20*postCommits; n++ {
		err := s.Commit(t.Context(), &assistant.Commit{Turn: aTurn(int64(n))})
		if errors.Is(err, assistant.ErrStoreAway) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n < postCommits || n == 20*postCommits {
		t.Errorf("%d commits were taken", n)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, assistant.ErrStoreAway) {
		t.Errorf("a ping: %v", err)
	}
	// A posting that failed may be on the disk all the same: what it took is closed.
	if err := s.Commit(t.Context(), &assistant.Commit{Turn: aTurn(int64(n))}); !errors.Is(err, assistant.ErrStoreAway) {
		t.Errorf("a commit to a generation that was offered to the tables: %v", err)
	}
	if _, err := s.FindTurn(t.Context(), turnID(1)); err != nil {
		t.Error(err)
	}
	rename(t, path, "gone", "invocations")
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Commit(t.Context(), &assistant.Commit{Turn: aTurn(int64(n))}); err != nil {
		t.Error(err)
	}
	usage, err := s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageBySkill})
	if err != nil || len(usage) != 1 || usage[0].Invocations != int64(n+1) {
		t.Errorf("usage of %d turns: %+v, %v", n+1, usage, err)
	}
}

// rename renames a table behind the store's back.
func rename(t *testing.T, path, from, to string) {
	t.Helper()
	db, err := openDB(path, 1, "busy_timeout(5000)")
	if err == nil {
		_, err = db.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// failSync lets the next group fail although it was written.
func failSync(t *testing.T, s *Store, c *assistant.Commit) {
	t.Helper()
	release := hold(t, s)
	s.writer.journal.sync = func(*os.File) error { return syscall.EIO }
	release()
	if err := s.Commit(t.Context(), c); !errors.Is(err, assistant.ErrStoreAway) {
		t.Fatalf("a commit that cannot be synced: %v", err)
	}
	release = hold(t, s)
	s.writer.journal.sync = syncData
	release()
}

// A group that was written, but could not be synced, was refused: it does not come
// back behind what was acknowledged after it, by whichever way.
func TestAFailedGroupDoesNotComeBack(t *testing.T) {
	for name, next := range map[string]func(*assistant.Commit) *assistant.Commit{
		"in the journal": plain,
		"in the tables":  func(c *assistant.Commit) *assistant.Commit { return c },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openAt(t, dir)
			commitPlain(t, s, 0, 3)
			refused := plain(crashCommit(0, 3))
			refused.Turn.ID, refused.Messages = "refused", nil
			failSync(t, s, refused)
			failSync(t, s, plain(crashCommit(0, 3))) // it will be tried again
			for n := 3; n < 6; n++ {
				if err := s.Commit(t.Context(), next(crashCommit(0, n))); err != nil {
					t.Fatal(err)
				}
			}
			again := openAt(t, died(t, dir))
			checkPlain(t, again, 6)
			if turns, err := again.Turns(t.Context(), 10); err != nil || len(turns) != 6 {
				t.Errorf("%d turns, %v", len(turns), err)
			}
		})
	}
}

// Damage is not taken for the end of the journal where more follows.
func TestJournalDamagedInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	release := keepPending(t, s)
	defer release()
	commitPlain(t, s, 0, 4)
	middle := s.writer.journal.end
	commitPlain(t, s, 4, 10)
	name := filepath.Base(s.writer.journal.files[s.writer.journal.generation%2].Name())
	copied := died(t, dir)
	data, err := os.ReadFile(filepath.Join(copied, name))
	if err != nil {
		t.Fatal(err)
	}
	data[middle+100] ^= 1
	if err := os.WriteFile(filepath.Join(copied, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), Options{Path: filepath.Join(copied, "hark.db")})
	if err == nil {
		_ = again.Close()
	}
	if want := fmt.Sprintf("damaged at byte %d", middle); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("opened with %v, want %q", err, want)
	}
	if left, err := os.ReadFile(filepath.Join(copied, name)); err != nil || len(left) != len(data) {
		t.Errorf("the journal was touched: %d of %d bytes, %v", len(left), len(data), err)
	}
}

// What is queued when the store is closed is committed.
func TestCloseCommitsWhatIsQueued(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	commitPlain(t, s, 0, 1)
	release := hold(t, s)
	const n = 5
	outcomes := make(chan error, n)
	for i := 1; i <= n; i++ {
		go func() { outcomes <- s.Commit(t.Context(), plain(crashCommit(i, 0))) }()
		waitQueued(t, s, i)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	release()
	for range n {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if turns, err := openAt(t, dir).Turns(t.Context(), 10); err != nil || len(turns) != n+1 {
		t.Errorf("%d turns, %v", len(turns), err)
	}
}

func FuzzJournal(f *testing.F) {
	var records []byte
	for n := range 3 {
		k := &commit{doc: `{"id":"t"}`}
		if n > 0 {
			c := plain(crashCommit(0, n))
			k.doc = k.document(c.Turn)
			k.effects(c)
		}
		records = k.appendRecord(records)
	}
	f.Add(records)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, records []byte) {
		var again []byte
		if err := eachRecord(records, func(k *commit) { again = k.appendRecord(again) }); err != nil {
			return
		}
		if err := eachRecord(again, func(*commit) {}); err != nil {
			t.Errorf("what was written of what was read cannot be read: %v", err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("too short"))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, records, size := readFrame(b); size > len(b) || len(records) > size || n > 0 && size < frameHeader {
			t.Errorf("generation %d, %d of %d bytes", n, size, len(b))
		}
	})
}
