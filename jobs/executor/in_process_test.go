package executor

import (
	"log/slog"
	"testing"
)

// logged keeps the last line of a log.
type logged struct {
	Sink
	line string
}

func (l *logged) Log(_ slog.Level, line string) { l.line = line }

// TestListsInLogs: where one text of a list ends and the next begins is seen.
func TestListsInLogs(t *testing.T) {
	var l logged
	slog.New(&sinkHandler{sink: &l}).Warn("alike", "rows", 2, "titles", []string{"Lift is broken", "Lift 2 ist wieder größer"})
	if want := `alike rows=2 titles="Lift is broken", "Lift 2 ist wieder größer"`; l.line != want {
		t.Errorf("got %s, want %s", l.line, want)
	}
}
