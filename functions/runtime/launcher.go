package runtime

import (
	"os"
	goruntime "runtime"
	"sync"
)

// launcher starts processes from one thread that lives as long as they may: the
// parent-death signal is sent when the launching thread ends, not the process.
type launcher struct {
	once sync.Once
	jobs chan launch
	done chan struct{}
}

type launch struct {
	path   string
	args   []string
	attr   *os.ProcAttr
	result chan<- launched
}

type launched struct {
	process *os.Process
	err     error
}

func newLauncher() *launcher {
	return &launcher{jobs: make(chan launch), done: make(chan struct{})}
}

// start must not be called after close.
func (l *launcher) start(path string, args []string, attr *os.ProcAttr) (*os.Process, error) {
	l.once.Do(func() { go l.run() })
	result := make(chan launched, 1)
	l.jobs <- launch{path: path, args: args, attr: attr, result: result}
	r := <-result
	return r.process, r.err
}

func (l *launcher) run() {
	// Never unlocked: the thread is changed for good and ends with the goroutine.
	goruntime.LockOSThread()
	defer close(l.done)
	unfit := prepareThread()
	for job := range l.jobs {
		if unfit != nil {
			job.result <- launched{err: unfit}
			continue
		}
		process, err := os.StartProcess(job.path, job.args, job.attr)
		job.result <- launched{process, err}
	}
}

func (l *launcher) close() {
	l.once.Do(func() { close(l.done) })
	close(l.jobs)
	<-l.done
}
