package skills

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Skill is all that a skill consists of. The zero value of what is not needed
// is right.
type Skill struct {
	// Intents answers what users say, by the names of triggers.intents in skill.yaml.
	Intents Intents
	// Schedule is called when a schedule set by [Answer.Schedule] is due; [Call.Fired]
	// tells which. Its speech goes to the schedule's device.
	Schedule Handler
	// Files is the skill's folder. Nil: the working directory, which is the folder
	// both in production and in `go test`.
	Files fs.FS
	// Log takes what the handlers log. Nil: text on standard error, which
	// `hark skill logs` shows.
	Log *slog.Logger
}

// Intents names the handler of each intent.
type Intents map[string]Handler

// Handler answers one call. It may run at the same time as others, and again
// for the same call after a lost race. It keeps nothing in memory that matters:
// the process is stopped when nobody calls. An error makes Hark apologize to
// the user and drops all effects; its text goes to the log.
type Handler func(ctx context.Context, call *Call) (*Answer, error)

// check finds what would only show when a call arrives.
func (s Skill) check() error {
	if len(s.Intents) == 0 && s.Schedule == nil {
		return errors.New("the skill has no handlers: name at least one in skills.Skill.Intents")
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.Intents)) {
		if s.Intents[name] == nil {
			errs = append(errs, fmt.Errorf("the handler of intent %q is nil", name))
		}
	}
	return errors.Join(errs...)
}

// intent finds the handler of an intent.
func (s Skill) intent(name string) (Handler, error) {
	if h, ok := s.Intents[name]; ok {
		return h, nil
	}
	known := strings.Join(slices.Sorted(maps.Keys(s.Intents)), ", ")
	return nil, fmt.Errorf("no handler for intent %q: skills.Skill.Intents has %s", name, known)
}
