package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// Talk says a sentence to Hark over MQTT with a device's login, and returns the
// payload of the reply.
type Talk func(ctx context.Context, login Login, text, lang string) ([]byte, error)

// Login is how a device connects.
type Login struct {
	Home     string `json:"home"`
	Device   string `json:"device"`
	Username string `json:"username"`
	Password string `json:"password"`
	MQTT     string `json:"mqtt,omitempty"` // host:port
}

// Commands returns the commands that talk to a running Hark.
func Commands(talk Talk) []*cobra.Command {
	return []*cobra.Command{device(), home(), entity(), say(talk), skill(), usage(), trace(), schedules()}
}

// group makes a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(commands...)
	return c
}

func printJSON(c *cobra.Command, v any) error {
	out := json.NewEncoder(c.OutOrStdout())
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

func table(c *cobra.Command) *tabwriter.Writer {
	return tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
}

func device() *cobra.Command {
	var body struct {
		Device string `json:"device"`
		Area   string `json:"area,omitempty"`
		Lang   string `json:"lang,omitempty"`
		Rotate bool   `json:"rotate,omitempty"`
	}
	var asJSON bool
	add := &cobra.Command{
		Use: "add HOME DEVICE", Short: "Make a device and show its login, once", Args: cobra.ExactArgs(2),
		Example: "  hark device add demo kitchen-speaker --area kitchen --lang zh-CN",
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			body.Device = args[1]
			var login Login
			if err := hark.call(c.Context(), "POST", "/api/v1/homes/"+url.PathEscape(args[0])+"/devices", body, &login); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, login)
			}
			fmt.Fprintf(c.OutOrStdout(), "username  %s\npassword  %s\n\nThe password is not shown again. `hark device add %s %s --rotate` makes a new one.\n",
				login.Username, login.Password, args[0], args[1])
			return nil
		},
	}
	add.Flags().StringVar(&body.Area, "area", "", "the room that it stands in")
	add.Flags().StringVar(&body.Lang, "lang", "", "its language, such as en or zh-CN (default: the home's)")
	add.Flags().BoolVar(&body.Rotate, "rotate", false, "give a device that exists a new password and end the old one")
	add.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return group("device", "Speakers and sensors", add)
}

type homeRow struct {
	ID      string `json:"id"`
	Zone    string `json:"tz"`
	Lang    string `json:"lang"`
	Devices []struct {
		ID   string `json:"id"`
		Area string `json:"area,omitempty"`
		Lang string `json:"lang,omitempty"`
	} `json:"devices"`
}

func home() *cobra.Command {
	var body struct {
		Zone string `json:"tz,omitempty"`
		Lang string `json:"lang,omitempty"`
	}
	set := &cobra.Command{
		Use: "set HOME", Short: "Set a home's time zone and language; a new home is made", Args: cobra.ExactArgs(1),
		Example: "  hark home set demo --tz Asia/Shanghai --lang zh-CN",
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			var h homeRow
			if err := hark.call(c.Context(), "PUT", "/api/v1/homes/"+url.PathEscape(args[0]), body, &h); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: time zone %s, language %s\n", h.ID, h.Zone, h.Lang)
			return nil
		},
	}
	set.Flags().StringVar(&body.Zone, "tz", "", "IANA time zone, such as Asia/Shanghai")
	set.Flags().StringVar(&body.Lang, "lang", "", "language, such as en or zh-CN")

	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List homes and their devices", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			var homes []homeRow
			if err := hark.call(c.Context(), "GET", "/api/v1/homes", nil, &homes); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c, homes)
			}
			out := table(c)
			fmt.Fprintln(out, "HOME\tDEVICE\tAREA\tLANGUAGE\tTIME ZONE")
			for _, h := range homes {
				fmt.Fprintf(out, "%s\t\t\t%s\t%s\n", h.ID, h.Lang, h.Zone)
				for _, d := range h.Devices {
					fmt.Fprintf(out, "%s\t%s\t%s\t%s\t\n", h.ID, d.ID, d.Area, d.Lang)
				}
			}
			return out.Flush()
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return group("home", "Homes", list, set, homeReadings())
}

