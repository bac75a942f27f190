package mongo

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hark-voice/hark/functions/assistant"
)

// TestGroup holds all lanes, and sees what arrives meanwhile leave in one group.
func TestGroup(t *testing.T) {
	const late = 100
	odd := errors.New("odd")
	started, goOn := make(chan struct{}, groupLanes), make(chan struct{})
	var groups atomic.Int32
	g := newGroup(func(_ context.Context, list []int) []error {
		groups.Add(1)
		if list[0] < 0 {
			started <- struct{}{}
			<-goOn
		}
		out := make([]error, len(list))
		for i, n := range list {
			if n%2 == 1 {
				out[i] = odd
			}
		}
		return out
	}, nil)
	outcomes := make(chan error, late)
	for range groupLanes {
		g.add(-2, func(error) {})
		<-started
	}
	for n := range late {
		g.add(n, func(err error) { outcomes <- errors.Join(err, wrong(n%2 == 1, errors.Is(err, odd))) })
	}
	close(goOn)
	failures := 0
	for range late {
		if err := <-outcomes; errors.Is(err, odd) {
			failures++
		} else if err != nil {
			t.Error(err)
		}
	}
	g.close()
	if failures != late/2 {
		t.Errorf("%d of %d failed, want every second", failures, late)
	}
	if got := groups.Load(); got > groupLanes+1 {
		t.Errorf("%d groups, want one for all that waited", got-groupLanes)
	}
	if err := g.do(2); !errors.Is(err, assistant.ErrStoreAway) {
		t.Errorf("after close: %v", err)
	}
}

func wrong(want, got bool) error {
	if want != got {
		return errors.New("the outcome of another")
	}
	return nil
}

func TestGroupBounds(t *testing.T) {
	started, goOn := make(chan struct{}, groupLanes), make(chan struct{})
	var largest atomic.Int64
	g := newGroup(func(_ context.Context, list []int) []error {
		sum := 0
		for _, n := range list {
			sum += n
		}
		if sum == 1 {
			started <- struct{}{}
			<-goOn
		}
		largest.Store(max(largest.Load(), int64(sum)))
		return each(list, nil)
	}, func(n int) int { return n })
	for range groupLanes {
		g.add(1, func(error) {})
		<-started
	}
	for range 20 {
		g.add(groupBytes/3, func(error) {})
	}
	close(goOn)
	g.close()
	if got := largest.Load(); got > groupBytes || got < groupBytes/2 {
		t.Errorf("the largest group has %d bytes, at most %d are allowed", got, groupBytes)
	}
}
