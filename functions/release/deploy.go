package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/catalog"
	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/release/bundle"
	"github.com/hark-voice/hark/functions/runtime"
)

// program is the file that a skill's Go code is compiled to, in its artifact.
const program = "skill"

// candidate is a version that has passed all that comes before it goes live.
type candidate struct {
	*catalog.Skill

	dir     string // the folder that it was read from
	archive []byte
	hash    string // of the archive
	next    *catalog.Snapshot
	fresh   bool  // it was not unpacked before
	strict  bool  // it is tested, and not deployed: what is late fails
	trial   trial // to be closed
	tested  Tested
}

// prepare takes the skill in dir, which it takes away, as far as it can go without
// touching the version that runs: it is read, built, packed, tested and started.
// m.one must be held. With an error, the candidate holds what was made of it.
func (m *Manager) prepare(ctx context.Context, c *candidate, dir, source string, progress func(Step)) error {
	if err := errors.Join(os.RemoveAll(m.bench()), os.Rename(dir, m.bench())); err != nil {
		return fmt.Errorf("prepare the deployment: %w", err)
	}
	c.dir = m.bench()
	progress(Step{"read", manifest.FileName})
	folder, err := manifest.Load(os.DirFS(c.dir))
	if err != nil {
		return err
	}
	if err := m.compile(ctx, folder, c.dir, progress); err != nil {
		return err
	}
	progress(Step{"pack", folder.Name})
	if c.archive, c.hash, err = bundle.Packed(c.dir, inArtifact); err != nil {
		return err
	}
	c.Skill = &catalog.Skill{Skill: folder, ID: folder.Version + "-" + build(c.hash, source)}
	c.tested = Tested{Skill: c.Name, Version: c.ID}
	if c.next, err = m.testSentences(ctx, c.Skill, &c.tested, progress); err != nil {
		return err
	}
	if err := m.warnReplaced(ctx, c.Name, source, progress); err != nil {
		return err
	}
	_, err = os.Stat(m.artifactDir(c.hash))
	c.fresh = err != nil
	if err := m.unpack(c.hash, bytes.NewReader(c.archive)); err != nil {
		return err
	}
	c.trial, err = m.try(ctx, c, progress)
	return err
}

// deploy brings the skill in dir, which it takes away, into service. Until the
// last step the version that runs is not touched.
func (m *Manager) deploy(ctx context.Context, dir, source string, progress func(Step)) (assistant.LiveSkill, error) {
	m.one.Lock()
	defer m.one.Unlock()
	c := &candidate{}
	if err := m.prepare(ctx, c, dir, source, progress); err != nil {
		return assistant.LiveSkill{}, err
	}
	defer c.trial.Close(ctx)

	progress(Step{"store", c.ID})
	version := assistant.SkillVersion{
		Skill: c.Name, ID: c.ID, Source: source, Artifact: c.hash, Created: m.Clock.Now(),
	}
	if err := m.keep(ctx, version, c); err != nil {
		return assistant.LiveSkill{}, err
	}
	if ctx.Err() != nil {
		return assistant.LiveSkill{}, ctx.Err()
	}
	live := assistant.LiveSkill{Skill: c.Name, Version: c.ID, Since: m.Clock.Now()}
	// Whoever leaves now must not leave it open whether the version went live.
	if err := m.Store.SetLive(context.WithoutCancel(ctx), live); err != nil {
		return assistant.LiveSkill{}, fmt.Errorf("make the version live: %w", err)
	}
	if err := c.trial.Keep(); err != nil { // Hark is stopping, and the version answers after its next start
		m.Logger.Warn("the first instance cannot be kept", "skill", c.Name, "version", c.ID, "error", err)
	}
	old, replaced := m.Catalog.Current().Skill(c.Name)
	m.Catalog.Publish(c.next)
	if replaced && old.ID != c.ID {
		m.drain(ctx, old)
	}
	return live, nil
}

// test takes the skill in dir, which it takes away, through all that a deployment
// asks of it, and forgets it.
func (m *Manager) test(ctx context.Context, dir string, progress func(Step)) (Tested, error) {
	m.one.Lock()
	defer m.one.Unlock()
	c := &candidate{strict: true}
	err := m.prepare(ctx, c, dir, "", progress)
	if err == nil {
		err = c.trial.Close(ctx)
	}
	if c.fresh {
		err = errors.Join(err, os.RemoveAll(m.artifactDir(c.hash)))
	}
	return c.tested, err
}

// keep stores a version with its texts and its artifact.
func (m *Manager) keep(ctx context.Context, v assistant.SkillVersion, c *candidate) (err error) {
	if v.Manifest, v.Sentences, err = readTexts(c.dir, c.Skill.Skill); err != nil {
		return err
	}
	if err := m.Store.PutArtifact(ctx, v.Artifact, bytes.NewReader(c.archive)); err != nil {
		return fmt.Errorf("store the artifact: %w", err)
	}
	if err := m.Store.PutVersion(ctx, v); err != nil {
		return fmt.Errorf("store the version: %w", err)
	}
	return nil
}

