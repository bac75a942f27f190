package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hark-voice/hark/functions/manifest"
	"github.com/hark-voice/hark/functions/release"
	"github.com/spf13/cobra"
)

// tested is what a test of a skill has found, as --json shows it.
type tested struct {
	Skill     string `json:"skill"`
	Sentences int    `json:"sentences"` // that pass, as with the next two
	Answers   int    `json:"answers"`
	Handlers  int    `json:"handlers"`
	findings

	Offline bool   `json:"offline"` // the sentences alone, without a running Hark
	Passed  bool   `json:"passed"`
	Error   string `json:"error,omitempty"`
}

func skillTest() *cobra.Command {
	var asJSON, offline bool
	c := &cobra.Command{
		Use: "test DIR", Short: "Test a skill as a deployment does, and deploy nothing", Args: cobra.ExactArgs(1),
		Long: "Run a skill's test sentences, then start it in the running Hark, beside the skills that are deployed, and ask it what the tests\n" +
			"with an answer ask. What answers there is not touched. A handler that does not answer in time fails.\n" +
			"Where no Hark runs, and neither HARK_HTTP nor HARK_DATA names one, the sentences alone are tested, as with --offline.",
		RunE: func(c *cobra.Command, args []string) error {
			archive, err := readSkill(args[0])
			if err != nil {
				return err
			}
			progress := c.OutOrStdout()
			if asJSON {
				progress = io.Discard
			}
			result := &tested{findings: findings{[]string{}, []string{}}}
			failure := result.run(c.Context(), args[0], archive, offline, progress)
			if result.Passed = failure == nil; !result.Passed {
				result.Error = failure.Error()
			}
			if asJSON {
				return errors.Join(printJSON(c, result), failed(failure))
			}
			if failure != nil {
				return failure
			}
			result.print(c.OutOrStdout())
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&offline, "offline", false, "the sentences alone, without a running Hark")
	return c
}

// failed is the error of a command whose output tells what failed.
func failed(failure error) error {
	if failure == nil {
		return nil
	}
	return errors.New("the skill does not pass its tests")
}

// run tests the skill in the running Hark or, if there is none and none is named,
// its sentences here.
func (t *tested) run(ctx context.Context, dir string, archive []byte, offline bool, progress io.Writer) error {
	folder, err := manifest.Load(os.DirFS(dir))
	if err != nil {
		return err // with all that is wrong, wherever Hark is
	}
	t.Skill = folder.Name
	hark, err := newClient()
	if !offline && err == nil {
		if err = hark.call(ctx, "GET", "/api/v1/version", nil, nil); err == nil {
			return hark.test(ctx, archive, t, progress)
		}
	}
	if !offline && named() {
		return fmt.Errorf("%w; with --offline the sentences alone are tested", err)
	}
	if !offline {
		fmt.Fprintf(progress, "%v\n", err)
	}
	t.Offline = true
	t.Sentences, err = release.TestSentences(folder)
	return err
}

func (t *tested) print(out io.Writer) {
	if t.Offline {
		fmt.Fprintf(out, "%s: %d test sentences pass; answers, handlers and other skills' sentences were not tested\n", t.Skill, t.Sentences)
		return
	}
	fmt.Fprintf(out, "%s: %d test sentences, %d answers and %d more handlers pass; %d warnings; %d overlaps; nothing was deployed\n",
		t.Skill, t.Sentences, t.Answers, t.Handlers, len(t.Warnings), len(t.Overlaps))
}

func (c *client) test(ctx context.Context, archive []byte, t *tested, progress io.Writer) error {
	last, err := c.release(ctx, "/api/v1/trials", archive, progress)
	if err != nil {
		return err
	}
	t.findings = last.findings
	if last.Tested != nil {
		t.Sentences, t.Answers, t.Handlers = last.Tested.Sentences, last.Tested.Answers, last.Tested.Handlers
	}
	if last.Error != "" {
		return errors.New(last.Error)
	}
	return nil
}

// released is the end of a deployment or a test, and what was found before.
type released struct {
	findings

	Error  string
	Live   *liveSkill
	Tested *release.Tested
}

// release sends a packed skill and shows the steps as they come.
func (c *client) release(ctx context.Context, path string, archive []byte, progress io.Writer) (released, error) {
	answer, err := c.send(ctx, "POST", path, bytes.NewReader(archive))
	if err != nil {
		return released{}, err
	}
	defer answer.Close()
	start, events := time.Now(), json.NewDecoder(answer)
	found := findings{[]string{}, []string{}}
	for {
		var event struct {
			released

			Step, Detail string
		}
		switch err := events.Decode(&event); {
		case errors.Is(err, io.EOF):
			return released{}, errors.New("the connection ended before the work did: `hark skill list` tells what answers")
		case err != nil:
			return released{}, fmt.Errorf("the answer cannot be read: %w", err)
		case event.Error != "", event.Live != nil, event.Tested != nil:
			event.findings = found
			return event.released, nil
		}
		switch event.Step {
		case "warning":
			found.Warnings = append(found.Warnings, event.Detail)
		case "overlap":
			found.Overlaps = append(found.Overlaps, event.Detail)
		}
		fmt.Fprintf(progress, "%5.1fs  %-9s %s\n", time.Since(start).Seconds(), event.Step, event.Detail)
	}
}
