package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// plainLog writes records as lines for people: a warning or an error and what it is
// about, without time and level.
type plainLog struct {
	mu    *sync.Mutex
	out   io.Writer
	level slog.Level
	about string // attributes of all records
}

func (h *plainLog) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *plainLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString("sprint: ")
	if r.Level >= slog.LevelWarn && r.Level < slog.LevelError {
		b.WriteString("warning: ")
	}
	b.WriteString(r.Message + h.about)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(attribute(a))
		return true
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := fmt.Fprintln(h.out, strings.ReplaceAll(b.String(), "\n", " "))
	return err
}

// attribute is an attribute in words; an error is the reason and needs no name.
func attribute(a slog.Attr) string {
	switch {
	case a.Equal(slog.Attr{}):
		return ""
	case a.Key == "error":
		return ": " + a.Value.String()
	}
	return fmt.Sprintf(", %s %s", a.Key, a.Value)
}

func (h *plainLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attrs {
		with.about += attribute(a)
	}
	return &with
}

func (h *plainLog) WithGroup(string) slog.Handler { return h }
