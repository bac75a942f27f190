package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type usageRow struct {
	Skill       string  `json:"skill,omitempty"`
	Version     string  `json:"version,omitempty"`
	Home        string  `json:"home,omitempty"`
	Invocations int64   `json:"invocations"`
	Errors      int64   `json:"errors"`
	ColdStarts  int64   `json:"cold_starts"`
	WallMS      int64   `json:"wall_ms"`
	CPUMS       float64 `json:"cpu_ms"`
	GBS         float64 `json:"gb_s"`
	CU          float64 `json:"cu"`
}

func (r usageRow) fields() []string {
	float := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return []string{
		r.Skill, r.Version, r.Home, strconv.FormatInt(r.Invocations, 10), strconv.FormatInt(r.Errors, 10),
		strconv.FormatInt(r.ColdStarts, 10), strconv.FormatInt(r.WallMS, 10), float(r.CPUMS), float(r.GBS), float(r.CU),
	}
}

func usageHeader() []string {
	return []string{"skill", "version", "home", "invocations", "errors", "cold_starts", "wall_ms", "cpu_ms", "gb_s", "cu"}
}

func usage() *cobra.Command {
	var by, from, to string
	var asJSON, asCSV bool
	c := &cobra.Command{
		Use: "usage", Short: "What was used, per skill, version or home", Args: cobra.NoArgs,
		Example: "  hark usage --by version --from 24h",
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{"by": {by}}
			for name, text := range map[string]string{"from": from, "to": to} {
				ms, err := moment(text, time.Now())
				if err != nil {
					return fmt.Errorf("--%s: %w", name, err)
				}
				if ms != "" {
					query.Set(name, ms)
				}
			}
			hark, err := newClient()
			if err != nil {
				return err
			}
			rows := []usageRow{}
			if err := hark.call(c.Context(), "GET", "/api/v1/usage?"+query.Encode(), nil, &rows); err != nil {
				return err
			}
			return printUsage(c, rows, asJSON, asCSV)
		},
	}
	c.Flags().StringVar(&by, "by", "skill", "group by skill, version or home")
	c.Flags().StringVar(&from, "from", "", "from this time on: RFC 3339, a day such as 2026-01-31, Unix milliseconds, or an age such as 24h or 7d")
	c.Flags().StringVar(&to, "to", "", "before this time, likewise")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&asCSV, "csv", false, "print CSV")
	c.MarkFlagsMutuallyExclusive("json", "csv")
	return c
}

func printUsage(c *cobra.Command, rows []usageRow, asJSON, asCSV bool) error {
	if asJSON {
		return printJSON(c, rows)
	}
	if asCSV {
		out := csv.NewWriter(c.OutOrStdout())
		lines := [][]string{usageHeader()}
		for _, r := range rows {
			lines = append(lines, r.fields())
		}
		return out.WriteAll(lines)
	}
	out := table(c)
	fmt.Fprintln(out, "WHAT\tCALLS\tERRORS\tCOLD\tWALL ms\tCPU ms\tGB-s\tCU")
	for _, r := range rows {
		what := strings.TrimSpace(strings.Join([]string{r.Skill, r.Version, r.Home}, " "))
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%.1f\t%.3f\t%.6f\n",
			what, r.Invocations, r.Errors, r.ColdStarts, r.WallMS, r.CPUMS, r.GBS, r.CU)
	}
	return out.Flush()
}

// moment reads a time in one of the forms that people type, as Unix milliseconds.
func moment(text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.FormatInt(ms, 10), nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			return strconv.FormatInt(now.AddDate(0, 0, -n).UnixMilli(), 10), nil
		}
	}
	if age, err := time.ParseDuration(text); err == nil {
		return strconv.FormatInt(now.Add(-age).UnixMilli(), 10), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return strconv.FormatInt(t.UnixMilli(), 10), nil
		}
	}
	return "", fmt.Errorf("%q is no time: use RFC 3339, a day such as 2026-01-31, Unix milliseconds, or an age such as 24h or 7d", text)
}

type turnRow struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	PartOf   string    `json:"part_of"`
	Home     string    `json:"home"`
	Device   string    `json:"device"`
	Text     string    `json:"text"`
	Received time.Time `json:"received"`
	Finished time.Time `json:"finished"`
	Intent   *struct {
		Skill      string  `json:"skill"`
		Name       string  `json:"name"`
		Template   string  `json:"template"`
		Confidence float64 `json:"confidence"`
	} `json:"intent"`
	Reply *struct {
		Speech string `json:"speech"`
		Error  *struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	} `json:"reply"`
	Trace []struct {
		Name       string  `json:"name"`
		Micros     float64 `json:"us"`
		Detail     string  `json:"detail"`
		Candidates []struct {
			Skill, Intent, Template, Why string
		} `json:"candidates"`
	} `json:"trace"`
}

// meaning is what the turn was taken for: empty if for nothing, and with how sure
// that was where it was a guess.
func (t *turnRow) meaning() string {
	switch {
	case t.Intent == nil:
		return ""
	case t.Intent.Confidence > 0 && t.Intent.Confidence < 1:
		return fmt.Sprintf("%s.%s (%.2f)", t.Intent.Skill, t.Intent.Name, t.Intent.Confidence)
	}
	return t.Intent.Skill + "." + t.Intent.Name
}

// outcome is ok or the code of the error that the turn ended with.
func (t *turnRow) outcome() string {
	if t.Reply != nil && t.Reply.Error != nil {
		return t.Reply.Error.Code
	}
	return "ok"
}