// build is the part of a version's id that names its content. The source is part
// of that: another one that gives the same artifact is another version, so that
// what is stored of it is true, and it is not built at each start.
func build(hash, source string) string {
	if source != "" {
		sum := sha256.Sum256([]byte(hash + source))
		hash = hex.EncodeToString(sum[:])
	}
	return hash[:12]
}

// compile builds what the manifest says must be built.
func (m *Manager) compile(ctx context.Context, k *manifest.Skill, dir string, progress func(Step)) error {
	switch {
	case k.Runtime.Image != "":
		return errors.New("skill.yaml: `runtime: {image: ...}` needs a Kubernetes cluster, which this version does not drive: use go or command")
	case k.Runtime.Go == "":
		return nil
	}
	if sources, err := filepath.Glob(filepath.Join(dir, k.Runtime.Go, "*.go")); err == nil && len(sources) == 0 {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			return nil // it was built before it came here
		}
	}
	progress(Step{"build", "go build " + k.Name})
	out := filepath.Join(dir, program)
	if err := m.builder.build(ctx, dir, k.Runtime.Go, out); err != nil {
		return fmt.Errorf("the skill does not compile:\n%w", err)
	}
	return nil
}

// inArtifact tells which files of a skill's folder an instance needs.
func inArtifact(path string) bool {
	name := filepath.Base(path)
	return !strings.HasSuffix(name, ".go") && name != "go.mod" && name != "go.sum" && !strings.HasPrefix(path, "testdata/")
}

// try starts an instance of the new version and asks it what the test sentences
// that expect an answer ask.
func (m *Manager) try(ctx context.Context, c *candidate, progress func(Step)) (trial, error) {
	progress(Step{"start", "one instance"})
	spec := m.spec(c.Skill.Skill, c.ID, c.hash)
	instance, err := m.invoker.Try(ctx, spec)
	if err != nil {
		// Where the artifact lies means nothing to the developer who reads this.
		return nil, fmt.Errorf("the skill does not start: %s", strings.ReplaceAll(err.Error(), spec.Dir, "the skill's folder"))
	}
	if err := m.testAnswers(ctx, c, instance, progress); err != nil {
		return nil, errors.Join(err, instance.Close(ctx))
	}
	return instance, nil
}

type trial interface {
	Call(ctx context.Context, call *assistant.Call) (*assistant.Answer, error)
	Keep() error
	Close(ctx context.Context) error
}

// Spec tells the invoker how to start a version. What this machine does not
// have is fetched from the store.
func (m *Manager) Spec(ctx context.Context, skill, id string) (runtime.Spec, error) {
	v, err := m.Store.Version(ctx, skill, id)
	if err != nil {
		return runtime.Spec{}, err
	}
	k, err := manifest.Decode(v.Manifest, v.Sentences)
	if err != nil {
		return runtime.Spec{}, fmt.Errorf("read the manifest of %s %s: %w", skill, id, err)
	}
	if _, err := os.Stat(m.artifactDir(v.Artifact)); err != nil {
		archive, err := m.Store.Artifact(ctx, v.Artifact)
		if err != nil {
			return runtime.Spec{}, fmt.Errorf("fetch the artifact of %s %s: %w", skill, id, err)
		}
		defer archive.Close()
		if err := m.unpack(v.Artifact, archive); err != nil {
			return runtime.Spec{}, err
		}
	}
	return m.spec(k, id, v.Artifact), nil
}

func (m *Manager) spec(k *manifest.Skill, id, hash string) runtime.Spec {
	spec := runtime.Spec{
		Skill: k.Name, Version: id, Dir: m.artifactDir(hash), Command: k.Runtime.Command, Listen: runtime.ListenUnix,
		Limits: runtime.Limits(k.Limits),
	}
	if k.Runtime.Go != "" {
		spec.Command, spec.Listen = []string{"./" + program}, runtime.ListenFD
	}
	return spec
}

func (m *Manager) artifactDir(hash string) string { return filepath.Join(m.artifacts(), hash) }

// unpack makes the folder of an artifact, whole or not at all.
func (m *Manager) unpack(hash string, archive io.Reader) error {
	if _, err := os.Stat(m.artifactDir(hash)); err == nil {
		return nil
	}
	dir, err := os.MkdirTemp(m.work(), "artifact-")
	if err != nil {
		return fmt.Errorf("make a folder for the artifact: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := bundle.Unpack(archive, dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // an instance may run as another user
		return err
	}
	if err := os.Rename(dir, m.artifactDir(hash)); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("keep the artifact: %w", err)
	}
	return nil
}

// readTexts returns skill.yaml and the sentence files as they are.
func readTexts(dir string, k *manifest.Skill) ([]byte, map[string][]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifest.FileName)) //nolint:gosec // the skill's folder
	if err != nil {
		return nil, nil, fmt.Errorf("read the manifest: %w", err)
	}
	sentences := make(map[string][]byte)
	for lang := range k.Sentences {
		if sentences[lang], err = os.ReadFile(filepath.Join(dir, manifest.SentencesDir, lang+".yaml")); err != nil { //nolint:gosec // the skill's folder
			return nil, nil, fmt.Errorf("read the sentences: %w", err)
		}
	}
	return text, sentences, nil
}

// testTimeout bounds one test call.
const testTimeout = 5 * time.Second
