package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// printRoad prints a table for each load. The first two pipelines are the bare ones.
func printRoad(out io.Writer, pipelines []*pipeline, results map[int][][]sample) {
	for _, clients := range loads {
		fmt.Fprintf(out, "\n%d client(s), each waits for its reply and its PUBACK; CPU is for each reply, skills included\n", clients)
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "\treplies/s\tp50 ms\tp99 ms\tPUBACK p99 ms\tx bare unary\tx bare stream\tp99 x unary\tCPU us\tCPU x unary\t")
		rows := results[clients]
		for i, p := range pipelines {
			var replied, acked []time.Duration
			for _, s := range rows[i] {
				replied, acked = append(replied, s.replied...), append(acked, s.acked...)
			}
			fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%.2f\t\n", p.name,
				ratio(rows[i], nil, rate), ms(replied, 50), ms(replied, 99), ms(acked, 99),
				ratio(rows[i], rows[0], rate), ratio(rows[i], rows[1], rate), ratio(rows[i], rows[0], p99),
				ratio(rows[i], nil, cpu), ratio(rows[i], rows[0], cpu))
		}
		_ = t.Flush()
	}
}

func rate(s sample) float64 { return s.rate }
func cpu(s sample) float64  { return s.cpu }
func p99(s sample) float64  { return ms(s.replied, 99) }

// ratio is the median over the rounds of what a pipeline did, relative to the
// base in the same round if there is one.
func ratio(rows, base []sample, of func(sample) float64) float64 {
	var all []float64
	for i, s := range rows {
		v := of(s)
		if base != nil {
			v /= of(base[i])
		}
		all = append(all, v)
	}
	slices.Sort(all)
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// ms is a percentile in milliseconds.
func ms(all []time.Duration, percent int) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[(len(sorted)-1)*percent/100].Microseconds()) / 1000
}

// describeDisk says what a durable write costs in a folder.
func describeDisk(dir string) (string, error) {
	const writes = 50
	f, err := os.Create(filepath.Join(dir, "probe")) //nolint:gosec // in a folder of our own
	if err != nil {
		return "", fmt.Errorf("probe the disk: %w", err)
	}
	defer f.Close()
	took := make([]time.Duration, writes)
	page := make([]byte, 4096)
	for i := range took {
		began := time.Now()
		_, err := f.Write(page)
		if err = errors.Join(err, f.Sync()); err != nil {
			return "", fmt.Errorf("probe the disk: %w", err)
		}
		took[i] = time.Since(began)
	}
	return fmt.Sprintf("data on %s (%s); write and fsync of a page: %.2f ms p50, %.2f ms p99; %d processors",
		dir, fileSystem(dir), ms(took, 50), ms(took, 99), runtime.GOMAXPROCS(0)), nil
}

// fileSystem names the type of the file system that a folder is in.
func fileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "file system unknown"
	}
	name, longest := "file system unknown", -1
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) <= longest {
			continue
		}
		if f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/") {
			name, longest = f[2], len(f[1])
		}
	}
	return name
}
