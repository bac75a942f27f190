package mongo

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/deploy/e2e/mongoserver" //nolint:depguard // the server that this room's tests need is no part of the road
	"github.com/hark-voice/hark/functions/storetest"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database returns options of an empty database on the server, which is dropped
// with the test.
func database(tb testing.TB, server string) Options {
	tb.Helper()
	name := "hark_test_" + strings.ToLower(rand.Text()[:12])
	if os.Getenv("MONGODB_URI") != "" { // else the server ends with the test
		tb.Cleanup(func() { drop(tb, server, name) })
	}
	return Options{URI: server, Database: name, Owner: "test"}
}

func drop(tb testing.TB, server, name string) {
	tb.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(server).SetServerSelectionTimeout(time.Second))
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 5*time.Second)
	defer cancel()
	if err := client.Database(name).Drop(ctx); err != nil {
		tb.Logf("the test's database %s stays: %v", name, err)
	}
	if err := client.Disconnect(ctx); err != nil {
		tb.Error(err)
	}
}

// openAt opens a store and closes it with the test.
func openAt(tb testing.TB, o Options) *Store {
	tb.Helper()
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
	server := mongoserver.Start(t)
	storetest.Run(t, func(t *testing.T) storetest.Store {
		t.Helper()
		return openAt(t, database(t, server))
	})
	storetest.RunEntities(t, func(t *testing.T) storetest.EntityStore {
		t.Helper()
		return openAt(t, database(t, server))
	})
}

func TestReopen(t *testing.T) {
	o := database(t, mongoserver.Start(t))
	storetest.Reopen(t,
		func(t *testing.T) storetest.Store {
			t.Helper()
			return openAt(t, o)
		},
		func(t *testing.T, s storetest.Store) storetest.Store {
			t.Helper()
			if err := s.(*Store).Close(); err != nil {
				t.Fatal(err)
			}
			return openAt(t, o)
		})
}
