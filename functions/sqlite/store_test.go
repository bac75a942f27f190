package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/hark-voice/hark/functions/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openAt opens the store of a folder and closes it with the test.
func openAt(tb testing.TB, dir string) *Store {
	tb.Helper()
	o := Options{Path: filepath.Join(dir, "hark.db")}
	if _, ok := tb.(*testing.T); ok {
		o.idsTogether = 8 // tests commit few turns
	}
	s, err := Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		t.Helper()
		return openAt(t, t.TempDir())
	})
	storetest.RunEntities(t, func(t *testing.T) storetest.EntityStore {
		t.Helper()
		return openAt(t, t.TempDir())
	})
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	storetest.Reopen(t,
		func(t *testing.T) storetest.Store {
			t.Helper()
			return openAt(t, dir)
		},
		func(t *testing.T, s storetest.Store) storetest.Store {
			t.Helper()
			if err := s.(*Store).Close(); err != nil {
				t.Fatal(err)
			}
			return openAt(t, dir)
		})
}
