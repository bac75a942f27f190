package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/manifest"
)

// builtinSource begins the Source of versions that came with Hark.
const builtinSource = "builtin:"

// DeployBuiltins brings the skills that come with Hark into service: those in
// Hark's source, else the prebuilt ones in the folder prebuilt. One that is
// there and unchanged is left alone, as is one that an operator removed or
// replaced by a version of their own. Where a new version cannot be deployed, the
// one that runs stays. It returns the names of those that it deployed.
func (m *Manager) DeployBuiltins(ctx context.Context, prebuilt string, progress func(skill string, s Step)) ([]string, error) {
	dir := prebuilt
	if m.builder.check() == nil {
		dir = filepath.Join(m.Source, "skills")
	}
	manifests, err := filepath.Glob(filepath.Join(dir, "*", manifest.FileName))
	if err != nil {
		return nil, fmt.Errorf("look for built-in skills: %w", err)
	}
	if len(manifests) == 0 && len(m.Catalog.Current().Skills()) == 0 {
		return nil, fmt.Errorf("there are no built-in skills: %w; prebuilt ones are looked for in %s", m.builder.check(), prebuilt)
	}
	var deployed []string
	for _, file := range manifests {
		folder := filepath.Dir(file)
		name := filepath.Base(folder)
		source, err := m.fingerprint(folder)
		if err != nil {
			return deployed, fmt.Errorf("read built-in skill %s: %w", name, err)
		}
		wanted, err := m.wanted(ctx, name, source)
		if err != nil {
			return deployed, err
		}
		if !wanted {
			continue
		}
		err = m.deployCopy(ctx, folder, source, func(s Step) { progress(name, s) })
		switch _, runs := m.Catalog.Current().Skill(name); {
		case err == nil:
			deployed = append(deployed, name)
		case runs && ctx.Err() == nil:
			m.Logger.Warn("a built-in skill cannot be renewed; the version before goes on answering", "skill", name, "error", err)
		default:
			return deployed, fmt.Errorf("built-in skill %s: %w", name, err)
		}
	}
	return deployed, nil
}

// wanted tells whether a built-in skill is to be deployed.
func (m *Manager) wanted(ctx context.Context, name, source string) (bool, error) {
	versions, err := m.Store.Versions(ctx, name)
	if err != nil || len(versions) == 0 {
		return err == nil, err
	}
	live, err := m.Store.Live(ctx)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(live, func(l assistant.LiveSkill) bool { return l.Skill == name })
	if i < 0 {
		return false, nil // removed by an operator
	}
	v, err := m.Store.Version(ctx, name, live[i].Version)
	if err != nil {
		return false, err
	}
	return strings.HasPrefix(v.Source, builtinSource) && v.Source != source, nil
}

// warnReplaced says it where a skill of another source takes the name, and with
// it the place, of one that came with Hark.
func (m *Manager) warnReplaced(ctx context.Context, name, source string, progress func(Step)) error {
	old, ok := m.Catalog.Current().Skill(name)
	if !ok || strings.HasPrefix(source, builtinSource) {
		return nil
	}
	v, err := m.Store.Version(ctx, name, old.ID)
	if err != nil {
		return fmt.Errorf("read the version that runs: %w", err)
	}
	if strings.HasPrefix(v.Source, builtinSource) {
		progress(Step{"warning", fmt.Sprintf("replaces %s %s (built in)", name, old.ID)})
	}
	return nil
}

// deployCopy deploys a copy of a folder, because a build writes into it.
func (m *Manager) deployCopy(ctx context.Context, folder, source string, progress func(Step)) error {
	dir, err := os.MkdirTemp(m.work(), "builtin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		return err
	}
	_, err = m.deploy(ctx, dir, source, progress)
	return err
}

// fingerprint is a hash of all that a build of the skill in folder depends on:
// the folder itself, and of Hark's source the SDK, the contract and the module's
// requirements.
func (m *Manager) fingerprint(folder string) (string, error) {
	sum := sha256.New()
	parts := []string{folder}
	if m.Source != "" {
		parts = append(parts, filepath.Join(m.Source, "proto"), filepath.Join(m.Source, "go.mod"), filepath.Join(m.Source, "go.sum"))
		sdk, err := filepath.Glob(filepath.Join(m.Source, "skills", "*.go"))
		if err != nil {
			return "", err
		}
		parts = append(parts, sdk...)
		parts = append(parts, filepath.Join(m.Source, "skills", "languages"))
	}
	for _, part := range parts {
		if err := hashTree(sum, part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return builtinSource + hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func hashTree(sum io.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // Hark's own source
		if err != nil {
			return err
		}
		name, err := filepath.Rel(filepath.Dir(root), path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s\n%d\n", name, len(content))
		_, err = sum.Write(content)
		return err
	})
}

// Prebuilt returns where the skills of a program that was installed without its
// source are: beside the program.
func Prebuilt() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(self), "skills")
}
