package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hark-voice/hark/deploy/bench"
	"github.com/spf13/cobra"
)

func benchmark() *cobra.Command {
	var o bench.Options
	var quick bool
	var source string
	c := &cobra.Command{
		Use: "bench [NAME]", Short: "Measure Hark against the least that could do its work", Args: cobra.MaximumNArgs(1),
		Long: "Measure Hark against bare pipelines in the same run:\n  road      MQTT in, skill, MQTT out (the default); takes about a minute\n  readings  of 100 devices, and what is left of them after kill -9\nIt wants the machine for itself.",
		RunE: func(c *cobra.Command, args []string) error {
			measure, name := bench.Road, "road"
			if len(args) == 1 {
				name = args[0]
			}
			switch name {
			case "road":
			case "readings":
				measure = bench.Readings
			default:
				return fmt.Errorf("there is no benchmark %q: there are road and readings", name)
			}
			if o.Rounds < 1 || o.Each < 10*time.Millisecond {
				return errors.New("measure at least one round of 10ms each")
			}
			if quick {
				o.Rounds, o.Each = 1, 500*time.Millisecond
			}
			if source != "" {
				o.Up = []string{"--source", source}
			}
			o.Bare, o.Stream = []string{"bench", "bare-road"}, []string{"--stream"}
			return measure(c.Context(), o, c.OutOrStdout())
		},
	}
	c.Flags().IntVar(&o.Rounds, "rounds", 3, "how often each pipeline is measured, in turns")
	c.Flags().DurationVar(&o.Each, "each", 1500*time.Millisecond, "how long one measurement takes")
	c.Flags().BoolVar(&quick, "quick", false, "one short round: to see that it works, not to compare")
	c.Flags().StringVar(&o.Dir, "dir", "", "folder on the disk to measure with (default: that for temporary files)")
	c.Flags().StringVar(&o.Only, "only", "", "leave out Hark's roads whose names do not contain this")
	c.Flags().StringVar(&source, "source", "", "Hark's own source, as for 'hark up'")
	c.AddCommand(bareRoad(), bareSkill())
	return c
}

// bareRoad and bareSkill are the processes of a bare pipeline.
func bareRoad() *cobra.Command {
	var stream bool
	c := &cobra.Command{
		Use: "bare-road", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			return bench.ServeBare(c.Context(), stream, []string{self, "bench", "bare-skill"}, c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&stream, "stream", false, "call the skill on a stream")
	return c
}

func bareSkill() *cobra.Command {
	return &cobra.Command{
		Use: "bare-skill SOCKET", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return bench.ServeEcho(c.Context(), args[0]) },
	}
}
