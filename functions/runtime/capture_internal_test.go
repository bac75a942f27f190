package runtime

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hark-voice/hark/functions/assistant"
)

type sink struct{ lines []LogLine }

func (s *sink) Append(_ string, lines []LogLine) error {
	s.lines = append(s.lines, lines...)
	return nil
}

// captured returns what a capture makes of output that is written in two parts.
func captured(t *testing.T, first, second string) (*capture, []LogLine) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	c := newCapture(read, captureOptions{skill: "probe", instance: "i", sink: s, clock: assistant.SystemClock{}})
	go c.run()
	for _, part := range []string{first, second} {
		if _, err := write.WriteString(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	<-c.done
	return c, s.lines
}

func TestCaptureLines(t *testing.T) {
	long := strings.Repeat("z", maxLine)
	for name, c := range map[string]struct {
		first, second string
		want          []string
	}{
		"nothing":          {"", "", nil},
		"two lines":        {"a\nb\n", "", []string{"a", "b"}},
		"in parts":         {"a\nb", "c\nd\n", []string{"a", "bc", "d"}},
		"without end":      {"a", "", []string{"a"}},
		"windows":          {"a\r\nb\r\n", "", []string{"a", "b"}},
		"empty lines":      {"\n\n", "", []string{"", ""}},
		"not utf-8":        {"a\xffb\n", "", []string{"a\uFFFDb"}},
		"too long":         {long + "rest\n", "next\n", []string{long, "rest", "next"}},
		"too long, no end": {long, long, []string{long, long}},
	} {
		_, lines := captured(t, c.first, c.second)
		var got []string
		for _, l := range lines {
			got = append(got, l.Line)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %.80q, want %.80q", name, got, c.want)
		}
	}
}

func FuzzCapture(f *testing.F) {
	f.Add("a\nb", "c\n")
	f.Add(`{"turn":"t1"}`+"\n", "\xff")
	f.Fuzz(func(t *testing.T, first, second string) {
		if len(first)+len(second) > 60_000 { // more than fits in a pipe would only wait
			return
		}
		_, lines := captured(t, first, second)
		size := 0
		for _, l := range lines {
			if !utf8.ValidString(l.Line) || strings.Contains(l.Line, "\n") || len(l.Line) > 3*maxLine {
				t.Errorf("line %q", l.Line)
			}
			size += len(l.Line)
		}
		if !utf8.ValidString(first + second) {
			return // a run of bytes that are none becomes one character
		}
		if least := len(strings.NewReplacer("\r", "", "\n", "").Replace(first + second)); size < least {
			t.Errorf("%d bytes of %d were captured", size, least)
		}
	})
}

func TestTurnOf(t *testing.T) {
	for line, want := range map[string]string{
		`{"turn":"t1","msg":"x"}`: "t1",
		`{"turn":1}`:              "",
		`{"turn":"t1"`:            "",
		`turn "turn" t1`:          "",
		`{"turn":"` + strings.Repeat("t", 65) + `"}`: "",
	} {
		if got := turnOf(line); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestObituary(t *testing.T) {
	numbered := func(n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprint("line ", i))
		}
		return lines
	}
	for name, c := range map[string]struct {
		lines       []string
		first, last string
		n           int
	}{
		"few":           {numbered(3), "line 0", "line 2", 3},
		"the last":      {numbered(50), "line 30", "line 49", 20},
		"a panic":       {append([]string{"start", "panic: no city", ""}, numbered(50)...), "panic: no city", "line 18", 20},
		"a later panic": {append(append([]string{"panic: recovered"}, numbered(9)...), "fatal error: out of memory"), "fatal error: out of memory", "fatal error: out of memory", 1},
		"long ago":      {append([]string{"panic: recovered"}, numbered(traceLines+50)...), "line 5030", "line 5049", 20},
		"a long line":   {[]string{strings.Repeat("界", 1000)}, strings.Repeat("界", 133) + "...", strings.Repeat("界", 133) + "...", 1},
	} {
		var o obituary
		for _, line := range c.lines {
			o.add(line)
		}
		if len(o.lines) != c.n || o.lines[0] != c.first || o.lines[len(o.lines)-1] != c.last {
			t.Errorf("%s: got %d lines: %q", name, len(o.lines), o.lines)
		}
	}
}

func TestTokenBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	b := tokenBucket{tokens: captureBurst, last: now}
	if d := b.take(captureBurst, now); d != 0 {
		t.Errorf("a burst is held back for %v", d)
	}
	if d := b.take(captureRate/2, now); d != 500*time.Millisecond {
		t.Errorf("half a second's worth of bytes is held back for %v", d)
	}
	if d := b.take(0, now.Add(500*time.Millisecond)); d != 0 {
		t.Errorf("after the wait it is held back for %v", d)
	}
	if d := b.take(captureBurst, now.Add(time.Hour)); d != 0 {
		t.Errorf("after a rest a burst is held back for %v", d)
	}
}
