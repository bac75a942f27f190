package runtime

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hark-voice/hark/functions/assistant"
)

const (
	maxLine      = 8 << 10     // a longer line is broken
	captureBurst = 1 << 20     // bytes that an instance may write without being held back
	captureRate  = 256 << 10   // bytes per second after that
	lingerTime   = time.Second // for output that is still on its way when the process has ended
)

// LogLine is one line that an instance wrote.
type LogLine struct {
	Time     time.Time `json:"time"`
	Instance string    `json:"instance"`
	Turn     string    `json:"turn,omitempty"` // where the line is JSON and names one
	Line     string    `json:"line"`
}

// LogSink takes the lines of a skill's instances, in order for each instance. It
// may block, which holds back the instance that writes, and must not keep lines.
type LogSink interface {
	Append(skill string, lines []LogLine) error
}

type captureOptions struct {
	skill, instance string
	sink            LogSink
	clock           assistant.Clock
	logger          *slog.Logger
}

// capture reads what a process writes. One that floods is held back: its writes
// block, and nobody else pays for it.
type capture struct {
	captureOptions
	pipe *os.File
	done chan struct{} // closed when all has been read
	stop chan struct{} // closed when the process has ended

	mu   sync.Mutex
	last obituary
}

func newCapture(pipe *os.File, opts captureOptions) *capture {
	return &capture{captureOptions: opts, pipe: pipe, done: make(chan struct{}), stop: make(chan struct{})}
}

// run reads until the pipe ends or finish ends it.
func (c *capture) run() {
	defer close(c.done)
	defer c.pipe.Close()
	budget := tokenBucket{tokens: captureBurst, last: time.Now()}
	buf := make([]byte, 0, 4*maxLine)
	complained := false
	for {
		n, err := c.pipe.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		rest, lines := c.split(buf, err != nil)
		buf = buf[:copy(buf[:cap(buf)], rest)]
		if sinkErr := c.keep(lines); sinkErr != nil && !complained {
			complained = true // once: the disk may stay full for long
			c.logger.Warn("log lines of a skill are lost", "skill", c.skill, "instance", c.instance, "err", sinkErr)
		}
		if err != nil {
			return
		}
		c.holdBack(budget.take(n, time.Now()))
	}
}

// split cuts buf into lines; the rest is a line without its end.
func (c *capture) split(buf []byte, all bool) (rest []byte, lines []LogLine) {
	now := c.clock.Now()
	for len(buf) > 0 {
		end := bytes.IndexByte(buf[:min(len(buf), maxLine)], '\n')
		next := end + 1
		if end < 0 {
			if len(buf) < maxLine && !all {
				break
			}
			end = min(len(buf), maxLine)
			next = end
		}
		line := strings.ToValidUTF8(strings.TrimRight(string(buf[:end]), "\r"), "\uFFFD")
		buf = buf[next:]
		lines = append(lines, LogLine{Time: now, Instance: c.instance, Turn: turnOf(line), Line: line})
	}
	return buf, lines
}

// turnOf finds the turn that a structured line names.
func turnOf(line string) string {
	if !strings.HasPrefix(line, "{") || !strings.Contains(line, `"turn"`) {
		return ""
	}
	var fields struct {
		Turn string `json:"turn"`
	}
	if json.Unmarshal([]byte(line), &fields) != nil || len(fields.Turn) > assistant.MaxMessageIDLength {
		return ""
	}
	return fields.Turn
}

func (c *capture) keep(lines []LogLine) error {
	if len(lines) == 0 {
		return nil
	}
	c.mu.Lock()
	for _, line := range lines {
		c.last.add(line.Line)
	}
	c.mu.Unlock()
	if c.sink == nil {
		return nil
	}
	return c.sink.Append(c.skill, lines)
}

func (c *capture) holdBack(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stop:
	}
}

// finish reads what is left. A descendant that escaped the group may hold the
// pipe open for ever, hence the time limit.
func (c *capture) finish() {
	close(c.stop)
	_ = c.pipe.SetReadDeadline(time.Now().Add(lingerTime))
	<-c.done
}

// tail returns the lines that explain best why the process ended.
func (c *capture) tail() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.last.lines)
}

// tokenBucket counts bytes that may pass.
type tokenBucket struct {
	tokens float64
	last   time.Time
}

// take removes n tokens and returns how long to wait until there are any.
func (b *tokenBucket) take(n int, now time.Time) time.Duration {
	b.tokens = min(captureBurst, b.tokens+now.Sub(b.last).Seconds()*captureRate) - float64(n)
	b.last = now
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / captureRate * float64(time.Second))
}
