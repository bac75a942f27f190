package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	calmEvery  = 10 * time.Second
	calmLines  = 20  // of one message in that time
	maxLogText = 256 // bytes of one value: strangers choose some of them
)

// newLogger logs as text, so that whoever knocks at the door a thousand times
// does not fill the disk.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(&calm{
		Handler: slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: clip}),
		shared:  &calmCounts{said: make(map[string]int)},
	})
}

// clip shortens what is too long for a log.
func clip(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindString || len(a.Value.String()) <= maxLogText {
		return a
	}
	text := a.Value.String()[:maxLogText]
	for !utf8.ValidString(text[len(text)-1:]) && len(text) > maxLogText-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return slog.String(a.Key, text+"...")
}

// calm leaves out lines of a message beyond calmLines in calmEvery, and says how
// many those were.
type calm struct {
	slog.Handler

	shared *calmCounts
}

type calmCounts struct {
	mu    sync.Mutex
	since time.Time
	said  map[string]int // lines by message: the messages are constants of the program
}

// Handle implements slog.Handler.
func (c *calm) Handle(ctx context.Context, r slog.Record) error {
	say, missed := c.shared.count(r.Message)
	for message, n := range missed {
		more := slog.NewRecord(r.Time, slog.LevelInfo, "lines were left out", 0)
		more.AddAttrs(slog.String("like", message), slog.Int("count", n))
		if err := c.Handler.Handle(ctx, more); err != nil {
			return err
		}
	}
	if !say {
		return nil
	}
	return c.Handler.Handle(ctx, r)
}

// count tells whether to say a line, and at the end of an interval what was left out.
func (c *calmCounts) count(message string) (say bool, missed map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.since) > calmEvery {
		for m, n := range c.said {
			if n > calmLines {
				if missed == nil {
					missed = make(map[string]int)
				}
				missed[m] = n - calmLines
			}
		}
		clear(c.said)
		c.since = now
	}
	c.said[message]++
	return c.said[message] <= calmLines, missed
}

// WithAttrs implements slog.Handler.
func (c *calm) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &calm{c.Handler.WithAttrs(attrs), c.shared}
}

// WithGroup implements slog.Handler.
func (c *calm) WithGroup(name string) slog.Handler {
	return &calm{c.Handler.WithGroup(name), c.shared}
}
