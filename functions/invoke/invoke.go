package invoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/runtime"
	"golang.org/x/sync/singleflight"
)

// Specs knows what a version's instances are started from. It is asked once per
// version, and may take the time to fetch and unpack an artifact.
type Specs interface {
	Spec(ctx context.Context, skill, version string) (runtime.Spec, error)
}

// Prices tells what an invocation costs, in micro-CU.
type Prices interface {
	Price(at time.Time, wall, cpu time.Duration, memMiB int64) int64
}

// Options are what an Invoker needs; Clock, Logger and the numbers may be left out.
type Options struct {
	Driver runtime.Driver
	Specs  Specs
	Prices Prices
	Clock  assistant.Clock
	Logger *slog.Logger
	// Queue is how many calls of one version may wait for an instance; 256.
	Queue int
	// Grace is how long instances may take to end when Run returns; 5 s.
	Grace time.Duration
	// Obituary is how long a call that lost its instance waits to learn why; 100 ms.
	Obituary time.Duration
}

// Invoker calls skills and starts and stops their instances as the calls need it.
type Invoker struct {
	opts    Options
	loading singleflight.Group
	work    sync.WaitGroup // starts, stops and watchers of instances
	// A start or stop outlives the call that caused it, so both have lives of their own.
	starts, stops       context.Context //nolint:containedctx // see above
	endStarts, endStops context.CancelFunc

	mu     sync.Mutex
	closed bool
	pools  map[version]*pool
	drains map[*pool]struct{} // no longer in pools, but not yet empty
	trials map[*Trial]struct{}
}

// version names one deployed build.
type version struct{ skill, id string }

func (v version) String() string { return v.skill + "@" + v.id }

