package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/hark-voice/hark/functions/release/bundle"
)

// maxBuildOutput bounds what is shown of a failed build, in bytes.
const maxBuildOutput = 8 << 10

// goBuilder compiles skills written in Go against Hark's own source.
type goBuilder struct {
	source string // the folder of Hark's go.mod; empty: there is none
}

// check tells what is missing for building.
func (b goBuilder) check() error {
	if b.source == "" {
		return errors.New("a Go skill is built against Hark's source, which was not found: start Hark inside its source folder, or with --source DIR")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("a Go skill needs the Go toolchain on the machine that runs Hark: install Go, or deploy a skill with `runtime: {command: [...]}`")
	}
	return nil
}

// build compiles the package in dir, which it may change, to the file out. A
// folder without a go.mod becomes a module of its own.
func (b goBuilder) build(ctx context.Context, dir, pkg, out string) error {
	if err := b.check(); err != nil {
		return err
	}
	if err := b.writeModule(dir); err != nil {
		return fmt.Errorf("prepare the module: %w", err)
	}
	if _, err := b.run(ctx, dir, "mod", "edit", "-require="+bundle.Module+"@v0.0.0", "-replace="+bundle.Module+"="+b.source); err != nil {
		return err
	}
	// No -trimpath: with it nothing that `go run ./deploy/hark` has compiled could
	// be used again, and the first start would take a minute longer. The same
	// source gives the same bytes even so, because dir is always the same one.
	if _, err := b.run(ctx, dir, "build", "-mod=mod", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "./"+pkg); err != nil {
		return err
	}
	// A package that is not main builds too, to something that cannot be run.
	if info, err := os.Stat(out); err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("go build made no program: is it `package main`, and does the folder hold nothing else named %s?", filepath.Base(out))
	}
	return nil
}

// writeModule gives dir a go.mod if it has none, and the checksums of what Hark
// itself is built from, so that no network is needed for those.
func (b goBuilder) writeModule(dir string) error {
	mod := filepath.Join(dir, "go.mod")
	if _, err := os.Stat(mod); errors.Is(err, fs.ErrNotExist) {
		version, err := goVersion(b.source)
		if err != nil {
			return err
		}
		if err := os.WriteFile(mod, []byte("module skill\n\n"+version+"\n"), 0o600); err != nil {
			return err
		}
	}
	ours, err := os.ReadFile(filepath.Join(b.source, "go.sum"))
	if err != nil {
		return err
	}
	sums := filepath.Join(dir, "go.sum")
	theirs, err := os.ReadFile(sums) //nolint:gosec // the skill's folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(sums, append(append(theirs, '\n'), ours...), 0o600)
}

// goVersion returns the `go` line of Hark's go.mod.
func goVersion(source string) (string, error) {
	mod, err := os.ReadFile(filepath.Join(source, "go.mod")) //nolint:gosec // Hark's own source
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mod)) {
		if strings.HasPrefix(line, "go ") {
			return strings.TrimSpace(line), nil
		}
	}
	return "", errors.New("the go.mod of Hark's source has no go line")
}

func (b goBuilder) run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // building the operator's skill is the purpose
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := runAside(cmd); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("go %s: %s", args[0], readable(output.String(), err))
	}
	return output.String(), nil
}

// runAside runs a command with less priority than the calls of devices have. It
// and all that it started end with its context and with Hark.
func runAside(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	// The signal at the parent's death comes when the thread ends that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	// Where it is not allowed, the build is only less polite.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, 10)
	return cmd.Wait()
}

// readable is a compiler's output without its package headings, cut to size.
func readable(output string, err error) string {
	var lines []string
	for line := range strings.Lines(output) {
		if line = strings.TrimRight(line, "\n"); line != "" && !strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "go: downloading") {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "\n")
	if text == "" {
		return err.Error()
	}
	if len(text) > maxBuildOutput {
		text = text[:maxBuildOutput] + "\n..."
	}
	return text
}
