package runtime

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// missing says what this version does not isolate.
func missing() []string {
	return []string{
		fmt.Sprintf("no cgroup: memory is bounded per process, to %d MiB above its limit, and processor time is metered but not capped", dataSlack>>20),
		"no namespaces: a skill sees the network and the other processes of its user",
		"no user of its own and no Landlock: a skill may read what Hark may read",
	}
}

// prepareThread readies the thread that launches. Both properties belong to the
// thread and pass to its children.
func prepareThread() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no-new-privileges: %w", err)
	}
	return nil
}

func processAttributes() *syscall.SysProcAttr {
	// A session of its own makes a group of its own, which is what gets killed.
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// socketPair returns two connected stream sockets.
func socketPair() (ours, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	return fds[0], fds[1], err
}

const (
	maxOpenFiles = 1024
	// dataSlack is what RLIMIT_DATA counts although nothing is in it: the Go runtime
	// maps its heap 64 MiB at a time, and threads of C have stacks of 8 MiB.
	dataSlack = 192 << 20
)

// limitProcess bounds a process that has just started; it cannot widen them again.
func limitProcess(pid int, l Limits) error {
	// RLIMIT_DATA rather than RLIMIT_AS: the Go runtime reserves far more address
	// space than it ever touches.
	data := uint64(l.MemoryMiB)<<20 + dataSlack //nolint:gosec // defaults have made it positive
	for resource, limit := range map[int]uint64{
		unix.RLIMIT_DATA:   data,
		unix.RLIMIT_NOFILE: maxOpenFiles,
		unix.RLIMIT_CORE:   0,
	} {
		err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: limit, Max: limit}, nil)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("set resource limit %d: %w", resource, err)
		}
	}
	// When the machine runs out of memory, a skill goes before Hark does.
	err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("offer it to the out-of-memory killer: %w", err)
	}
	return nil
}

// awaitExit returns when a child has ended, and leaves it to be reaped: until
// then its id and that of its group cannot be given to another process.
func awaitExit(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// processCPU reads the processor clock of a process that is not reaped.
func processCPU(pid int) (time.Duration, error) {
	const schedulerClock = 2 // CPUCLOCK_SCHED, see clock_getcpuclockid(3)
	var ts unix.Timespec
	clock := int32(^pid<<3 | schedulerClock) //nolint:gosec // process ids have 22 bits
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("read the processor clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