func trace() *cobra.Command {
	var last int
	var asJSON bool
	c := &cobra.Command{
		Use: "trace [ID]", Short: "Show how a turn went, or the last turns", Args: cobra.MaximumNArgs(1),
		Example: "  hark trace --last 5\n  hark trace " + "abcdefghijklmnopqrstuvwxyz",
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return hark.showTurn(c, "/api/v1/turns/"+url.PathEscape(args[0]), asJSON)
			}
			if last < 1 || last > 1000 {
				return errors.New("--last must be 1 to 1000")
			}
			return hark.showTurns(c, fmt.Sprintf("/api/v1/turns?last=%d", last), asJSON)
		},
	}
	c.Flags().IntVar(&last, "last", 10, "how many turns, newest first")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: the turn, or with --last an array")
	return c
}

func (c *client) showTurn(cmd *cobra.Command, path string, asJSON bool) error {
	if asJSON {
		var turn map[string]any
		if err := c.call(cmd.Context(), "GET", path, nil, &turn); err != nil {
			return err
		}
		return printJSON(cmd, turn)
	}
	var t turnRow
	if err := c.call(cmd.Context(), "GET", path, nil, &t); err != nil {
		return err
	}
	parts, err := c.parts(cmd, &t)
	if err != nil {
		return err
	}
	out := table(cmd)
	fmt.Fprintf(out, "turn\t%s\n%s\t%s\nfrom\t%s/%s\nreceived\t%s\n", t.ID, t.Kind, t.Text, t.Home, t.Device, t.Received.Local().Format("2006-01-02 15:04:05.000 MST"))
	if t.PartOf != "" {
		fmt.Fprintf(out, "part of\t%s\n", t.PartOf)
	}
	if t.Intent != nil {
		fmt.Fprintf(out, "intent\t%s\t%s\n", t.meaning(), t.Intent.Template)
	}
	if t.Reply != nil {
		fmt.Fprintf(out, "answer\t%s\n", t.Reply.Speech)
		if t.Reply.Error != nil {
			fmt.Fprintf(out, "error\t%s: %s\n", t.Reply.Error.Code, t.Reply.Error.Message)
		}
	}
	fmt.Fprintln(out)
	for _, stage := range t.Trace {
		fmt.Fprintf(out, "%s\t%.3f ms\t%s\n", stage.Name, stage.Micros/1000, stage.Detail)
		for _, k := range stage.Candidates {
			fmt.Fprintf(out, "\t\t%s.%s\t%s\t%s\n", k.Skill, k.Intent, k.Template, k.Why)
		}
		if p := parts[stage.Detail]; p != nil && stage.Name == "part" {
			fmt.Fprintf(out, "\t\t%s\t%s\t%q\n", p.meaning(), p.outcome(), p.Text)
		}
	}
	return out.Flush()
}

// parts fetches the turns of the parts of a turn, by their ids. One that is not
// kept any more is left out.
func (c *client) parts(cmd *cobra.Command, t *turnRow) (map[string]*turnRow, error) {
	found := make(map[string]*turnRow)
	for _, stage := range t.Trace {
		if stage.Name != "part" {
			continue
		}
		var p turnRow
		err := c.call(cmd.Context(), "GET", "/api/v1/turns/"+url.PathEscape(stage.Detail), nil, &p)
		if failure, ok := errors.AsType[*refusal](err); ok && failure.status == http.StatusNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[stage.Detail] = &p
	}
	return found, nil
}

func (c *client) showTurns(cmd *cobra.Command, path string, asJSON bool) error {
	if asJSON {
		turns := []map[string]any{}
		if err := c.call(cmd.Context(), "GET", path, nil, &turns); err != nil {
			return err
		}
		return printJSON(cmd, turns)
	}
	var turns []turnRow
	if err := c.call(cmd.Context(), "GET", path, nil, &turns); err != nil {
		return err
	}
	out := table(cmd)
	fmt.Fprintln(out, "TURN\tRECEIVED\tFROM\tSKILL\tMS\tTEXT\tANSWER")
	for _, t := range turns {
		id, skill, answer := t.ID, t.meaning(), ""
		if t.PartOf != "" {
			id = "  " + id // of the turn above it
		}
		if t.Reply != nil {
			answer = t.Reply.Speech
			if t.Reply.Error != nil {
				skill = strings.TrimSpace(skill + " " + t.Reply.Error.Code)
			}
		}
		fmt.Fprintf(out, "%s\t%s\t%s/%s\t%s\t%d\t%s\t%s\n", id, t.Received.Local().Format("01-02 15:04:05.000 MST"), t.Home, t.Device,
			skill, t.Finished.Sub(t.Received).Milliseconds(), t.Text, answer)
	}
	return out.Flush()
}

func schedules() *cobra.Command {
	var homeID string
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List what is scheduled", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			rows := []struct {
				Home   string    `json:"home"`
				Skill  string    `json:"skill"`
				ID     string    `json:"id"`
				Due    time.Time `json:"due"`
				Device string    `json:"device,omitempty"`
				Kind   string    `json:"kind,omitempty"`
			}{}
			if err := hark.call(c.Context(), "GET", "/api/v1/schedules?"+url.Values{"home": {homeID}}.Encode(), nil, &rows); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, rows)
			}
			out := table(c)
			fmt.Fprintln(out, "DUE\tHOME\tDEVICE\tSKILL\tKIND\tID")
			for _, r := range rows {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Due.Local().Format("2006-01-02 15:04:05 MST"), r.Home, r.Device, r.Skill, r.Kind, r.ID)
			}
			return out.Flush()
		},
	}
	list.Flags().StringVar(&homeID, "home", "", "of this home alone")
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return group("schedule", "Timers and other schedules", list)
}
