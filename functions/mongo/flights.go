package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// flights are the attempts of this process that are on their way.
type flights struct {
	mu     sync.Mutex
	byName map[string]*attempt
	owed   map[string]*attempt // by the messages of those that are not answered yet
	closed bool
	alive  sync.WaitGroup
}

// begin tells whether the attempt may start.
func (f *flights) begin(a *attempt) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	if f.byName == nil {
		f.byName, f.owed = make(map[string]*attempt), make(map[string]*attempt)
	}
	f.byName[a.Attempt] = a
	for _, m := range a.Owed {
		f.owed[m.ID] = a
	}
	f.alive.Add(1)
	return true
}

// answered tells that the caller has its outcome.
func (f *flights) answered(a *attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range a.Owed {
		if f.owed[m.ID] == a {
			delete(f.owed, m.ID)
		}
	}
}

// end tells that nothing is left to do.
func (f *flights) end(a *attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byName, a.Attempt)
	f.alive.Done()
}

func (f *flights) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byName[name] != nil
}

func (f *flights) names() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := make(map[string]bool, len(f.byName))
	for n := range f.byName {
		names[n] = true
	}
	return names
}

// owing returns the attempt under way that a message comes from, if any.
func (f *flights) owing(message string) *attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.owed[message]
}

// wait returns once all that is under way is answered.
func (f *flights) wait(ctx context.Context) error {
	f.mu.Lock()
	list := make([]*attempt, 0, len(f.byName))
	for _, a := range f.byName {
		list = append(list, a)
	}
	f.mu.Unlock()
	for _, a := range list {
		select {
		case <-a.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// close refuses new attempts and waits for those under way.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.alive.Wait()
}

// stamps order what is owed to a device: as this process committed it, and
// between processes by their clocks.
type stamps struct {
	mu   sync.Mutex
	last int64
}

// next is the time in microseconds, or just after the stamp before.
func (s *stamps) next() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, time.Now().UnixMicro())
	return s.last
}

// seedStamps begins after all that is stored, in case the clock was set back.
func (s *Store) seedStamps(ctx context.Context) error {
	newest, err := findOne[turnDoc](ctx, s, collTurns, bson.D{},
		options.FindOne().SetSort(bson.D{{Key: "at", Value: -1}}).SetProjection(bson.D{{Key: "at", Value: 1}}))
	if errors.Is(err, driver.ErrNoDocuments) {
		return nil
	}
	s.stamps.last = newest.At
	return failed(ctx, "look for the newest turn", err)
}
