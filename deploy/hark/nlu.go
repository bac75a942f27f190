package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hark-voice/hark/deploy/hark/cli"
	"github.com/hark-voice/hark/functions/nlu/eval"
	"github.com/spf13/cobra"
)

// understanding is the commands that try how sentences are understood: eval by the
// matcher alone, explain by a running Hark.
func understanding() *cobra.Command {
	c := &cobra.Command{
		Use: "nlu", Short: "Try how sentences are understood", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(evaluate(), cli.Explain())
	return c
}

func evaluate() *cobra.Command {
	var grammar string
	var tests, derived string
	var asJSON, allPasses bool
	c := &cobra.Command{
		Use: "eval --grammar FILE --tests FILE [--derived FILE]", Short: "Run test sentences against a grammar", Args: cobra.NoArgs,
		Long: "Run test sentences, a JSON object a line, against a grammar. What was not understood as expected is printed, then the\n" +
			"sentences of which another reading ranked the same, then the score as JSON. It fails where a sentence did.\n" +
			"The score is that of the first pass; with --all-passes, what the later passes make of the sentences in which it finds\n" +
			"nothing is printed and counted apart. With --json each of these is a JSON object, and the score is the last line.\n\n" +
			"In the score, total and passed count sentences, ties those where another reading with another meaning ranked as high\n" +
			"as the first, so that the order in the grammar decided, and truncated those whose readings were too many to be\n" +
			"searched to the end. p50_us, p99_us and max_us are what the first pass took, in microseconds. In later, tried counts\n" +
			"the sentences in which the first pass found nothing, found those that were guessed, right those of them that were\n" +
			"taken for the one command that was expected, and wrong those in which nothing was to be understood.",
		RunE: func(c *cobra.Command, _ []string) error {
			suite, err := loadSuite(grammar)
			if err != nil {
				return err
			}
			report := &eval.Report{}
			for _, name := range []string{tests, derived} {
				if err := runSentences(suite, name, eval.Options{AllPasses: allPasses}, report); err != nil {
					return err
				}
			}
			return printScore(c, report, asJSON)
		},
	}
	c.Flags().StringVar(&grammar, "grammar", "", "file of the grammar, JSON")
	c.Flags().StringVar(&tests, "tests", "", "file of sentences, a JSON object a line")
	c.Flags().StringVar(&derived, "derived", "", "another file of sentences")
	c.Flags().BoolVar(&allPasses, "all-passes", false, "guess what the first pass does not match, too; counted apart")
	c.Flags().BoolVar(&asJSON, "json", false, "print failures and guesses as JSON, too, an object a line")
	for _, name := range []string{"grammar", "tests"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // it was just defined
		}
	}
	return c
}

func loadSuite(name string) (*eval.Suite, error) {
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("open the grammar: %w", err)
	}
	defer f.Close()
	return eval.Load(name, f)
}

func runSentences(suite *eval.Suite, name string, opts eval.Options, report *eval.Report) error {
	if name == "" {
		return nil
	}
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return fmt.Errorf("open the sentences: %w", err)
	}
	defer f.Close()
	before := report.Total
	if err := suite.Run(f, opts, report); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if report.Total == before {
		return fmt.Errorf("%s holds no sentences: a JSON object a line", name)
	}
	return nil
}

// later is a line of JSON that tells what the later passes took a sentence for.
type later struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Want  string `json:"want"`
	Later string `json:"later"`
}

func printScore(c *cobra.Command, report *eval.Report, asJSON bool) error {
	out := json.NewEncoder(c.OutOrStdout())
	out.SetEscapeHTML(false)
	for _, f := range report.Failures {
		if !asJSON {
			fmt.Fprintf(c.OutOrStdout(), "%s: %q\n  want %s\n  got  %s\n", f.ID, f.Text, f.Want, f.Got)
		} else if err := out.Encode(f); err != nil {
			return err
		}
	}
	if report.Later != nil {
		for _, f := range report.Later.Guesses {
			if asJSON {
				if err := out.Encode(later{f.ID, f.Text, f.Want, f.Got}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %q\n  want  %s\n  later %s\n", f.ID, f.Text, f.Want, f.Got)
		}
	}
	if len(report.Tied) > 0 && !asJSON {
		fmt.Fprintf(c.OutOrStdout(), "another reading ranked the same: %s\n", strings.Join(report.Tied, ", "))
	}
	if err := out.Encode(report); err != nil {
		return err
	}
	if report.Passed < report.Total {
		return errors.New("sentences were not understood as expected")
	}
	return nil
}
