package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// explanation is what /api/v1/explanations answers.
type explanation struct {
	Home      string    `json:"home"`
	Area      string    `json:"area"`
	Tried     []string  `json:"tried"`
	Languages []string  `json:"languages"`
	Lang      string    `json:"lang"`
	Readings  []reading `json:"readings"`
	More      int       `json:"more"`
	Ambiguous bool      `json:"ambiguous"`
	GivenUp   []string  `json:"given_up"`
	Guess     *struct {
		Confidence float64 `json:"confidence"`
		Parts      []struct {
			Text    string `json:"text"`
			Assumed []struct {
				Kind  string `json:"kind"`
				Heard string `json:"heard"`
				Taken string `json:"taken"`
			} `json:"assumed"`
			Readings []reading `json:"readings"`
		} `json:"parts"`
	} `json:"guess"`
	Pieces []struct {
		Text       string `json:"text"`
		Understood bool   `json:"understood"`
	} `json:"pieces"`
	Nearest []struct {
		Text   string `json:"text"`
		Skill  string `json:"skill"`
		Intent string `json:"intent"`
		Place  string `json:"place"`
	} `json:"nearest"`
}

type reading struct {
	Skill    string `json:"skill"`
	Version  string `json:"version"`
	Intent   string `json:"intent"`
	Template string `json:"template"`
	Place    string `json:"place"`
	Slots    map[string]struct {
		Value any    `json:"value"`
		Text  string `json:"text"`
	} `json:"slots"`
	Score struct {
		NameLetters     int `json:"name_letters"`
		Wildcards       int `json:"wildcards"`
		LiteralLetters  int `json:"literal_letters"`
		WildcardLetters int `json:"wildcard_letters"`
	} `json:"score"`
	Why   string `json:"why"`
	Rival bool   `json:"rival"`
}

