package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type entityRow struct {
	ID      string         `json:"id"`
	Domain  string         `json:"domain"`
	Name    string         `json:"name,omitempty"`
	Area    string         `json:"area,omitempty"`
	Device  string         `json:"device,omitempty"`
	State   map[string]any `json:"state,omitempty"`
	Updated time.Time      `json:"updated,omitzero"`
}

func entity() *cobra.Command {
	var e entityRow
	var asJSON bool
	add := &cobra.Command{
		Use: "add HOME ID --name NAME", Short: "Make or change something that can be named and acted on", Args: cobra.ExactArgs(2),
		Example: "  hark entity add demo light.desk --name \"desk lamp\" --area study --device lamp",
		RunE: func(c *cobra.Command, args []string) error {
			e.ID = args[1]
			if e.Domain == "" {
				domain, name, _ := strings.Cut(e.ID, ".")
				if domain == "" || name == "" {
					return fmt.Errorf("%q does not say what it is: use DOMAIN.NAME, such as light.%s", e.ID, cmp.Or(strings.Trim(e.ID, "."), "desk"))
				}
				e.Domain = domain
			}
			hark, err := newClient()
			if err != nil {
				return err
			}
			if err := hark.call(c.Context(), "POST", entities(args[0]), e, nil); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is %q in home %s\n", e.ID, e.Name, args[0])
			return nil
		},
	}
	add.Flags().StringVar(&e.Name, "name", "", "what people call it")
	add.Flags().StringVar(&e.Area, "area", "", "the room that it is in")
	add.Flags().StringVar(&e.Device, "device", "", "the device that gets its commands")
	add.Flags().StringVar(&e.Domain, "domain", "", "light, switch, sensor... (default: what stands before the dot of ID)")
	_ = add.MarkFlagRequired("name") // fails only for a flag that is not there

	list := &cobra.Command{
		Use: "list HOME", Short: "List what is in a home, with its state", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			rows := []entityRow{}
			if err := hark.call(c.Context(), "GET", entities(args[0]), nil, &rows); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, rows)
			}
			out := table(c)
			fmt.Fprintln(out, "ID\tNAME\tAREA\tDEVICE\tSTATE")
			for _, r := range rows {
				state, err := json.Marshal(r.State)
				if err != nil || r.State == nil {
					state = nil
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Area, r.Device, state)
			}
			return out.Flush()
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return group("entity", "Lights, sensors and other things in homes", add, list)
}

func entities(home string) string { return "/api/v1/homes/" + url.PathEscape(home) + "/entities" }

func homeReadings() *cobra.Command {
	var device string
	var limit int
	var count, asJSON bool
	c := &cobra.Command{
		Use: "readings HOME", Short: "Show what the sensors of a home measured, newest first", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			base := "/api/v1/homes/" + url.PathEscape(args[0]) + "/readings"
			if count {
				var n struct {
					Count int64 `json:"count"`
				}
				if err := hark.call(c.Context(), "GET", base+"/count", nil, &n); err != nil {
					return err
				}
				if asJSON {
					return printJSON(c, n)
				}
				fmt.Fprintln(c.OutOrStdout(), n.Count)
				return nil
			}
			rows := []struct {
				Device string             `json:"device"`
				At     time.Time          `json:"at"`
				Values map[string]float64 `json:"values"`
			}{}
			query := url.Values{"device": {device}, "limit": {fmt.Sprint(limit)}}
			if err := hark.call(c.Context(), "GET", base+"?"+query.Encode(), nil, &rows); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, rows)
			}
			out := table(c)
			fmt.Fprintln(out, "AT\tDEVICE\tVALUES")
			for _, r := range rows {
				values, err := json.Marshal(r.Values)
				if err != nil {
					return err
				}
				fmt.Fprintf(out, "%s\t%s\t%s\n", r.At.Local().Format("2006-01-02 15:04:05.000 MST"), r.Device, values)
			}
			return out.Flush()
		},
	}
	c.Flags().BoolVar(&count, "count", false, "how many there are")
	c.Flags().StringVar(&device, "device", "", "of this device alone")
	c.Flags().IntVarP(&limit, "limit", "n", 20, "how many of the newest")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
