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

// deploy brings the skill in dir, which it takes away, into service. Until the
// last step the version that runs is not touched.
func (m *Manager) deploy(ctx context.Context, dir, source string, progress func(Step)) (assistant.LiveSkill, error) {
	m.one.Lock()
	defer m.one.Unlock()
	if err := errors.Join(os.RemoveAll(m.bench()), os.Rename(dir, m.bench())); err != nil {
		return assistant.LiveSkill{}, fmt.Errorf("prepare the deployment: %w", err)
	}
	dir = m.bench()

	progress(Step{"read", manifest.FileName})
	folder, err := manifest.Load(os.DirFS(dir))
	if err != nil {
		return assistant.LiveSkill{}, err
	}
	if err := m.compile(ctx, folder, dir, progress); err != nil {
		return assistant.LiveSkill{}, err
	}
	progress(Step{"pack", folder.Name})
	archive, hash, err := bundle.Packed(dir, inArtifact)
	if err != nil {
		return assistant.LiveSkill{}, err
	}
	k := &catalog.Skill{Skill: folder, ID: folder.Version + "-" + build(hash, source)}
	next, err := m.testSentences(k, progress)
	if err != nil {
		return assistant.LiveSkill{}, err
	}
	if err := m.warnReplaced(ctx, k.Name, source, progress); err != nil {
		return assistant.LiveSkill{}, err
	}
	if err := m.unpack(hash, bytes.NewReader(archive)); err != nil {
		return assistant.LiveSkill{}, err
	}
	trial, err := m.try(ctx, k, hash, progress)
	if err != nil {
		return assistant.LiveSkill{}, err
	}
	defer trial.Close(ctx)

	progress(Step{"store", k.ID})
	version := assistant.SkillVersion{
		Skill: k.Name, ID: k.ID, Source: source, Artifact: hash, Created: m.Clock.Now(),
	}
	if err := m.keep(ctx, version, dir, folder, archive); err != nil {
		return assistant.LiveSkill{}, err
	}
	if ctx.Err() != nil {
		return assistant.LiveSkill{}, ctx.Err()
	}
	live := assistant.LiveSkill{Skill: k.Name, Version: k.ID, Since: m.Clock.Now()}
	// Whoever leaves now must not leave it open whether the version went live.
	if err := m.Store.SetLive(context.WithoutCancel(ctx), live); err != nil {
		return assistant.LiveSkill{}, fmt.Errorf("make the version live: %w", err)
	}
	if err := trial.Keep(); err != nil { // Hark is stopping, and the version answers after its next start
		m.Logger.Warn("the first instance cannot be kept", "skill", k.Name, "version", k.ID, "error", err)
	}
	old, replaced := m.Catalog.Current().Skill(k.Name)
	m.Catalog.Publish(next)
	if replaced && old.ID != k.ID {
		m.drain(ctx, old)
	}
	return live, nil
}

// keep stores a version with its texts and its artifact.
func (m *Manager) keep(ctx context.Context, v assistant.SkillVersion, dir string, k *manifest.Skill, archive []byte) (err error) {
	if v.Manifest, v.Sentences, err = readTexts(dir, k); err != nil {
		return err
	}
	if err := m.Store.PutArtifact(ctx, v.Artifact, bytes.NewReader(archive)); err != nil {
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
func (m *Manager) try(ctx context.Context, k *catalog.Skill, hash string, progress func(Step)) (trial, error) {
	progress(Step{"start", "one instance"})
	spec := m.spec(k.Skill, k.ID, hash)
	instance, err := m.invoker.Try(ctx, spec)
	if err != nil {
		// Where the artifact lies means nothing to the developer who reads this.
		return nil, fmt.Errorf("the skill does not start: %s", strings.ReplaceAll(err.Error(), spec.Dir, "the skill's folder"))
	}
	if err := m.testAnswers(ctx, k, instance, progress); err != nil {
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
