package executor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// notes collects the facts that an attempt notes.
type notes struct {
	sink  Sink
	mu    sync.Mutex
	notes map[string]any
}

func (n *notes) note(name string, value any) {
	n.mu.Lock()
	n.notes[name] = value
	n.mu.Unlock()
	n.sink.Note(name, value)
}

func (n *notes) all() map[string]any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.notes
}

// sinkHandler sends a stage's log lines to its sink.
type sinkHandler struct {
	sink  Sink
	attrs []slog.Attr
}

func (h *sinkHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *sinkHandler) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	add := func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	h.sink.Log(r.Level, line)
	return nil
}

func (h *sinkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sinkHandler{sink: h.sink, attrs: append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *sinkHandler) WithGroup(string) slog.Handler { return h }
