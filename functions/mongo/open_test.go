package mongo

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver" //nolint:depguard // the server that this room's tests need is no part of the road
	"github.com/hark-voice/hark/functions/assistant"
)

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct{ name, uri, want string }{
		{"no address", "", "mongodb://"},
		{"another scheme", "postgres://localhost", "mongodb://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Open(t.Context(), Options{URI: c.uri}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error that says %q", err, c.want)
			}
		})
	}
}

func TestOpenNewerSchema(t *testing.T) {
	o := database(t, mongoserver.Start(t))
	newer, err := open(t.Context(), o, append(schema(), func(context.Context, *Store) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	if err := newer.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer Hark") || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a newer schema: %v", err)
	}
}

func TestMigration(t *testing.T) {
	o := database(t, mongoserver.Start(t))
	if err := openAt(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	_, err := open(t.Context(), o, append(schema(), func(context.Context, *Store) error { return broken }))
	if err == nil || !strings.Contains(err.Error(), "schema version 2") {
		t.Errorf("a migration that fails: %v", err)
	}
	openAt(t, o) // nothing was moved
	ran := 0
	steps := append(schema(), func(context.Context, *Store) error { ran++; return nil })
	for range 2 {
		s, err := open(t.Context(), o, steps)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if ran != 1 {
		t.Errorf("the migration ran %d times", ran)
	}
}

func TestDatabaseName(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{URI: "mongodb://localhost"}, DefaultDatabase},
		{Options{URI: "mongodb://localhost/home"}, "home"},
		{Options{URI: "mongodb://localhost/home", Database: "other"}, "other"},
	} {
		client, db, err := connect(c.o)
		if err != nil {
			t.Fatal(err)
		}
		if db.Name() != c.want {
			t.Errorf("%+v: database %q, want %q", c.o, db.Name(), c.want)
		}
		if err := client.Disconnect(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestAway takes the server away: everything says so, in time, and all is well
// once it is back.
func TestAway(t *testing.T) {
	server := mongoserver.Launch(t, t.TempDir()+"/db")
	s := openAt(t, Options{URI: server.URI(), Owner: "test"})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	began := time.Now()
	ops := map[string]func() error{
		"ping":   func() error { return s.Ping(t.Context()) },
		"commit": func() error { return s.Commit(t.Context(), &assistant.Commit{Turn: aTurn("t")}) },
		"find":   func() error { _, err := s.FindTurn(t.Context(), "t"); return err },
		"record": func() error {
			return s.Record(t.Context(), &assistant.Report{Home: "home", Device: "lamp", Readings: []assistant.Reading{{Home: "home", Device: "lamp"}}})
		},
		"claim": func() error {
			_, err := s.ClaimDue(t.Context(), day, "test", time.Minute, 1)
			return err
		},
	}
	var wait sync.WaitGroup
	for name, op := range ops {
		wait.Go(func() {
			if err := op(); !errors.Is(err, assistant.ErrStoreAway) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s without a server: %v", name, err)
			}
		})
	}
	wait.Wait()
	if took := time.Since(began); took > 5*operationTimeout { // the machine may be busy
		t.Errorf("it took %s to see that the server is away", took)
	}
	if _, err := Open(t.Context(), Options{URI: server.URI()}); !errors.Is(err, assistant.ErrStoreAway) {
		t.Errorf("open without a server: %v", err)
	}
	server.Restart()
	await(t, "the store is back", func() bool { return s.Ping(t.Context()) == nil })
	mustCommit(t, s, &assistant.Commit{Turn: aTurn("t")})
}

func TestClosed(t *testing.T) {
	s := openAt(t, database(t, mongoserver.Start(t)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), &assistant.Commit{Turn: aTurn("t")}); !errors.Is(err, assistant.ErrStoreAway) {
		t.Errorf("commit after close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
