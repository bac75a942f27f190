package invoke

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hark-voice/hark/functions/runtime"
)

// worker is an instance that belongs to a pool. Its fields are guarded by the
// pool's mutex, save the meter and the stream, which have their own.
type worker struct {
	instance runtime.Instance
	meter    *meter
	stream   *stream
	inFlight int
	proven   bool      // it has answered
	timeouts int       // in a row
	free     time.Time // when its last call ended; monotonic
	idle     *time.Timer
	stopping bool
}

// health is what a call taught about the instance.
type health int

const (
	unknown  health = iota
	answered        // well or badly, but it did
	silent          // it let the deadline pass
	gone            // it is dead, or cannot be reached
)

// maxSilence is how many calls in a row an instance may leave without an answer
// before it is replaced: it may hang.
const maxSilence = 3

// newWorker opens the stream of a new instance.
func (v *Invoker) newWorker(instance runtime.Instance) *worker {
	w := &worker{instance: instance, meter: newMeter(instance.CPU), stream: newStream(instance), free: time.Now()}
	v.work.Go(w.stream.run)
	return w
}

// stop ends the instance. Calls in flight have as long as it needs to end.
func (w *worker) stop(ctx context.Context) error {
	w.stream.close()
	return w.instance.Stop(ctx)
}

// start adds an instance to the pool.
func (p *pool) start() {
	instance, err := p.v.opts.Driver.Start(p.v.starts, p.spec)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	if err == nil {
		p.join(p.v.newWorker(instance))
		return
	}
	p.v.opts.Logger.Warn("an instance did not start", "skill", p.key.skill, "version", p.key.id, "err", err)
	p.failed(err)
	if p.starting == 0 && len(p.workers) == 0 && p.failures > 1 {
		p.fail(reason(p.key, err))
	}
	p.scale()
	p.closeIfEmpty()
}

// join makes an instance ready for calls. Called with mu held.
func (p *pool) join(w *worker) {
	w.free = time.Now()
	p.workers = append(p.workers, w)
	p.v.work.Go(func() { p.watch(w) })
	w.idle = time.AfterFunc(p.spec.Limits.Idle, func() { p.checkIdle(w) })
	p.dispatch(true)
	p.endIfUnused(w)
}

// watch notices that an instance has ended.
func (p *pool) watch(w *worker) {
	<-w.instance.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.leaving, w)
	p.bury(w)
	p.dropped += w.stream.dropped.Load()
	p.closeIfEmpty()
}

// bury takes out an instance that ended without being asked; others it leaves
// alone. Called with mu held.
func (p *pool) bury(w *worker) {
	if !p.remove(w) {
		return
	}
	err := w.instance.Err()
	how := "unknown"
	if exit, ok := errors.AsType[*runtime.ExitError](err); ok {
		how = exit.Status // without its last lines, which may hold what users said
	}
	p.v.opts.Logger.Warn("an instance died", "skill", p.key.skill, "version", p.key.id, "instance", w.instance.ID(), "status", how)
	if err != nil && !w.proven {
		p.failed(err)
	}
	p.scale()
}

// remove takes an instance out of the choice; false: it is out already. Called
// with mu held.
func (p *pool) remove(w *worker) bool {
	i := slices.Index(p.workers, w)
	if i < 0 {
		return false
	}
	p.workers = slices.Delete(p.workers, i, i+1)
	w.idle.Stop()
	return true
}

// leave takes an instance out of the choice and stops it once its calls are done.
// Called with mu held.
func (p *pool) leave(w *worker) {
	if !p.remove(w) {
		return
	}
	p.leaving[w] = struct{}{}
	if w.inFlight == 0 {
		p.stop(w)
	}
}

// stop ends an instance of leaving, with its calls. Called with mu held.
func (p *pool) stop(w *worker) {
	if w.stopping {
		return
	}
	w.stopping = true
	p.v.work.Go(func() { _ = w.stop(p.v.stops) })
}

// release gives an instance back after a call.
func (p *pool) release(w *worker, h health) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.inFlight--
	w.free = time.Now()
	switch h {
	case answered:
		w.proven = true
		w.timeouts = 0
		p.failures = 0
		p.retryAt = time.Time{}
	case silent:
		w.timeouts++
		if w.timeouts == maxSilence {
			p.v.opts.Logger.Warn("an instance is replaced: it does not answer", "skill", p.key.skill, "version", p.key.id, "instance", w.instance.ID())
			p.leave(w)
		}
	case gone:
		p.lose(w)
	case unknown:
	}
	if _, leaving := p.leaving[w]; leaving && w.inFlight == 0 {
		p.stop(w)
	}
	p.dispatch(false)
	p.scale()
	p.endIfUnused(w)
}

// lose takes out an instance that cannot be called any more. Called with mu held.
func (p *pool) lose(w *worker) {
	select {
	case <-w.instance.Done():
		p.bury(w)
	default:
		p.leave(w)
	}
}

// endIfUnused ends an instance of a retired pool that has nothing to do. Called
// with mu held.
func (p *pool) endIfUnused(w *worker) {
	if p.retired && w.inFlight == 0 && len(p.waiting) == 0 {
		p.leave(w)
	}
}

// checkIdle ends an instance that has had no call for long. The timer is not
// touched by calls; it looks again when the instance was used meanwhile.
func (p *pool) checkIdle(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.workers, w) {
		return
	}
	limits := p.spec.Limits
	left := limits.Idle - time.Since(w.free)
	keep := 0
	if p.warm {
		keep = limits.MinInstances
	}
	if w.inFlight > 0 || len(p.workers) <= keep {
		left = max(left, limits.Idle)
	}
	if left > 0 {
		w.idle.Reset(left)
		return
	}
	p.v.opts.Logger.Debug("an idle instance is stopped", "instance", w.instance.ID())
	p.leave(w)
}
