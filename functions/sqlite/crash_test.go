//go:build unix

package sqlite

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// childFolder is set in a test binary that is a child of its own test, to the
// data folder; it runs that one test's other half.
const childFolder = "HARK_TEST_SQLITE_FOLDER"

// child is a command that runs the calling test again, as a child.
func child(t *testing.T, folder string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-test.run=^" + t.Name() + "$"}, args...)...)
	cmd.Env = append(os.Environ(), childFolder+"="+folder)
	cmd.Stderr = os.Stderr
	return cmd
}

const crashWriters = 8

// plain is a commit that goes by way of the journal, for it sets no schedule.
func plain(c *assistant.Commit) *assistant.Commit {
	c.Set = nil
	return c
}

// crashCommit is the n-th commit of a writer: it counts in the writer's state,
// sets a schedule and owes a message.
func crashCommit(writer, n int) *assistant.Commit {
	turn := aTurn(int64(writer)<<32 | int64(n))
	turn.ID = fmt.Sprintf("w%d-%d", writer, n)
	return &assistant.Commit{
		Turn: turn,
		State: &assistant.StateChange{
			Key:  assistant.StateKey{Home: "home", Skill: "count", Scope: strconv.Itoa(writer)},
			Base: int64(n), Value: json.RawMessage(strconv.Itoa(n + 1)),
		},
		Set: []assistant.Schedule{{
			ScheduleKey: assistant.ScheduleKey{Home: turn.ID, Skill: "count", ID: turn.ID}, Due: turn.Received,
		}},
		Messages: []assistant.Message{{ID: assistant.EffectID(turn.ID, 0), Home: "home", Device: strconv.Itoa(writer)}},
	}
}

