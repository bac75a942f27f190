package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/invoke"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/release/bundle"
)

// Options of a Manager. All but Source, Overlaps and Logger must be set.
type Options struct {
	Store   assistant.SkillStore
	Catalog *catalog.Catalog
	Clock   assistant.Clock
	// Folder holds unpacked artifacts and work in progress.
	Folder string
	// Source is Hark's own source; empty: skills in Go cannot be built.
	Source string
	// Missing lists the protections that instances do not have here.
	Missing []string
	// Overlaps bounds the search for sentences that a new skill shares with others;
	// 0: 3 s. What was not tried in that time is said.
	Overlaps time.Duration
	Logger   *slog.Logger
}

// Manager brings skills into service and out of it.
type Manager struct {
	Options
	builder goBuilder
	invoker *invoke.Invoker
	one     sync.Mutex // deployments and removals follow one another
}

// Step is one thing that a deployment has begun to do.
type Step struct{ Name, Detail string }

// New returns a Manager. Load brings back what was deployed before.
func New(o Options) (*Manager, error) {
	if o.Store == nil || o.Catalog == nil || o.Clock == nil || o.Folder == "" {
		return nil, errors.New("release: Store, Catalog, Clock and Folder must be set")
	}
	if o.Overlaps <= 0 {
		o.Overlaps = 3 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Manager{Options: o, builder: goBuilder{source: o.Source}}
	// What a deployment left behind when it was killed is of no use.
	if err := os.RemoveAll(m.work()); err != nil {
		return nil, fmt.Errorf("clear unfinished deployments: %w", err)
	}
	for _, dir := range []string{m.work(), m.artifacts()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder for skills: %w", err)
		}
	}
	return m, nil
}

// Connect names the invoker that runs the instances; it asks the Manager for
// their specs in turn.
func (m *Manager) Connect(v *invoke.Invoker) { m.invoker = v }

func (m *Manager) work() string      { return filepath.Join(m.Folder, "work") }
func (m *Manager) bench() string     { return filepath.Join(m.work(), "bench") } // where skills are built, one after another
func (m *Manager) artifacts() string { return filepath.Join(m.Folder, "artifacts") }

// Load publishes the skills that the store says are live. One that cannot be
// read is left out, and said so in the log: the others must answer.
func (m *Manager) Load(ctx context.Context) error {
	live, err := m.Store.Live(ctx)
	if err != nil {
		return fmt.Errorf("load skills: %w", err)
	}
	snapshot := m.Catalog.Current()
	for _, l := range live {
		k, err := m.read(ctx, l)
		if err == nil {
			if next, with := snapshot.With(k); with == nil {
				snapshot = next
			} else {
				err = with
			}
		}
		if err != nil {
			m.Logger.Error("a skill cannot be loaded and does not answer: deploy it again", "skill", l.Skill, "version", l.Version, "error", err)
		}
	}
	m.Catalog.Publish(snapshot)
	return m.clearArtifacts(ctx, live)
}

// clearArtifacts removes the folders of versions that do not answer: they can be
// fetched from the store again.
func (m *Manager) clearArtifacts(ctx context.Context, live []assistant.LiveSkill) error {
	needed := make(map[string]bool)
	for _, l := range live {
		if v, err := m.Store.Version(ctx, l.Skill, l.Version); err == nil {
			needed[v.Artifact] = true
		}
	}
	folders, err := os.ReadDir(m.artifacts())
	if err != nil {
		return fmt.Errorf("look for unpacked artifacts: %w", err)
	}
	for _, f := range folders {
		if needed[f.Name()] {
			continue
		}
		if err := os.RemoveAll(m.artifactDir(f.Name())); err != nil {
			return fmt.Errorf("remove an artifact that is not needed: %w", err)
		}
	}
	return nil
}

