package invoke

import (
	"context"
	"errors"
	"sync"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/runtime"
)

// Trial is an instance outside of any pool, to see whether a version works before
// it goes live. Nothing of it is metered.
type Trial struct {
	v      *Invoker
	spec   runtime.Spec
	worker *worker

	mu   sync.Mutex
	over bool // kept or closed
}

// Try starts an instance and waits for its health. Close it, unless it is kept;
// the error of one that does not start says why.
func (v *Invoker) Try(ctx context.Context, spec runtime.Spec) (*Trial, error) {
	spec.Limits = spec.Limits.WithDefaults()
	instance, err := v.opts.Driver.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	t := &Trial{v: v, spec: spec}
	if !v.register(t, instance) {
		return nil, errors.Join(errClosing, instance.Stop(ctx))
	}
	return t, nil
}

// register notes a trial for Run to end; false: that is over.
func (v *Invoker) register(t *Trial, instance runtime.Instance) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false
	}
	t.worker = v.newWorker(instance)
	v.trials[t] = struct{}{}
	return true
}

// Call makes one call and checks its answer. The error is an *assistant.Error.
func (t *Trial) Call(ctx context.Context, call *assistant.Call) (*assistant.Answer, error) {
	timeout := t.spec.Limits.Timeout
	if call.Timeout > 0 {
		timeout = min(timeout, call.Timeout)
	}
	request, err := newRequest(call, t.v.opts.Clock.Now().Add(timeout))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a := t.v.attempt(ctx, t.worker, call, request)
	return a.answer, a.err
}

// Keep hands the instance to the pool of its version, as a warm one.
func (t *Trial) Keep() error {
	if !t.finish() {
		return nil
	}
	p, err := t.v.poolOf(version{t.spec.Skill, t.spec.Version}, t.spec)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.join(t.worker)
	return nil
}

// Close stops the instance, unless it was kept.
func (t *Trial) Close(ctx context.Context) error {
	if !t.finish() {
		return nil
	}
	return t.worker.stop(ctx)
}

// finish reports whether the trial was still on.
func (t *Trial) finish() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	t.over = true
	t.v.mu.Lock()
	delete(t.v.trials, t)
	t.v.mu.Unlock()
	return true
}
