package skills

import (
	"context"
	"log/slog"
)

// callHandler names a call in the lines of its log. It does so when there is a
// line: to prepare a handler takes as long as the rest of a small call.
type callHandler struct {
	next             slog.Handler
	invocation, turn string
}

func (h *callHandler) named() slog.Handler {
	return h.next.WithAttrs([]slog.Attr{slog.String("invocation", h.invocation), slog.String("turn", h.turn)})
}

func (h *callHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *callHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.named().Handle(ctx, r)
}

func (h *callHandler) WithAttrs(attrs []slog.Attr) slog.Handler { return h.named().WithAttrs(attrs) }

func (h *callHandler) WithGroup(name string) slog.Handler { return h.named().WithGroup(name) }
