package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// process is the Instance of Processes.
type process struct {
	id     string
	driver *Processes
	proc   *os.Process
	conn   *grpc.ClientConn // set before anybody but the driver sees the process
	output *capture
	done   chan struct{}

	mu      sync.Mutex
	reaped  bool
	stopped bool // somebody wanted it to end
	started bool // it has been ready
	used    time.Duration
	err     error
}

// afterLoss is the time that a process which closed its connection has to exit by itself.
const afterLoss = time.Second

// dyingTime is how long a failed start waits for the process's own end, which
// explains more than the error of its connection.
const dyingTime = 50 * time.Millisecond

func (p *process) ID() string                     { return p.id }
func (p *process) Conn() grpc.ClientConnInterface { return p.conn }
func (p *process) Done() <-chan struct{}          { return p.done }

func (p *process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// CPU reads the process's clock; of one that has ended, the sum that the kernel kept.
func (p *process) CPU() (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return p.used, nil
	}
	used, err := processCPU(p.proc.Pid)
	if err != nil {
		return p.used, err
	}
	p.used = max(p.used, used)
	return p.used, nil
}

func (p *process) Stop(ctx context.Context) error {
	p.markStopped()
	p.signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, p.driver.opts.Grace)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	p.kill()
	<-p.done
	return nil
}

func (p *process) markStopped() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

func (p *process) kill() { p.signal(syscall.SIGKILL) }

// signal reaches the whole group. Until the process is reaped, its id is its own.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.proc.Pid, s)
	}
}

// reap waits for the end of the process and clears up after it.
func (p *process) reap() {
	waitErr := awaitExit(p.proc.Pid)
	p.mu.Lock()
	_ = syscall.Kill(-p.proc.Pid, syscall.SIGKILL) // what it left behind
	state, err := p.proc.Wait()
	p.reaped = true
	status := ""
	if err = errors.Join(waitErr, err); err != nil {
		status = err.Error()
	} else {
		status = state.String()
		p.used = max(p.used, state.UserTime()+state.SystemTime())
	}
	p.mu.Unlock()
	p.output.finish()

	p.mu.Lock()
	if !p.stopped {
		p.err = &ExitError{Instance: p.id, Status: status, Started: p.started, Output: p.output.tail()}
	}
	conn := p.conn
	p.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	p.driver.remove(p)
	close(p.done)
}

// awaitReady connects to the process and returns once its health is good.
func (p *process) awaitReady(ctx context.Context, reach reacher, timeout time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	raw, err := reach.connect(ctx)
	if err != nil {
		return err
	}
	conn, err := dial(raw, timeout, p.connectionLost)
	if err != nil {
		_ = raw.Close()
		return fmt.Errorf("use the connection: %w", err)
	}
	if err := p.adopt(conn); err != nil {
		return err
	}
	if err := awaitServing(ctx, conn); err != nil {
		return err
	}
	p.mu.Lock()
	p.started = true
	p.mu.Unlock()
	return nil
}

// adopt hands the connection to reap, which closes it.
func (p *process) adopt(conn *grpc.ClientConn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		_ = conn.Close()
		return errConnectionLost
	}
	p.conn = conn
	return nil
}

// connectionLost is called when gRPC gives up the only connection there is.
func (p *process) connectionLost() {
	time.AfterFunc(afterLoss, func() {
		p.mu.Lock()
		stopped := p.stopped
		p.mu.Unlock()
		if !stopped { // else Stop sees to it
			p.kill()
		}
	})
}

// failStart clears away a process that did not become ready and tells why.
func (p *process) failStart(ctx context.Context, cause error) error {
	// Of a process that is just dying by itself, its end is the reason.
	timer := time.NewTimer(dyingTime)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.markStopped()
		p.kill()
		<-p.done
	}
	if err := p.Err(); err != nil {
		return err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		cause = fmt.Errorf("it was not ready in time (%w)", cause)
	}
	if tail := p.output.tail(); len(tail) > 0 {
		return fmt.Errorf("%w; it wrote last: %s", cause, strings.Join(tail, " | "))
	}
	return cause
}
