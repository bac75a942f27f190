package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options say how to measure.
type Options struct {
	// Rounds is how often everything is measured, in turns; Each is how long.
	Rounds int
	Each   time.Duration
	// Dir is where the data folder is made: its file system is what the durable
	// road waits for. Empty: the system's folder for temporary files.
	Dir string
	// Bare are the arguments with which this program is a bare pipeline, Stream
	// what to add for the one that streams; Up is added to those of `hark up`.
	Bare, Stream, Up []string
	// Only, if not empty, leaves out Hark's roads whose names do not contain it: to
	// look at one with a profiler.
	Only string
}

// Clients of the two halves of the measurement.
var loads = []int{1, 50} //nolint:gochecknoglobals // a constant

// pipeline is a way from an utterance to its reply.
type pipeline struct {
	name      string
	sentences []string // said in turns
	devices   []*device
	pid       int // of the process that is measured
}

const (
	effectFree = "answer me"
	stateful   = "count me"
)

// Road measures Hark's durable road beside the bare pipelines and prints what it
// found. An error is returned also where a reply is missing from the store.
func Road(ctx context.Context, o Options, out io.Writer) error {
	dir, err := os.MkdirTemp(o.Dir, "hark-bench-")
	if err != nil {
		return fmt.Errorf("make a data folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("make a data folder: %w", err)
	}
	disk, err := describeDisk(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, disk)
	h, err := startHark(ctx, dir, o.Up, out)
	if err != nil {
		return err
	}
	defer h.stop()
	all, err := o.bare(ctx)
	defer all.stop()
	if err != nil {
		return err
	}
	roads, err := harkRoads(ctx, h)
	if err != nil {
		return err
	}
	roads = slices.DeleteFunc(roads, func(p *pipeline) bool { return !strings.Contains(p.name, o.Only) })
	all.pipelines = append(all.pipelines, roads...)

	fmt.Fprintf(out, "measuring %d pipelines at %d and %d clients, %d times %s each\n", len(all.pipelines), loads[0], loads[1], o.Rounds, o.Each)
	results, err := o.measure(ctx, all.pipelines)
	if err != nil {
		return err
	}
	printRoad(out, all.pipelines, results)
	return checkStored(ctx, h, roads, out)
}

// bareSet is the bare pipelines with their processes.
type bareSet struct {
	children  []*child
	pipelines []*pipeline
}

func (s *bareSet) stop() {
	for _, p := range s.pipelines {
		p.close()
	}
	for _, c := range s.children {
		c.stop()
	}
}

func (o *Options) bare(ctx context.Context) (*bareSet, error) {
	set := &bareSet{}
	for _, b := range []struct {
		name string
		args []string
	}{
		{"bare unary", o.Bare},
		{"bare stream", append(append([]string{}, o.Bare...), o.Stream...)},
	} {
		c, err := startChild(ctx, b.args...)
		if err != nil {
			return set, err
		}
		set.children = append(set.children, c)
		p := &pipeline{name: b.name, sentences: []string{effectFree}}
		set.pipelines = append(set.pipelines, p)
		for i := range loads[len(loads)-1] {
			home := fmt.Sprintf("bench%02d", i)
			if err := p.add(ctx, c, login{Home: home, Device: "speaker", Username: home + "/speaker", Password: "-"}); err != nil {
				return set, err
			}
		}
	}
	return set, nil
}

// harkRoads are the sentences that Hark is measured with. The devices are in
// homes of their own; those of the last are in one.
func harkRoads(ctx context.Context, h *hark) ([]*pipeline, error) {
	roads := []*pipeline{
		{name: "hark, effect-free", sentences: []string{effectFree}},
		{name: "hark, stateful", sentences: []string{stateful}},
		{name: "hark, 50:50 mix", sentences: []string{effectFree, stateful}},
		{name: "hark, mix in one home", sentences: []string{effectFree, stateful}},
	}
	for k, p := range roads {
		for i := range loads[len(loads)-1] {
			home := fmt.Sprintf("bench%02d", i)
			if k == len(roads)-1 {
				home = "crowd"
			}
			l, err := h.addDevice(ctx, home, fmt.Sprintf("speaker%d-%d", k, i))
			if err != nil {
				return nil, err
			}
			if err := p.add(ctx, h.child, l); err != nil {
				return nil, err
			}
		}
	}
	return roads, nil
}

func (p *pipeline) add(ctx context.Context, c *child, l login) error {
	d, err := dial(ctx, c.address["mqtt"], strings.ToLower(rand.Text()[:8]), l)
	if err != nil {
		return err
	}
	p.devices, p.pid = append(p.devices, d), c.cmd.Process.Pid
	return nil
}

// sample is one measurement.
type sample struct {
	rate           float64 // replies a second
	cpu            float64 // microseconds of processor for each reply, skills included
	replied, acked []time.Duration
}

// measure takes rounds of all pipelines in turns, so that what the machine does
// besides is shared by all. The result is by load, pipeline and round.
func (o *Options) measure(ctx context.Context, pipelines []*pipeline) (map[int][][]sample, error) {
	results := make(map[int][][]sample)
	for _, clients := range loads {
		results[clients] = make([][]sample, len(pipelines))
	}
	for round := -1; round < o.Rounds; round++ {
		for _, clients := range loads {
			for i, p := range pipelines {
				each := o.Each
				if round < 0 {
					each /= 5 // to warm up
				}
				s, err := p.load(ctx, clients, each)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", p.name, err)
				}
				if round >= 0 {
					results[clients][i] = append(results[clients][i], s)
				}
			}
		}
	}
	return results, nil
}

// load lets the first devices ask, one sentence after the other.
func (p *pipeline) load(ctx context.Context, clients int, each time.Duration) (sample, error) {
	group, ctx := errgroup.WithContext(ctx)
	parts := make([]sample, clients)
	used, began := cpuTime(p.pid), time.Now()
	for c, d := range p.devices[:clients] {
		group.Go(func() error {
			for i := c; ctx.Err() == nil && (i == c || time.Since(began) < each); i++ {
				replied, acked, err := d.ask(p.sentences[i%len(p.sentences)])
				if err != nil {
					return err
				}
				parts[c].replied = append(parts[c].replied, replied)
				parts[c].acked = append(parts[c].acked, acked)
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	took, used := time.Since(began), cpuTime(p.pid)-used
	var all sample
	for _, part := range parts {
		all.replied = append(all.replied, part.replied...)
		all.acked = append(all.acked, part.acked...)
	}
	all.rate = float64(len(all.replied)) / took.Seconds()
	all.cpu = float64(used.Microseconds()) / float64(len(all.replied))
	return all, nil
}

// checkStored compares the replies with what Hark has stored.
func checkStored(ctx context.Context, h *hark, roads []*pipeline, out io.Writer) error {
	replies := 0
	for _, p := range roads {
		for _, d := range p.devices {
			replies += d.n
		}
	}
	stored, err := h.invocations(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nHark replied %d times and has stored %d invocations\n", replies, stored)
	if stored != replies {
		return fmt.Errorf("%d replies, but %d invocations in the store", replies, stored)
	}
	return nil
}