// Explain returns `explain`, which belongs below `nlu`.
func Explain() *cobra.Command {
	var question struct {
		Text   string `json:"text"`
		Lang   string `json:"lang,omitempty"`
		Home   string `json:"home,omitempty"`
		Device string `json:"device,omitempty"`
		Area   string `json:"area,omitempty"`
	}
	var asJSON bool
	c := &cobra.Command{
		Use: "explain TEXT", Short: "Show what the running Hark makes of a sentence, and why", Args: cobra.MinimumNArgs(1),
		Long: "Show what the skills that are deployed make of a sentence, in a home with its names: every reading with its slots, its template\n" +
			"and why it won or lost, best first. Nothing is done, and nothing is kept. It fails where the sentence is not understood.",
		Example: "  hark nlu explain set a timer for ten minutes\n  hark nlu explain --home demo 打开厨房的灯",
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			question.Text = strings.Join(args, " ")
			if question.Home == "" {
				if question.Home, err = hark.onlyHome(c); err != nil {
					return err
				}
			}
			var raw json.RawMessage
			if err := hark.call(c.Context(), "POST", "/api/v1/explanations", question, &raw); err != nil {
				return err
			}
			var x explanation
			if err := json.Unmarshal(raw, &x); err != nil {
				return fmt.Errorf("the answer cannot be read: %w", err)
			}
			if asJSON {
				err = printJSON(c, raw)
			} else {
				x.print(c.OutOrStdout())
			}
			if err == nil && x.Lang == "" {
				return fmt.Errorf("%q is not understood", question.Text)
			}
			return err
		},
	}
	c.Flags().StringVar(&question.Lang, "lang", "", "the language of the sentence (default: found out)")
	c.Flags().StringVar(&question.Home, "home", "", "the home that it is said in (default: demo, or the only one)")
	c.Flags().StringVar(&question.Device, "device", "", "the device that hears it")
	c.Flags().StringVar(&question.Area, "area", "", "the room that it is said in (default: the device's)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// onlyHome is the home demo, or the only one; empty where there are several or none.
func (c *client) onlyHome(cmd *cobra.Command) (string, error) {
	var homes []homeRow
	if err := c.call(cmd.Context(), "GET", "/api/v1/homes", nil, &homes); err != nil {
		return "", err
	}
	for _, h := range homes {
		if h.ID == "demo" || len(homes) == 1 {
			return h.ID, nil
		}
	}
	return "", nil
}

// printLang shows in which language the sentence is understood, and where.
func (x *explanation) printLang(out io.Writer) {
	where := "without a home's names: name one with --home"
	if x.Home != "" {
		where = "home " + x.Home
		if x.Area != "" {
			where += ", " + x.Area
		}
	}
	switch {
	case len(x.Tried) == 0 && len(x.Languages) == 0:
		fmt.Fprintf(out, "no skill is deployed that understands sentences\n")
	case len(x.Tried) == 0:
		fmt.Fprintf(out, "no skill speaks that language: there are %s\n", strings.Join(x.Languages, ", "))
	case x.Lang == "":
		fmt.Fprintf(out, "nothing in %s (%s)\n", strings.Join(x.Tried, ", "), where)
	default:
		fmt.Fprintf(out, "understood in %s (%s)\n", x.Lang, where)
	}
}

func (x *explanation) print(out io.Writer) {
	x.printLang(out)
	if len(x.GivenUp) > 0 {
		fmt.Fprintf(out, "the search was given up for %s: their sentences fit in too many ways\n", strings.Join(x.GivenUp, ", "))
	}
	printReadings(out, x.Readings, "")
	if x.More > 0 {
		fmt.Fprintf(out, "\nand %d more readings\n", x.More)
	}
	if x.Ambiguous {
		fmt.Fprintf(out, "\nAMBIGUOUS: what is marked with = is of another skill and ranks as high as the first.\nThe skills' names decide, and nothing in the sentence: let one of the templates say more.\n")
	}
	if x.Guess != nil {
		fmt.Fprintf(out, "\nguessed, with confidence %.2f:\n", x.Guess.Confidence)
		for _, p := range x.Guess.Parts {
			fmt.Fprintf(out, "\n  %q\n", p.Text)
			for _, a := range p.Assumed {
				fmt.Fprintf(out, "      %s: %q taken as %q\n", a.Kind, a.Heard, a.Taken)
			}
			printReadings(out, p.Readings, "  ")
		}
	}
	for _, p := range x.Pieces {
		verb := "is not"
		if p.Understood {
			verb = "is understood"
		}
		fmt.Fprintf(out, "  %q %s\n", p.Text, verb)
	}
	if len(x.Nearest) > 0 {
		fmt.Fprintf(out, "\nlike it, and understood:\n")
		for _, n := range x.Nearest {
			fmt.Fprintf(out, "  %q  %s.%s  %s\n", n.Text, n.Skill, n.Intent, n.Place)
		}
	}
}

// printReadings shows readings; one that means the same as one before is a line
// of that.
func printReadings(out io.Writer, list []reading, indent string) {
	shown := make([]bool, len(list))
	for i, r := range list {
		if shown[i] {
			continue
		}
		mark := " "
		if r.Rival && r.Skill != list[0].Skill {
			mark = "="
		}
		fmt.Fprintf(out, "\n%s%s%d. %s.%s  %s\n", indent, mark, i+1, r.Skill, r.Intent, r.Why)
		fmt.Fprintf(out, "%s    template  %s\n%s              %s %s, %s\n", indent, r.Template, indent, r.Skill, r.Version, r.Place)
		for _, name := range slices.Sorted(maps.Keys(r.Slots)) {
			s := r.Slots[name]
			value, err := json.Marshal(s.Value)
			if err != nil {
				continue // it came as JSON
			}
			fmt.Fprintf(out, "%s    slot      %s = %s", indent, name, value)
			if s.Text != "" {
				fmt.Fprintf(out, "  from %q", s.Text)
			}
			fmt.Fprintln(out)
		}
		s := r.Score
		fmt.Fprintf(out, "%s    score     name letters %d, wildcards %d, literal letters %d, wildcard letters %d\n",
			indent, s.NameLetters, s.Wildcards, s.LiteralLetters, s.WildcardLetters)
		for j := i + 1; j < len(list); j++ {
			if o := list[j]; !shown[j] && o.same(r) {
				shown[j] = true
				fmt.Fprintf(out, "%s    also      %d. %s  %s  %s\n", indent, j+1, o.Template, o.Place, o.Why)
			}
		}
	}
}

// same tells whether two readings would do the same.
func (r *reading) same(o reading) bool {
	return r.Skill == o.Skill && r.Version == o.Version && r.Intent == o.Intent && reflect.DeepEqual(r.Slots, o.Slots)
}
