package invoke

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/runtime"
)

// pool holds the instances of one version and the calls that wait for them.
//
// A call never waits while an instance has room, and never without an instance
// that starts or is busy: whatever changes either ends with dispatch or fail.
type pool struct {
	v    *Invoker
	key  version
	spec runtime.Spec

	mu       sync.Mutex
	workers  []*worker            // ready for calls, the oldest first
	leaving  map[*worker]struct{} // get no more calls but have not ended
	starting int
	waiting  []*waiter
	warm     bool          // MinInstances are kept
	retired  bool          // no new instances without a call that waits
	empty    chan struct{} // closed when retired and nothing is left

	dropped  int64 // answers to instances that have ended
	failures int   // starts or instances in a row that never gave an answer
	lastErr  error
	retryAt  time.Time // monotonic
	retry    *time.Timer
}

// waiter is a call that waits for an instance.
type waiter struct {
	granted chan lease // receives once, unless the waiter leaves the queue itself
	scratch bool       // it came when no instance was ready
}

// lease is the right to make one call to an instance, or the reason why there is none.
type lease struct {
	worker *worker
	cold   bool // the call waited for an instance to start
	err    error
}

// timeout is how long a call may take, waiting included.
func (p *pool) timeout(call *assistant.Call) time.Duration {
	if call.Timeout > 0 {
		return min(call.Timeout, p.spec.Limits.Timeout)
	}
	return p.spec.Limits.Timeout
}

// acquire returns an instance with room for a call, at once or after a wait.
func (p *pool) acquire(ctx context.Context) (lease, error) {
	p.mu.Lock()
	if w := p.pick(); w != nil && len(p.waiting) == 0 {
		w.inFlight++
		p.mu.Unlock()
		return lease{worker: w}, nil
	}
	if len(p.waiting) >= p.v.opts.Queue {
		p.mu.Unlock()
		return lease{}, &assistant.Error{
			Code: assistant.CodeBusy, RetryAfterMS: 1000,
			Message: "too many calls wait for skill " + p.key.String(),
		}
	}
	w := &waiter{granted: make(chan lease, 1), scratch: len(p.workers) == 0}
	p.waiting = append(p.waiting, w)
	p.scale()
	p.mu.Unlock()

	select {
	case l := <-w.granted:
		return l, l.err
	case <-ctx.Done():
		return lease{}, p.abandon(ctx, w)
	}
}

// abandon takes a waiter out of the queue, or gives back what it was just granted.
func (p *pool) abandon(ctx context.Context, w *waiter) error {
	p.mu.Lock()
	why := "all its instances are busy"
	if len(p.workers) == 0 {
		why = "no instance has started yet"
	}
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		return ended(ctx, p.key, why)
	}
	p.mu.Unlock()
	if l := <-w.granted; l.worker != nil {
		p.release(l.worker, unknown)
	}
	return ended(ctx, p.key, why)
}

// pick returns the least loaded instance that has room, or nil. Called with mu held.
func (p *pool) pick() *worker {
	var best *worker
	for _, w := range p.workers {
		if w.inFlight < p.spec.Limits.Concurrency && (best == nil || w.inFlight < best.inFlight) {
			best = w
		}
	}
	return best
}

// dispatch gives waiting calls to instances that have room. Called with mu held.
func (p *pool) dispatch(started bool) {
	for len(p.waiting) > 0 {
		w := p.pick()
		if w == nil {
			return
		}
		next := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		w.inFlight++
		next.granted <- lease{worker: w, cold: started || next.scratch}
	}
}

// fail refuses all calls that wait. Called with mu held.
func (p *pool) fail(err error) {
	for _, w := range p.waiting {
		w.granted <- lease{err: err}
	}
	p.waiting = nil
}

// desired is how many instances the demand asks for. This is where an autoscaler
// that looks at more than the present belongs. Called with mu held.
func (p *pool) desired() int {
	demand := len(p.waiting)
	for _, w := range p.workers {
		demand += w.inFlight
	}
	limits := p.spec.Limits
	want := (demand + limits.Concurrency - 1) / limits.Concurrency
	if p.warm && !p.retired {
		want = max(want, limits.MinInstances)
	}
	return min(want, limits.MaxInstances)
}

// scale starts what is missing now, or tells those who wait that it cannot.
// Called with mu held.
func (p *pool) scale() {
	missing := p.desired() - len(p.workers) - p.starting
	if missing <= 0 {
		return
	}
	if pause := time.Until(p.retryAt); pause > 0 {
		if p.starting == 0 && len(p.workers) == 0 {
			p.fail(&assistant.Error{
				Code: assistant.CodeSkillFailed, RetryAfterMS: pause.Milliseconds() + 1,
				Message: "skill " + p.key.String() + " does not start: " + p.lastErr.Error(),
			})
		}
		p.retryLater(pause)
		return
	}
	if p.v.starts.Err() != nil {
		p.fail(errClosing)
		return
	}
	for range missing {
		p.starting++
		p.v.work.Go(p.start)
	}
}

// retryLater scales again when the back-off is over. Called with mu held.
func (p *pool) retryLater(pause time.Duration) {
	if p.retry != nil {
		p.retry.Stop()
	}
	p.retry = time.AfterFunc(pause, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.scale()
	})
}

// failed counts a start or an instance that came to nothing. Called with mu held.
func (p *pool) failed(err error) {
	p.failures++
	p.lastErr = err
	if p.failures == 1 {
		return // it may have been an accident
	}
	const first, longest = 100 * time.Millisecond, 30 * time.Second
	pause := longest
	if shift := p.failures - 2; shift < 16 {
		pause = min(first<<shift, longest)
	}
	p.retryAt = time.Now().Add(pause)
}

// keepWarm starts MinInstances and replaces those that die.
func (p *pool) keepWarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warm = true
	p.scale()
}

// retire lets the instances finish and end; those who wait are refused with
// refuse, unless it is nil.
func (p *pool) retire(refuse error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	if refuse != nil {
		p.fail(refuse)
	}
	if p.retry != nil {
		p.retry.Stop()
	}
	for _, w := range slices.Clone(p.workers) {
		p.endIfUnused(w)
	}
	p.closeIfEmpty()
}

// closeIfEmpty notes the end of a retired pool. Called with mu held.
func (p *pool) closeIfEmpty() {
	if !p.retired || len(p.workers)+len(p.leaving)+p.starting+len(p.waiting) > 0 {
		return
	}
	select {
	case <-p.empty:
	default:
		close(p.empty)
	}
}

// awaitEmpty waits for the end of a retired pool; when ctx ends, it hurries.
func (p *pool) awaitEmpty(ctx context.Context) {
	select {
	case <-p.empty:
		return
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.fail(ended(ctx, p.key, "this version was stopped"))
	for _, w := range slices.Clone(p.workers) {
		p.leave(w)
	}
	for w := range p.leaving {
		p.stop(w)
	}
	p.closeIfEmpty()
	p.mu.Unlock()
	<-p.empty
}

// reason is the text of a start's error for those who wait.
func reason(key version, err error) *assistant.Error {
	if e, ok := errors.AsType[*assistant.Error](err); ok {
		return e
	}
	return assistant.Errorf(assistant.CodeSkillFailed, "skill %s does not start: %v", key, err)
}
