package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is what a process and those that it started have used so far; 0 where
// the system does not tell. On a machine that others use too, it says more than
// the clock.
func cpuTime(pid int) time.Duration {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	used := make(map[int]time.Duration, len(stats))
	parent := make(map[int]int, len(stats))
	for _, path := range stats {
		raw, err := os.ReadFile(path) //nolint:gosec // of the kernel
		if err != nil {
			continue // it has just ended
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		// The second field is a name, in parentheses, that may hold anything.
		_, rest, _ := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')')+1:]), " ")
		f := strings.Fields(rest)
		if len(f) < 13 {
			continue
		}
		parent[id] = int(number(f[1]))
		used[id] = ticks(f[11]) + ticks(f[12]) // user and system
	}
	var sum time.Duration
	for id, t := range used {
		for up := id; up > 1; up = parent[up] {
			if up == pid {
				sum += t
				break
			}
		}
	}
	return sum
}

// ticks are hundredths of a second on every Linux.
func ticks(s string) time.Duration { return time.Duration(number(s)) * 10 * time.Millisecond }

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