func (m *Manager) read(ctx context.Context, l assistant.LiveSkill) (*catalog.Skill, error) {
	v, err := m.Store.Version(ctx, l.Skill, l.Version)
	if err != nil {
		return nil, err
	}
	k, err := manifest.Decode(v.Manifest, v.Sentences)
	if err != nil {
		return nil, err
	}
	return &catalog.Skill{Skill: k, ID: v.ID}, nil
}

// Remove takes a skill out of service. Calls under way are finished.
func (m *Manager) Remove(ctx context.Context, skill string) error {
	m.one.Lock()
	defer m.one.Unlock()
	old, ok := m.Catalog.Current().Skill(skill)
	// Whoever leaves now must not leave it open whether the skill was removed.
	if err := m.Store.RemoveLive(context.WithoutCancel(ctx), skill); err != nil {
		return err
	}
	if !ok {
		return nil
	}
	snapshot, err := m.Catalog.Current().Without(skill)
	if err != nil {
		return err
	}
	m.Catalog.Publish(snapshot)
	m.drain(ctx, old)
	return nil
}

// drainWithin is how long instances of a version that was replaced may take to
// finish their calls.
const drainWithin = 30 * time.Second

// drain ends the instances of a version behind the back of the caller.
func (m *Manager) drain(ctx context.Context, k *catalog.Skill) {
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
		defer cancel()
		m.invoker.Drain(ctx, k.Name, k.ID)
	}()
}

// Status is a deployed skill as an operator sees it.
type Status struct {
	Skill     string    `json:"skill"`
	Version   string    `json:"version"`
	Since     time.Time `json:"since"`
	Languages []string  `json:"languages"`
	Intents   []string  `json:"intents"`
	Instances int       `json:"instances"`
	Failure   string    `json:"failure,omitempty"` // why starts fail, while they do
	Missing   []string  `json:"missing_isolation"` // protections that could not be had
}

// Status lists the skills that answer, by name.
func (m *Manager) Status(ctx context.Context) ([]Status, error) {
	live, err := m.Store.Live(ctx)
	if err != nil {
		return nil, err
	}
	running := make(map[string]invoke.Status)
	for _, s := range m.invoker.Status() {
		running[s.Skill+"@"+s.Version] = s
	}
	snapshot, list := m.Catalog.Current(), make([]Status, 0, len(live))
	for _, l := range live {
		s := Status{Skill: l.Skill, Version: l.Version, Since: l.Since, Missing: append([]string{}, m.Missing...), Languages: []string{}, Intents: []string{}}
		if k, ok := snapshot.Skill(l.Skill); ok {
			s.Languages, s.Intents = k.Languages, k.Intents
		} else {
			s.Failure = "it could not be loaded: deploy it again"
		}
		if r, ok := running[l.Skill+"@"+l.Version]; ok {
			s.Instances, s.Failure = len(r.Instances), r.Failure
		}
		list = append(list, s)
	}
	return list, nil
}

// Deploy brings the skill of an archive into service, and reports each step as
// it begins. With an error the version that ran before goes on serving.
func (m *Manager) Deploy(ctx context.Context, archive io.Reader, progress func(Step)) (assistant.LiveSkill, error) {
	dir, err := m.upload(archive)
	if err != nil {
		return assistant.LiveSkill{}, err
	}
	defer os.RemoveAll(dir)
	return m.deploy(ctx, dir, "", progress)
}

// Test does with the skill of an archive all that Deploy does before a version
// goes live, and leaves nothing of it: what answers is not touched. It is stricter
// than Deploy: a handler that does not answer in time fails. With an error, what
// passed until then is counted.
func (m *Manager) Test(ctx context.Context, archive io.Reader, progress func(Step)) (Tested, error) {
	dir, err := m.upload(archive)
	if err != nil {
		return Tested{}, err
	}
	defer os.RemoveAll(dir)
	return m.test(ctx, dir, progress)
}

// upload unpacks an archive into a folder, which the caller takes away.
func (m *Manager) upload(archive io.Reader) (string, error) {
	dir, err := os.MkdirTemp(m.work(), "upload-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the upload: %w", err)
	}
	if err := bundle.Unpack(archive, dir); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}