// New returns an Invoker, which works at once; Run ends it.
func New(opts Options) (*Invoker, error) {
	if opts.Driver == nil || opts.Specs == nil || opts.Prices == nil {
		return nil, errors.New("invoke: a driver, specs and prices are needed")
	}
	if opts.Clock == nil {
		opts.Clock = assistant.SystemClock{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Queue <= 0 {
		opts.Queue = 256
	}
	if opts.Grace <= 0 {
		opts.Grace = 5 * time.Second
	}
	if opts.Obituary <= 0 {
		opts.Obituary = 100 * time.Millisecond
	}
	v := &Invoker{opts: opts, pools: make(map[version]*pool), drains: make(map[*pool]struct{}), trials: make(map[*Trial]struct{})}
	v.starts, v.endStarts = context.WithCancel(context.Background())
	v.stops, v.endStops = context.WithCancel(context.Background())
	return v, nil
}

// Run returns when ctx has ended and every instance with it. Calls in flight get
// the grace to finish; calls that wait get busy.
func (v *Invoker) Run(ctx context.Context) error {
	<-ctx.Done()
	v.mu.Lock()
	v.closed = true
	pools := slices.AppendSeq(slices.Collect(maps.Values(v.pools)), maps.Keys(v.drains))
	trials := slices.Collect(maps.Keys(v.trials))
	v.mu.Unlock()
	v.endStarts()
	grace := time.AfterFunc(v.opts.Grace, v.endStops)
	defer grace.Stop()
	for _, t := range trials {
		v.work.Go(func() { _ = t.Close(v.stops) })
	}
	for _, p := range pools {
		p.retire(errClosing)
		v.work.Go(func() { p.awaitEmpty(v.stops) })
	}
	v.work.Wait()
	v.endStops()
	return nil
}

var errClosing = &assistant.Error{Code: assistant.CodeBusy, Message: "Hark is shutting down", RetryAfterMS: 5000}

// Invoke calls a skill and returns its answer, with one record per attempt that
// reached an instance, whether it went well or not. The error is always an
// *assistant.Error: timeout, busy, skill_failed, no_skill or bad_request.
func (v *Invoker) Invoke(ctx context.Context, call *assistant.Call) (*assistant.Answer, []assistant.Invocation, error) {
	p, err := v.pool(ctx, version{call.Skill, call.Version})
	if err != nil {
		return nil, nil, err
	}
	timeout := p.timeout(call)
	request, err := newRequest(call, v.opts.Clock.Now().Add(timeout))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cold := false
	for range maxAttempts {
		l, err := p.acquire(ctx)
		if err != nil {
			return nil, nil, err
		}
		cold = cold || l.cold
		r := v.attempt(ctx, l.worker, call, request)
		p.release(l.worker, r.health)
		if r.reached {
			record := v.record(l.worker, call, p.spec.Limits.MemoryMiB, r)
			record.Cold = cold
			return r.answer, []assistant.Invocation{record}, r.err
		}
		if ctx.Err() != nil {
			return nil, nil, r.err
		}
	}
	return nil, nil, assistant.Errorf(assistant.CodeSkillFailed, "skill %s: its instances die before they can be called", p.key)
}

// maxAttempts bounds how often a call is given to another instance because the
// one before was found dead before anything was sent to it.
const maxAttempts = 3

// pool returns the pool of a version, made at its first call.
func (v *Invoker) pool(ctx context.Context, key version) (*pool, error) {
	v.mu.Lock()
	p, closed := v.pools[key], v.closed
	v.mu.Unlock()
	if closed {
		return nil, errClosing
	}
	if p != nil {
		return p, nil
	}
	loaded := v.loading.DoChan(key.String(), func() (any, error) { return v.load(key) })
	select {
	case r := <-loaded:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*pool), nil
	case <-ctx.Done():
		return nil, ended(ctx, key, "its artifact is still being fetched")
	}
}

// load makes a pool. It lasts as long as it must, for whoever asks next.
func (v *Invoker) load(key version) (*pool, error) {
	spec, err := v.opts.Specs.Spec(v.starts, key.skill, key.id)
	if err != nil {
		var e *assistant.Error
		switch {
		case errors.As(err, &e):
			return nil, e
		case errors.Is(err, assistant.ErrNotFound):
			return nil, assistant.Errorf(assistant.CodeNoSkill, "skill %s is not deployed", key)
		default:
			return nil, assistant.Errorf(assistant.CodeSkillFailed, "skill %s cannot be fetched: %v", key, err)
		}
	}
	return v.poolOf(key, spec)
}

// poolOf returns the pool of a version whose spec is known.
func (v *Invoker) poolOf(key version, spec runtime.Spec) (*pool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, errClosing
	}
	p := v.pools[key]
	if p == nil {
		spec.Limits = spec.Limits.WithDefaults()
		p = &pool{v: v, key: key, spec: spec, leaving: make(map[*worker]struct{}), empty: make(chan struct{})}
		v.pools[key] = p
	}
	return p, nil
}

// Warm starts the version's MinInstances and keeps them from now on. It returns
// at once: a start that fails is tried again, later and later.
func (v *Invoker) Warm(ctx context.Context, skill, id string) error {
	p, err := v.pool(ctx, version{skill, id})
	if err != nil {
		return fmt.Errorf("warm up skill %s: %w", skill, err)
	}
	p.keepWarm()
	return nil
}

// Drain ends a version's instances once their calls are done, and returns then;
// when ctx ends first, they are stopped. A call of the version that comes later
// is answered all the same, by a new instance.
func (v *Invoker) Drain(ctx context.Context, skill, id string) {
	key := version{skill, id}
	v.mu.Lock()
	p := v.pools[key]
	if p == nil {
		v.mu.Unlock()
		return
	}
	delete(v.pools, key)
	v.drains[p] = struct{}{}
	v.mu.Unlock()
	p.retire(nil)
	p.awaitEmpty(ctx)
	v.mu.Lock()
	delete(v.drains, p)
	v.mu.Unlock()
}

// ended is the error of a call whose context has ended before it was sent.
func ended(ctx context.Context, key version, why string) *assistant.Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return assistant.Errorf(assistant.CodeTimeout, "the call to skill %s was given up: %s", key, why)
	}
	return assistant.Errorf(assistant.CodeTimeout, "skill %s has not answered in time: %s", key, why)
}