func say(talk Talk) *cobra.Command {
	var homeID, deviceID, lang string
	var asJSON bool
	c := &cobra.Command{
		Use: "say TEXT", Short: "Say a sentence as a device would, and print the answer", Args: cobra.MinimumNArgs(1),
		Example: "  hark say \"what time is it\"\n  hark say 现在几点",
		RunE: func(c *cobra.Command, args []string) error {
			hark, err := newClient()
			if err != nil {
				return err
			}
			if err := hark.speaker(c, &homeID, &deviceID); err != nil {
				return err
			}
			var login Login
			path := "/api/v1/homes/" + url.PathEscape(homeID) + "/devices/" + url.PathEscape(deviceID) + "/logins"
			if err := hark.call(c.Context(), "POST", path, nil, &login); err != nil {
				return err
			}
			reply, err := talk(c.Context(), login, strings.Join(args, " "), lang)
			if err != nil {
				return err
			}
			return printReply(c, reply, asJSON)
		},
	}
	c.Flags().StringVar(&homeID, "home", "", "the home to speak in (default: demo, or the only one)")
	c.Flags().StringVar(&deviceID, "device", "", "the device to speak to (default: speaker, or the home's first)")
	c.Flags().StringVar(&lang, "lang", "", "the language of the sentence (default: found out)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the reply as it came")
	return c
}

func printReply(c *cobra.Command, reply []byte, asJSON bool) error {
	var r struct {
		Speech string `json:"speech"`
		Turn   string `json:"turn"`
		Error  *struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(reply, &r); err != nil {
		return fmt.Errorf("the reply cannot be read: %w", err)
	}
	if asJSON {
		fmt.Fprintln(c.OutOrStdout(), string(reply))
		return nil
	}
	if r.Speech != "" {
		fmt.Fprintln(c.OutOrStdout(), r.Speech)
	}
	if r.Error != nil {
		hint := ""
		if r.Turn != "" {
			hint = " (hark trace " + r.Turn + ")"
		}
		return fmt.Errorf("%s: %s%s", r.Error.Code, r.Error.Message, hint)
	}
	return nil
}

// speaker fills in the home and the device to speak to where they are not
// named, and says so where there was a choice.
func (c *client) speaker(cmd *cobra.Command, homeID, deviceID *string) error {
	if *homeID != "" && *deviceID != "" {
		return nil
	}
	var homes []homeRow
	if err := c.call(cmd.Context(), "GET", "/api/v1/homes", nil, &homes); err != nil {
		return err
	}
	i := slices.IndexFunc(homes, func(h homeRow) bool {
		return *homeID == h.ID || *homeID == "" && (h.ID == "demo" || len(homes) == 1)
	})
	if i < 0 && *homeID == "" {
		return errors.New("which home? name it with --home (`hark home list`)")
	}
	if i < 0 {
		return fmt.Errorf("there is no home %s (`hark home list`)", *homeID)
	}
	*homeID = homes[i].ID
	if *deviceID != "" {
		return nil
	}
	if *deviceID = homes[i].speaker(); *deviceID == "" {
		return fmt.Errorf("home %s has no device to speak to: `hark device add %s speaker`", *homeID, *homeID)
	}
	if len(homes[i].Devices) > 1 || len(homes) > 1 {
		fmt.Fprintf(cmd.ErrOrStderr(), "(to %s/%s)\n", *homeID, *deviceID)
	}
	return nil
}

// speaker is the device of that name, else the first; empty: there is none.
func (h *homeRow) speaker() string {
	first := ""
	for _, d := range h.Devices {
		if d.ID == "speaker" || first == "" {
			first = d.ID
		}
	}
	return first
}
