package mongo

import (
	"context"
	"fmt"
	"sync"

	"github.com/hark-voice/hark/functions/assistant"
)

const (
	// groupLanes is how many groups of a kind are on their way at once: with one,
	// whoever comes just after a group has left waits for two round trips.
	groupLanes = 2
	groupMost  = 500     // writes in one group
	groupBytes = 8 << 20 // of the writes in one group
)

// group is where concurrent writes of a kind meet: what arrives while groups
// are on their way leaves together as the next. There is no timer, and a
// goroutine lives only while something is queued.
type group[T any] struct {
	// run writes a group and returns the outcome of each. The context belongs to
	// the group and not to any caller: none of them may end it for the others.
	run  func(ctx context.Context, list []T) []error
	size func(T) int // in bytes; nil: small

	mu     sync.Mutex
	queue  []*waiting[T]
	lanes  int
	closed bool
	alive  sync.WaitGroup
}

type waiting[T any] struct {
	item T
	done func(error)
}

func newGroup[T any](run func(ctx context.Context, list []T) []error, size func(T) int) *group[T] {
	return &group[T]{run: run, size: size}
}

// do returns the outcome of the item once its group is written. It takes as long
// as operations may take, and then fails.
func (g *group[T]) do(item T) error {
	outcome := make(chan error, 1)
	g.add(item, func(err error) { outcome <- err })
	return <-outcome
}

// add queues the item and calls done, once, with its outcome.
func (g *group[T]) add(item T, done func(error)) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		done(fmt.Errorf("%w: it is closed", assistant.ErrStoreAway))
		return
	}
	g.queue = append(g.queue, &waiting[T]{item, done})
	if g.lanes < groupLanes {
		g.lanes++
		g.alive.Go(g.work)
	}
	g.mu.Unlock()
}

func (g *group[T]) work() {
	ctx := context.Background()
	for list := g.take(); list != nil; list = g.take() {
		items := make([]T, len(list))
		for i, w := range list {
			items[i] = w.item
		}
		for i, err := range g.run(ctx, items) {
			list[i].done(err)
		}
	}
}

// take returns the next group; without one, the lane ends.
func (g *group[T]) take() []*waiting[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, bytes := 0, 0
	for n < min(len(g.queue), groupMost) {
		if g.size != nil {
			if bytes += g.size(g.queue[n].item); n > 0 && bytes > groupBytes {
				break
			}
		}
		n++
	}
	if n == 0 {
		g.lanes--
		return nil
	}
	list := g.queue[:n:n]
	if g.queue = g.queue[n:]; len(g.queue) == 0 {
		g.queue = nil // or it would keep all that it ever held
	}
	return list
}

// close writes what is queued and refuses what comes later.
func (g *group[T]) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.alive.Wait()
}

// each gives every item of a group the same outcome.
func each[T any](list []T, err error) []error {
	out := make([]error, len(list))
	for i := range out {
		out[i] = err
	}
	return out
}
