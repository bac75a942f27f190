package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

// ProcessOptions are what Processes needs.
type ProcessOptions struct {
	// Logs takes what instances write; nil: only their last lines are kept, for errors.
	Logs LogSink
	// Clock stamps log lines; nil: the machine's.
	Clock  assistant.Clock
	Logger *slog.Logger // nil: silent
	// StartTimeout bounds the time to the first good health check; 10 s.
	StartTimeout time.Duration
	// Grace is the time between SIGTERM and SIGKILL; 2 s.
	Grace time.Duration
	// SocketDir holds the sockets of ListenUnix, for the time of a start; empty:
	// the system's folder for temporary files. A long path does not fit in a
	// socket's address.
	SocketDir string
}

// Processes is the Driver that runs instances as processes of this machine.
// They die with the process that started them.
type Processes struct {
	opts     ProcessOptions
	launcher *launcher

	mu      sync.Mutex
	closed  bool
	starts  sync.WaitGroup
	running map[*process]struct{}
}

// NewProcesses returns a driver. Close it to end its instances.
func NewProcesses(opts ProcessOptions) (*Processes, error) {
	if opts.Clock == nil {
		opts.Clock = assistant.SystemClock{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.StartTimeout <= 0 {
		opts.StartTimeout = 10 * time.Second
	}
	if opts.Grace <= 0 {
		opts.Grace = 2 * time.Second
	}
	if opts.SocketDir == "" {
		opts.SocketDir = os.TempDir()
	}
	return &Processes{opts: opts, launcher: newLauncher(), running: make(map[*process]struct{})}, nil
}

// Missing says, for people, which isolation the driver does not give here.
func (d *Processes) Missing() []string { return missing() }

// Start launches a process and waits until it serves. The error of one that
// ended instead is an *ExitError with its status and last lines.
func (d *Processes) Start(ctx context.Context, spec Spec) (Instance, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	spec.Limits = spec.Limits.WithDefaults()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, fmt.Errorf("start skill %s: %w", spec.Skill, ErrClosed)
	}
	d.starts.Add(1)
	d.mu.Unlock()
	defer d.starts.Done()

	ctx, cancel := context.WithTimeout(ctx, d.opts.StartTimeout)
	defer cancel()
	began := time.Now()
	p, err := d.start(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("start skill %s: %w", spec.Skill, err)
	}
	d.opts.Logger.Debug("instance started", "instance", p.id, "pid", p.proc.Pid, "took", time.Since(began))
	return p, nil
}

func (d *Processes) start(ctx context.Context, spec Spec) (*process, error) {
	id := spec.Skill + "-" + strings.ToLower(rand.Text()[:8])
	var reach reacher = &reachFD{}
	if spec.Listen == ListenUnix {
		reach = &reachUnix{parent: d.opts.SocketDir}
	}
	listen, err := reach.prepare()
	defer reach.release()
	if err != nil {
		return nil, err
	}
	p, err := d.launch(ctx, id, spec, listen, reach.handOver())
	if err != nil {
		return nil, err
	}
	err = limitProcess(p.proc.Pid, spec.Limits)
	if err == nil {
		err = p.awaitReady(ctx, reach, d.opts.StartTimeout)
	}
	if err != nil {
		return nil, p.failStart(ctx, err)
	}
	return p, nil
}

// launch starts the process and those who watch it.
func (d *Processes) launch(ctx context.Context, id string, spec Spec, listen string, handed *os.File) (*process, error) {
	dir, err := filepath.Abs(spec.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder: %w", err)
	}
	path, err := findProgram(dir, spec.Command[0])
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("open the null device: %w", err)
	}
	defer null.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for its output: %w", err)
	}
	defer write.Close()
	files := []*os.File{null, write, write}
	if handed != nil {
		files = append(files, handed)
	}
	proc, err := d.run(ctx, path, append([]string{path}, spec.Command[1:]...), &os.ProcAttr{
		Dir: dir, Env: spec.environment(listen), Files: files, Sys: processAttributes(),
	})
	if err != nil {
		_ = read.Close()
		return nil, fmt.Errorf("run %s: %w", path, err)
	}
	p := &process{
		id: id, driver: d, proc: proc, done: make(chan struct{}),
		output: newCapture(read, captureOptions{skill: spec.Skill, instance: id, sink: d.opts.Logs, clock: d.opts.Clock, logger: d.opts.Logger}),
	}
	d.mu.Lock()
	d.running[p] = struct{}{}
	closed := d.closed
	d.mu.Unlock()
	go p.output.run()
	go p.reap()
	if closed { // after Close has killed those that it knew
		p.markStopped()
		p.kill()
	}
	return p, nil
}

// run starts a program, which may just have been unpacked: a process that was
// forked while it was written holds it open for writing, too, until that process
// runs its own program, and so long the system refuses to run this one.
func (d *Processes) run(ctx context.Context, path string, args []string, attr *os.ProcAttr) (*os.Process, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		proc, err := d.launcher.start(path, args, attr)
		if !errors.Is(err, syscall.ETXTBSY) || wait(ctx, pause) != nil {
			return proc, err
		}
	}
}

func (d *Processes) remove(p *process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.running, p)
}

// Close ends all instances, at once and without asking, and the driver.
func (d *Processes) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	// A start in progress ends when its process does.
	d.killAll()
	d.starts.Wait()
	for _, p := range d.killAll() {
		<-p.done
	}
	d.launcher.close()
	return nil
}

func (d *Processes) killAll() []*process {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*process, 0, len(d.running))
	for p := range d.running {
		p.markStopped()
		p.kill()
		all = append(all, p)
	}
	return all
}

// findProgram seeks a program in the artifact's folder, then on the skills' PATH.
func findProgram(dir, name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	local := filepath.Join(dir, name)
	_, err := os.Stat(local)
	if err == nil {
		return local, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("find the program: %w", err)
	}
	if !strings.ContainsRune(name, filepath.Separator) {
		for _, folder := range filepath.SplitList(minimalPath) {
			if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("the program %q is neither in %s nor in %s", name, dir, minimalPath)
}
