package progress

import (
	"log/slog"
	"testing"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// TestShownLines: what a terminal shows of a log is decided by levels and names
// of facts, never by the words of a message.
func TestShownLines(t *testing.T) {
	record := func(level slog.Level, text string) runs.Event {
		return runs.Event{Type: runs.EventLog, Stage: "s", Level: runs.LevelName(level), Notable: level >= stages.LevelNotable, Message: text}
	}
	fact := func(name string) runs.Event {
		return runs.Event{Type: runs.EventNote, Stage: "s", Note: name, Message: name + ": x"}
	}
	for name, c := range map[string]struct {
		event         runs.Event
		want, verbose string
	}{
		"notable":               {record(stages.LevelNotable, "anything at all"), "s          anything at all", "s          anything at all"},
		"words of a notable":    {record(slog.LevelInfo, "epoch 3, stopped early, saving"), "", "s          epoch 3, stopped early, saving"},
		"warning":               {record(slog.LevelWarn, "rows skipped"), "s          warning: rows skipped", "s          warning: rows skipped"},
		"error, told by state":  {record(slog.LevelError, "it broke"), "", "s          it broke"},
		"shown fact":            {fact("device"), "s          device: x", "s          device: x"},
		"fact on request":       {fact("rows"), "", "s          rows: x"},
		"words of a shown fact": {runs.Event{Type: runs.EventNote, Stage: "s", Note: "rows", Message: "device: x"}, "", "s          device: x"},
	} {
		if got := eventLine(c.event, false); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := eventLine(c.event, true); got != c.verbose {
			t.Errorf("%s, verbose: %q, want %q", name, got, c.verbose)
		}
	}
	if got := runs.LevelName(stages.LevelNotable); got != "INFO" {
		t.Errorf("a notable record is stored as %s", got)
	}
}
