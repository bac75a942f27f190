package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"google.golang.org/grpc"
)

// Driver starts instances: as processes here, as pods elsewhere. It is safe for
// concurrent use.
type Driver interface {
	// Start returns an instance that has answered a health check, or says why it
	// did not. The context bounds the start alone.
	Start(ctx context.Context, spec Spec) (Instance, error)
}

// Instance is one running copy of a skill. It is safe for concurrent use.
type Instance interface {
	// ID is unique among the instances of an installation.
	ID() string
	Conn() grpc.ClientConnInterface
	// CPU returns the processor time used since the start; it never falls.
	CPU() (time.Duration, error)
	// Done is closed when the instance has ended and is cleared away.
	Done() <-chan struct{}
	// Err tells why it ended: nil before that and after Stop, else an *ExitError.
	Err() error
	// Stop ends the instance and all it started, first by asking. It returns once
	// Done is closed; when the context ends, it no longer asks.
	Stop(ctx context.Context) error
}

// Listen is how an instance is reached.
type Listen string

// The ways to reach a process.
const (
	ListenFD   Listen = "fd"   // descriptor 3 is a connected socket; the default
	ListenUnix Listen = "unix" // it listens on a socket in the file system
)

// Spec is what an instance is started from.
type Spec struct {
	Skill   string
	Version string
	// Dir is the artifact's folder and the working directory.
	Dir string
	// Command is a program and its arguments. The program is sought in Dir, then
	// on the minimal PATH that skills get.
	Command []string
	// Env is added to the few variables that every instance gets.
	Env    map[string]string
	Listen Listen // empty: ListenFD
	Limits Limits
}

// Limits bound a skill's instances. A zero field means the default.
type Limits struct {
	MemoryMiB    int64         // per instance; 128
	CPU          float64       // processors per instance; 1
	Timeout      time.Duration // per call; 5 s
	Concurrency  int           // calls in flight per instance; 64
	MinInstances int           // kept warm; 0
	MaxInstances int           // 4, or MinInstances if that is more
	Idle         time.Duration // an instance without calls ends after it; 1 min
}

// WithDefaults fills in the fields that are zero.
func (l Limits) WithDefaults() Limits {
	if l.MemoryMiB <= 0 {
		l.MemoryMiB = 128
	}
	if l.CPU <= 0 {
		l.CPU = 1
	}
	if l.Timeout <= 0 {
		l.Timeout = 5 * time.Second
	}
	if l.Concurrency <= 0 {
		l.Concurrency = 64
	}
	l.MinInstances = max(l.MinInstances, 0)
	if l.MaxInstances <= 0 {
		l.MaxInstances = max(4, l.MinInstances)
	}
	if l.Idle <= 0 {
		l.Idle = time.Minute
	}
	return l
}

// ErrClosed is returned by Start of a driver that was closed.
var ErrClosed = errors.New("the driver is closed")

// ExitError tells how an instance ended that nobody stopped.
type ExitError struct {
	Instance string
	Status   string   // "exit status 3", "signal: killed"
	Started  bool     // it had been ready
	Output   []string // the last lines it wrote
}

func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "instance %s ended with %s", e.Instance, e.Status)
	if !e.Started {
		b.WriteString(" before it was ready")
	}
	if len(e.Output) == 0 {
		b.WriteString(" and wrote nothing")
	} else {
		b.WriteString("; it wrote last: ")
		b.WriteString(strings.Join(e.Output, " | "))
	}
	return b.String()
}

// check refuses a spec that cannot be started.
func (s *Spec) check() error {
	if err := assistant.CheckName(s.Skill); err != nil {
		return fmt.Errorf("skill: %w", err)
	}
	if len(s.Command) == 0 || s.Command[0] == "" {
		return fmt.Errorf("skill %s: there is no command to start", s.Skill)
	}
	if s.Dir == "" {
		return fmt.Errorf("skill %s: the folder to start it in is missing", s.Skill)
	}
	if s.Listen != "" && s.Listen != ListenFD && s.Listen != ListenUnix {
		return fmt.Errorf("skill %s: listen %q is unknown: use %q or %q", s.Skill, s.Listen, ListenFD, ListenUnix)
	}
	for name, value := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return fmt.Errorf("skill %s: environment variable %q: = and NUL are not allowed", s.Skill, name)
		}
		if strings.HasPrefix(name, "HARK_") {
			return fmt.Errorf("skill %s: environment variable %s: names that begin with HARK_ are taken", s.Skill, name)
		}
	}
	return nil
}

// environment is all that an instance sees of the outside.
func (s *Spec) environment(listen string) []string {
	vars := map[string]string{
		"PATH": minimalPath,
		"LANG": "C.UTF-8",
		// One processor by default: small skills lose more to wake-ups than they
		// win by running in parallel.
		"GOMAXPROCS": fmt.Sprint(max(1, int(math.Ceil(s.Limits.CPU)))),
		// Collect before the limit is met rather than die at it.
		"GOMEMLIMIT": fmt.Sprintf("%dKiB", s.Limits.MemoryMiB*1024*9/10),
	}
	maps.Copy(vars, s.Env)
	vars["HARK_SKILL_LISTEN"] = listen
	vars["HARK_SKILL_NAME"] = s.Skill
	vars["HARK_SKILL_VERSION"] = s.Version
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

const minimalPath = "/usr/local/bin:/usr/bin:/bin"
