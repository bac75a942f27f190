package runtime_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
	"github.com/hark-voice/hark/functions/runtime"
)

func newLogs(tb testing.TB, dir string, maxBytes int64) *runtime.FileLogs {
	tb.Helper()
	l, err := runtime.NewFileLogs(runtime.FileLogsOptions{Dir: dir, MaxBytes: maxBytes})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

func texts(tb testing.TB, l *runtime.FileLogs, n int) []string {
	tb.Helper()
	lines, err := l.Logs("probe", n)
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for _, line := range lines {
		all = append(all, line.Line)
	}
	return all
}

func TestLogsAreBoundedAndReadable(t *testing.T) {
	const limit = 400_000
	dir := t.TempDir()
	l := newLogs(t, dir, limit)
	if got := texts(t, l, 10); len(got) != 0 {
		t.Errorf("before the first line: %q", got)
	}
	const n = 5000
	for i := range n {
		line := runtime.LogLine{Time: time.UnixMilli(int64(i)), Instance: "probe-1", Line: fmt.Sprintf("%d %s", i, strings.Repeat("<界>", 30))}
		if err := l.Append("probe", []runtime.LogLine{line}); err != nil {
			t.Fatal(err)
		}
	}
	size := int64(0)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if len(files) != 2 || size > limit || size < limit/2 {
		t.Errorf("%d files of %d bytes in all", len(files), size)
	}
	for _, want := range []int{0, 1, 2, 300, 1200} { // the last reaches into the older file
		got := texts(t, l, want)
		if len(got) != want {
			t.Fatalf("asked for %d lines, got %d", want, len(got))
		}
		for i, line := range got {
			if !strings.HasPrefix(line, fmt.Sprintf("%d <界>", n-want+i)) {
				t.Fatalf("line %d of %d: %.20q", i, want, line)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := newLogs(t, dir, limit)
	if err := again.Append("probe", []runtime.LogLine{{Line: "after a restart"}}); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, again, 2); len(got) != 2 || !strings.HasPrefix(got[0], "4999 ") || got[1] != "after a restart" {
		t.Errorf("got %.40q", got)
	}
}

func TestLogsOfABrokenFile(t *testing.T) {
	dir := t.TempDir()
	content := "\n\x00\x00\x00\n" + `{"time":"2026-01-01T00:00:00Z","instance":"a","line":"good"}` + "\n" + `{"time":"2026-01-01T00:0`
	if err := os.WriteFile(filepath.Join(dir, "probe.jsonl"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, newLogs(t, dir, 0), 10); fmt.Sprint(got) != "[good]" {
		t.Errorf("got %q", got)
	}
}

func TestLogsRefuseAPath(t *testing.T) {
	l := newLogs(t, t.TempDir(), 0)
	for _, name := range []string{"", "../probe", "a/b", "."} {
		if err := l.Append(name, nil); err == nil {
			t.Errorf("%q was taken", name)
		}
		if _, err := l.Logs(name, 1); err == nil {
			t.Errorf("%q was read", name)
		}
	}
}

func TestOutputIsCaptured(t *testing.T) {
	logs := newLogs(t, t.TempDir(), 0)
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	d := newDriver(t, runtime.ProcessOptions{Logs: logs, Clock: assistant.NewManualClock(now)})
	i := start(t, d, spec(""))
	mustCall(t, i, "Log", "hello")
	eventually(t, "the line is readable", func() bool { return len(texts(t, logs, 1)) == 1 })
	lines, err := logs.Logs("probe", 1)
	if err != nil {
		t.Fatal(err)
	}
	want := runtime.LogLine{Time: now, Instance: i.ID(), Turn: "turn1", Line: `{"turn":"turn1","msg":"hello"}`}
	if lines[0] != want {
		t.Errorf("got %+v, want %+v", lines[0], want)
	}
}

// An instance that floods is held back; none of its lines is lost, and neither
// it nor another one fails.
func TestFloodOfLines(t *testing.T) {
	logs := newLogs(t, t.TempDir(), 1_000_000)
	d := newDriver(t, runtime.ProcessOptions{Logs: logs})
	i, other := start(t, d, spec("")), start(t, d, spec(""))
	flooded, enough := make(chan error, 1), filepath.Join(t.TempDir(), "enough")
	go func() {
		_, err := call(t.Context(), i, "Flood", enough)
		flooded <- err
	}()
	eventually(t, "lines arrive", func() bool { return len(texts(t, logs, 1)) == 1 })
	for range 50 { // all while it floods
		mustCall(t, other, "Echo", "")
	}
	if len(flooded) > 0 {
		t.Error("it floods no more")
	}
	if err := os.WriteFile(enough, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-flooded; err != nil {
		t.Error(err)
	}
	if err := i.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