// TestKill kills a process that commits, with SIGKILL, several times: all that
// it had acknowledged is there, and nothing is there by halves or twice.
func TestKill(t *testing.T) {
	if dir := os.Getenv(childFolder); dir != "" {
		commitForever(t, dir)
		return
	}
	dir := t.TempDir()
	acked := make(map[string]bool)
	for round := range 6 {
		cmd := child(t, dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		enough := 1 + rand.IntN(400)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, ok := strings.CutPrefix(lines.Text(), "acked ")
			if !ok {
				continue
			}
			acked[id] = true
			// What it prints between the signal and its end counts too.
			if enough--; enough == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || enough > 0 {
			t.Fatalf("round %d: the child ended by itself: %v", round, err)
		}
		checkCrashed(t, dir, acked)
	}
}

// commitForever commits until it is killed and prints what was acknowledged.
func commitForever(t *testing.T, dir string) {
	t.Helper()
	s := openAt(t, dir)
	done := make(chan error)
	for w := range crashWriters {
		go func() {
			st, err := s.State(t.Context(), crashCommit(w, 0).State.Key)
			for n := int(st.Revision); err == nil; n++ {
				c := crashCommit(w, n)
				if isPlain(w, n) {
					plain(c)
				}
				if err = s.Commit(t.Context(), c); err == nil {
					_, err = fmt.Fprintf(os.Stdout, "acked w%d-%d\n", w, n)
				}
			}
			done <- err
		}()
	}
	t.Fatal(<-done)
}

// isPlain: some writers set no schedules, some do so now and then, some always.
func isPlain(writer, n int) bool { return writer%4 < 2 || writer%4 == 2 && n%50 > 0 }

func checkCrashed(t *testing.T, dir string, acked map[string]bool) {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: filepath.Join(dir, "hark.db"), idsTogether: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	committed, schedules := 0, 0
	for w := range crashWriters {
		st, err := s.State(t.Context(), crashCommit(w, 0).State.Key)
		if err != nil {
			t.Fatal(err)
		}
		n := int(st.Revision)
		if n > 0 && string(st.Value) != strconv.Itoa(n) {
			t.Errorf("writer %d: the state of revision %d is %s", w, n, st.Value)
		}
		owed, err := s.Owed(t.Context(), "home", strconv.Itoa(w), n+10)
		if err != nil || len(owed) != n {
			t.Errorf("writer %d: %d messages of %d commits are owed (%v)", w, len(owed), n, err)
		}
		for i := range n {
			id := crashCommit(w, i).Turn.ID
			if _, err := s.FindTurn(t.Context(), id); err != nil {
				t.Errorf("a turn of which the effects are there: %v", err)
			}
			if !isPlain(w, i) {
				schedules++
			}
			delete(acked, id) // once it was found, later rounds need not look
		}
		committed += n
	}
	if len(acked) > 0 {
		t.Errorf("%d turns were acknowledged and are lost", len(acked))
	}
	list, err := s.Schedules(t.Context(), "")
	if err != nil || len(list) != schedules {
		t.Errorf("%d schedules are set, want %d (%v)", len(list), schedules, err)
	}
	usage, err := s.Usage(t.Context(), assistant.UsageQuery{By: assistant.UsageByHome})
	if err != nil || len(usage) != 1 || usage[0].Invocations != int64(committed) {
		t.Errorf("usage of %d commits: %+v (%v)", committed, usage, err)
	}
}

// TestDiskFull fills the disk, by a limit on the size of files, and frees it.
func TestDiskFull(t *testing.T) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		if out, err := child(t, t.TempDir(), "-test.v").Output(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // so that a write fails instead
	s := openAt(t, dir)
	for n := range 50 {
		if err := s.Commit(t.Context(), crashCommit(0, n)); err != nil {
			t.Fatal(err)
		}
	}
	wal, err := os.Stat(filepath.Join(dir, "hark.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		restore := limitFiles(t, uint64(wal.Size())+200<<10)
		acked := commitUntilAway(t, s, 50+round)
		if err := s.Ping(t.Context()); !errors.Is(err, assistant.ErrStoreAway) {
			t.Errorf("ping on a full disk: %v", err)
		}
		if _, err := s.FindTurn(t.Context(), crashCommit(0, 0).Turn.ID); err != nil {
			t.Errorf("read on a full disk: %v", err)
		}
		restore()
		if err := s.Ping(t.Context()); err != nil {
			t.Fatalf("ping after the disk has room: %v", err)
		}
		checkAcked(t, s, 50+round, acked)
	}
	checkCounts(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkCounts(t, openAt(t, dir))
}

// limitFiles lets no file grow beyond so many bytes, until the result is called.
func limitFiles(t *testing.T, bytes uint64) (restore func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := old
	limit.Cur = bytes
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	}
}

// commitUntilAway has several writers commit until each was told that the store
// is away, and returns how many each had acknowledged before.
func commitUntilAway(t *testing.T, s *Store, base int) []int {
	t.Helper()
	acked := make([]int, crashWriters)
	errs := make(chan error, crashWriters)
	for w := range crashWriters {
		go func() {
			var err error
			for err == nil {
				if err = s.Commit(t.Context(), crashCommit(base*100+w, acked[w])); err == nil {
					acked[w]++
				}
			}
			errs <- err
		}()
	}
	for range crashWriters {
		select {
		case err := <-errs:
			if !errors.Is(err, assistant.ErrStoreAway) {
				t.Errorf("commit on a full disk: %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a commit on a full disk does not return")
		}
	}
	return acked
}

// checkAcked proves that each writer can go on with the turn that failed.
func checkAcked(t *testing.T, s *Store, base int, acked []int) {
	t.Helper()
	for w, n := range acked {
		st, err := s.State(t.Context(), crashCommit(base*100+w, 0).State.Key)
		if err != nil || int(st.Revision) < n {
			t.Errorf("%d commits were acknowledged, the state has revision %d (%v)", n, st.Revision, err)
		}
		if err := s.Commit(t.Context(), crashCommit(base*100+w, n)); err != nil && !errors.Is(err, assistant.ErrDuplicate) {
			t.Errorf("the turn that failed, again: %v", err)
		}
	}
}

// checkCounts compares what every commit wrote one of.
func checkCounts(t *testing.T, s *Store) {
	t.Helper()
	var turns, invocations, schedules, messages, revisions int
	err := s.reads.row(t.Context(), `SELECT (SELECT COUNT(*) FROM turns), (SELECT COUNT(*) FROM invocations),
		(SELECT COUNT(*) FROM schedules), (SELECT COUNT(*) FROM outbox), (SELECT SUM(revision) FROM states)`, nil,
		&turns, &invocations, &schedules, &messages, &revisions)
	if err != nil {
		t.Fatal(err)
	}
	if turns < 50 || invocations != turns || schedules != turns || messages != turns || revisions != turns {
		t.Errorf("%d turns, %d invocations, %d schedules, %d messages, %d changes of states: want as many of each",
			turns, invocations, schedules, messages, revisions)
	}
}
