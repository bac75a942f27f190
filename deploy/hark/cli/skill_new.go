package cli

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/release/bundle"
	"github.com/spf13/cobra"
)

// skillTemplate is the folder that `skill new` makes, each file a text/template.
//
//go:embed all:template
var skillTemplate embed.FS

func skillNew() *cobra.Command {
	var parent string
	c := &cobra.Command{
		Use: "new NAME", Short: "Make a folder with a skill that works, to change into yours", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := args[0]
			if err := assistant.CheckName(name); err != nil {
				return err
			}
			dir := filepath.Join(parent, name)
			if err := renderSkill(dir, name); err != nil {
				return err
			}
			note := ""
			if err := writeModule(c.Context(), dir, name); err != nil {
				note = fmt.Sprintf("\nNo go.mod was written, so `go test` will not run in the folder; deploying works. %v\n", err)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is a skill that answers.\n\n  hark skill test %[1]s\n  hark skill deploy %[1]s\n  hark say \"hello %[2]s\"\n%[3]s",
				dir, spoken(name), note)
			return nil
		},
	}
	c.Flags().StringVar(&parent, "dir", ".", "make the folder in this one")
	return c
}

func renderSkill(dir, name string) error {
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // source code, not a secret
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists already: choose another name, or another folder with --dir", dir)
		}
		return err
	}
	data := struct{ Name, Spoken string }{name, spoken(name)}
	return fs.WalkDir(skillTemplate, "template", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimSuffix(strings.TrimPrefix(path, "template"), ".tmpl"))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755) //nolint:gosec // source code, not a secret
		}
		// The skill's own answers use {{ }}, so ours are written [[ ]].
		text, err := template.New(filepath.Base(path)).Delims("[[", "]]").ParseFS(skillTemplate, path)
		if err != nil {
			return err
		}
		f, err := os.Create(to) //nolint:gosec // below the folder just made
		if err != nil {
			return err
		}
		return errors.Join(text.Execute(f, data), f.Close())
	})
}

// spoken is a skill's name as people say it.
func spoken(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' }), " ")
}

// writeModule makes the folder a Go module, so that an editor and `go test`
// work in it. Deploying does not need that.
func writeModule(ctx context.Context, dir, name string) error {
	source := os.Getenv("HARK_SOURCE")
	if source == "" {
		here, err := os.Getwd()
		if err != nil {
			return err
		}
		if source = bundle.FindSource(here); source == "" {
			return errors.New("Hark's source was not found above this folder: name it with HARK_SOURCE") //nolint:staticcheck // a name begins it
		}
	}
	source, err := filepath.Abs(source) // in a go.mod a path is relative to that file
	if err != nil {
		return err
	}
	mod := fmt.Sprintf("module %s\n\ngo 1.26\n\nrequire %s v0.0.0\n\nreplace %s => %q\n", name, bundle.Module, bundle.Module, source)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(source, "go.sum")) //nolint:gosec // Hark's own source
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		return err
	}
	// Listing the packages makes Go write down which modules they need.
	list := exec.CommandContext(ctx, "go", "list", "-mod=mod", "-deps", "-test", "./...")
	list.Dir, list.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if output, err := list.CombinedOutput(); err != nil {
		return fmt.Errorf("go list: %w: %.500s", err, output)
	}
	return nil
}
