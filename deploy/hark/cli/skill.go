package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hark-voice/hark/functions/release/bundle"
	"github.com/spf13/cobra"
)

func skill() *cobra.Command {
	return group("skill", "Skills: the functions that answer", skillNew(), skillTest(), skillDeploy(), skillList(), skillLogs(), skillRemove())
}

func skillDeploy() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "deploy DIR", Short: "Build, test and start a skill, and let it answer", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			archive, err := readSkill(args[0])
			if err != nil {
				return err
			}
			hark, err := newClient()
			if err != nil {
				return err
			}
			progress := c.OutOrStdout()
			if asJSON {
				progress = io.Discard
			}
			live, err := hark.deploy(c.Context(), archive, progress)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, live)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s %s answers now\n", live.Skill, live.Version)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// readSkill packs a skill folder for the way to Hark.
func readSkill(dir string) ([]byte, error) {
	if _, err := os.Stat(filepath.Join(dir, "skill.yaml")); err != nil {
		return nil, fmt.Errorf("%s holds no skill.yaml: is it a skill's folder? `hark skill new NAME` makes one", dir)
	}
	archive, _, err := bundle.Packed(dir, nil)
	return archive, err
}

// findings are what a deployment or a test has found that is no failure.
type findings struct {
	Warnings []string `json:"warnings"`
	Overlaps []string `json:"overlaps"` // sentences that other skills understand, too
}

type liveSkill struct {
	Skill   string `json:"skill"`
	Version string `json:"version"`
	findings
}

func (c *client) deploy(ctx context.Context, archive []byte, progress io.Writer) (*liveSkill, error) {
	last, err := c.release(ctx, "/api/v1/skills", archive, progress)
	switch {
	case err != nil:
		return nil, err
	case last.Error != "":
		return nil, errors.New("not deployed, what ran before goes on:\n" + last.Error)
	case last.Live == nil:
		return nil, errors.New("the answer does not say what is live: `hark skill list` does")
	}
	last.Live.findings = last.findings
	return last.Live, nil
}

func skillList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the skills that answer", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			rows := []struct {
				Skill     string    `json:"skill"`
				Version   string    `json:"version"`
				Since     time.Time `json:"since"`
				Languages []string  `json:"languages"`
				Intents   []string  `json:"intents"`
				Instances int       `json:"instances"`
				Failure   string    `json:"failure,omitempty"`
				Missing   []string  `json:"missing_isolation"`
			}{}
			if err := hark.call(c.Context(), "GET", "/api/v1/skills", nil, &rows); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, rows)
			}
			out := table(c)
			fmt.Fprintln(out, "SKILL\tVERSION\tSINCE\tLANGUAGES\tINSTANCES\tINTENTS")
			missing, failures := []string{}, []string{}
			for _, r := range rows {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%d\t%s\n", r.Skill, r.Version, r.Since.Local().Format("2006-01-02 15:04:05"),
					strings.Join(r.Languages, ","), r.Instances, strings.Join(r.Intents, ","))
				missing = r.Missing
				if r.Failure != "" {
					failures = append(failures, r.Skill+" fails: "+r.Failure)
				}
			}
			if err := out.Flush(); err != nil {
				return err
			}
			for _, f := range failures {
				fmt.Fprintln(c.OutOrStdout(), f)
			}
			for _, m := range missing {
				fmt.Fprintln(c.OutOrStdout(), "not isolated:", m)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func skillLogs() *cobra.Command {
	var lines int
	var asJSON bool
	c := &cobra.Command{
		Use: "logs NAME", Short: "Show what a skill printed", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			rows := []struct {
				Time     time.Time `json:"time"`
				Instance string    `json:"instance"`
				Line     string    `json:"line"`
			}{}
			path := fmt.Sprintf("/api/v1/skills/%s/logs?lines=%d", url.PathEscape(args[0]), lines)
			if err := hark.call(c.Context(), "GET", path, nil, &rows); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, rows)
			}
			for _, r := range rows {
				fmt.Fprintf(c.OutOrStdout(), "%s %s  %s\n", r.Time.Local().Format("15:04:05.000"), r.Instance, r.Line)
			}
			return nil
		},
	}
	c.Flags().IntVarP(&lines, "lines", "n", 100, "how many of the last lines")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func skillRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Stop a skill from answering; its usage stays", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			if err := hark.call(c.Context(), "DELETE", "/api/v1/skills/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), args[0], "no longer answers")
			return nil
		},
	}
}
