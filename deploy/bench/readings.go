package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	sensors    = 100
	sensorHome = "greenhouse"
)

// Readings measures how many readings of 100 devices Hark makes durable and
// acknowledges, beside a bare broker that stores nothing. Then it kills Hark under
// load, starts it again and counts: an error is returned where an acknowledged
// reading is missing.
func Readings(ctx context.Context, o Options, out io.Writer) error {
	dir, err := os.MkdirTemp(o.Dir, "hark-bench-")
	if err != nil {
		return fmt.Errorf("make a data folder: %w", err)
	}
	defer os.RemoveAll(dir)
	disk, err := describeDisk(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, disk)
	data := filepath.Join(dir, "data")
	h, err := openHark(ctx, data, o.Up)
	if err != nil {
		return err
	}
	defer func() { h.stop() }()
	bare, err := startChild(ctx, o.Bare...)
	if err != nil {
		return err
	}
	defer bare.stop()

	stored, err := o.sensorHouse(ctx, h)
	if err != nil {
		return err
	}
	defer stored.close()
	unstored := &pipeline{name: "bare broker", pid: bare.cmd.Process.Pid}
	defer unstored.close()
	for i := range sensors {
		name := fmt.Sprintf("%s/sensor%d", sensorHome, i)
		if err := unstored.add(ctx, bare, login{Home: sensorHome, Device: fmt.Sprintf("sensor%d", i), Username: name, Password: "-"}); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "measuring readings of %d devices, %d times %s each\n", sensors, o.Rounds, o.Each)
	if err := o.measureReadings(ctx, out, unstored, stored); err != nil {
		return err
	}
	acked := stored.killed(ctx, o.Each, h.child)
	if h, err = reopen(ctx, h, data, o.Up); err != nil {
		return err
	}
	count, err := h.readings(ctx, sensorHome)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nkill -9 under load: %d readings were acknowledged, %d are in the store after the next start\n", acked, count)
	if count < acked || count > acked+sensors {
		return fmt.Errorf("%d readings acknowledged, %d stored: those between are at most the %d under way", acked, count, sensors)
	}
	return nil
}

// reopen starts a Hark again that was killed. The old one is returned with an error.
func reopen(ctx context.Context, h *hark, data string, args []string) (*hark, error) {
	again, err := openHark(ctx, data, args)
	if err != nil {
		return h, err
	}
	return again, nil
}

// sensorHouse connects the devices to Hark.
func (o *Options) sensorHouse(ctx context.Context, h *hark) (*pipeline, error) {
	p := &pipeline{name: "hark", pid: h.cmd.Process.Pid}
	for i := range sensors {
		l, err := h.addDevice(ctx, sensorHome, fmt.Sprintf("sensor%d", i))
		if err != nil {
			return p, err
		}
		if err := p.add(ctx, h.child, l); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (o *Options) measureReadings(ctx context.Context, out io.Writer, pipelines ...*pipeline) error {
	rows := make([][]sample, len(pipelines))
	for round := -1; round < o.Rounds; round++ {
		for i, p := range pipelines {
			s, err := p.tellFor(ctx, o.Each)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if round >= 0 { // the first is to warm up
				rows[i] = append(rows[i], s)
			}
		}
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\treadings/s\tPUBACK p50 ms\tp99 ms\tx bare\tCPU us\t")
	for i, p := range pipelines {
		var acked []time.Duration
		for _, s := range rows[i] {
			acked = append(acked, s.acked...)
		}
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.0f\t\n", p.name,
			ratio(rows[i], nil, rate), ms(acked, 50), ms(acked, 99), ratio(rows[i], rows[0], rate), ratio(rows[i], nil, cpu))
	}
	return t.Flush()
}

// tellFor lets all devices publish, one reading after the other.
func (p *pipeline) tellFor(ctx context.Context, each time.Duration) (sample, error) {
	group, ctx := errgroup.WithContext(ctx)
	parts := make([][]time.Duration, len(p.devices))
	used, began := cpuTime(p.pid), time.Now()
	for i, d := range p.devices {
		group.Go(func() error {
			for ctx.Err() == nil && time.Since(began) < each {
				acked, err := d.tell()
				if err != nil {
					return err
				}
				parts[i] = append(parts[i], acked)
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return sample{}, err
	}
	took, used := time.Since(began), cpuTime(p.pid)-used
	var all sample
	for i, part := range parts {
		all.acked = append(all.acked, part...)
		p.devices[i].acked += len(part)
	}
	all.rate = float64(len(all.acked)) / took.Seconds()
	all.cpu = float64(used.Microseconds()) / float64(len(all.acked))
	return all, nil
}

// killed kills the process while all devices publish, and returns how many
// readings were acknowledged so far.
func (p *pipeline) killed(ctx context.Context, after time.Duration, c *child) (acked int) {
	var group errgroup.Group
	for _, d := range p.devices {
		group.Go(func() error {
			for ctx.Err() == nil {
				if _, err := d.tell(); err != nil {
					return nil //nolint:nilerr // that is the end that was meant
				}
				d.acked++
			}
			return nil
		})
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	c.kill()
	_ = group.Wait()
	for _, d := range p.devices {
		acked += d.acked
	}
	return acked
}

func (p *pipeline) close() {
	for _, d := range p.devices {
		d.close()
	}
}
