// Package schedule fires what is due: schedules come out of the store under a
// lease and go down the road, one turn each. It must not know what a schedule
// is for. A schedule fires once, however many of these run on one store: its
// turn's id derives from it, and the turn's commit removes it.
package schedule

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// Store is what the package needs of the store.
type Store interface {
	ClaimDue(ctx context.Context, now time.Time, owner string, lease time.Duration, limit int, except ...string) ([]assistant.Schedule, error)
	ReleaseClaims(ctx context.Context, owner string) error
	NextDue(ctx context.Context, except ...string) (time.Time, error)
}

// Road takes a schedule that is due down the road.
type Road interface {
	Fire(ctx context.Context, s *assistant.Schedule) (*assistant.Turn, error)
}

// Options of a Firer. Store, Road, Clock and Owner must be set.
type Options struct {
	Store  Store
	Road   Road
	Clock  assistant.Clock
	Owner  string // names this installation in leases: one process at a time, the same after a restart
	Logger *slog.Logger
}

const (
	// lease is how long a claimed schedule is left to its claimer. It is longer
	// than a skill may take, so that only a dead or cut-off claimer loses it.
	lease = 60 * time.Second
	// perSkill bounds how many schedules of one skill are fired at the same time,
	// so that one whose calls hang does not keep the others' alarms waiting.
	perSkill = 8
	// retry is how soon a store that could not be read is asked again.
	retry = time.Second
)

// Firer fires schedules.
type Firer struct {
	Options
	poke chan struct{}

	mu     sync.Mutex
	firing map[string]int // schedules under way, by skill
}

// New returns a Firer.
func New(o Options) (*Firer, error) {
	if o.Store == nil || o.Road == nil || o.Clock == nil || o.Owner == "" {
		return nil, errors.New("schedule: Store, Road, Clock and Owner must be set")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Firer{Options: o, poke: make(chan struct{}, 1), firing: make(map[string]int)}, nil
}

// Poke tells that a schedule was set: it may be due before what Run waits for.
func (f *Firer) Poke() {
	select {
	case f.poke <- struct{}{}:
	default: // a poke that was not seen yet says the same
	}
}

// Run fires what is due until ctx ends, then waits for what is under way.
func (f *Firer) Run(ctx context.Context) error {
	var under sync.WaitGroup
	defer under.Wait()
	// A process of this name that was killed while it fired left leases behind.
	for err := f.Store.ReleaseClaims(ctx, f.Owner); err != nil && ctx.Err() == nil; err = f.Store.ReleaseClaims(ctx, f.Owner) {
		f.pause(ctx, err)
	}
	for ctx.Err() == nil {
		// So few at a time that no skill gets many more than it may have.
		due, err := f.Store.ClaimDue(ctx, f.Clock.Now(), f.Owner, lease, perSkill, f.busy()...)
		if err != nil {
			f.pause(ctx, err)
			continue
		}
		for _, s := range due {
			f.count(s.Skill, 1)
			under.Go(func() {
				defer f.Poke() // there is room for another
				defer f.count(s.Skill, -1)
				f.fire(ctx, &s)
			})
		}
		if len(due) == 0 {
			f.wait(ctx)
		}
	}
	return nil
}

func (f *Firer) count(skill string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.firing[skill] += n; f.firing[skill] == 0 {
		delete(f.firing, skill)
	}
}

// busy lists the skills that have as many under way as they may have.
func (f *Firer) busy() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for skill, n := range f.firing {
		if n >= perSkill {
			list = append(list, skill)
		}
	}
	return list
}

func (f *Firer) fire(ctx context.Context, s *assistant.Schedule) {
	_, err := f.Road.Fire(ctx, s)
	switch {
	case err == nil, errors.Is(err, assistant.ErrGone), ctx.Err() != nil:
	default:
		f.Logger.Warn("schedule did not fire and will be tried again when its lease ends",
			"home", s.Home, "skill", s.Skill, "schedule", s.ID, "error", err)
	}
}

// wait sleeps until the next schedule is due, one is set, or ctx ends.
func (f *Firer) wait(ctx context.Context) {
	next, err := f.Store.NextDue(ctx, f.busy()...)
	var alarm <-chan time.Time
	switch {
	case err == nil:
		due, stop := f.Clock.After(next)
		defer stop()
		alarm = due
	case !errors.Is(err, assistant.ErrNotFound):
		f.pause(ctx, err)
		return
	}
	select {
	case <-alarm:
	case <-f.poke:
	case <-ctx.Done():
	}
}

// pause waits before the store is asked again.
func (f *Firer) pause(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	f.Logger.Warn("schedules cannot be read; trying again", "error", err)
	timer := time.NewTimer(retry)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
