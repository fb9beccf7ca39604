package progress

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/estimate"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// The levels of log records that are shown in another way, as events name them.
// The error that ends an attempt is shown with its state.
var warnLevel, errorLevel = slog.LevelWarn.String(), slog.LevelError.String()

// shownNotes are the facts that are shown to everybody who watches.
var shownNotes = []string{"device", "fetch", "estimate", "resumed"}

// eventLine is the line of an event, empty for those that are not shown.
func eventLine(e runs.Event, verbose bool) string {
	switch e.Type {
	case runs.EventState:
		switch *e.State {
		case runs.Pending, runs.Skipped:
			return ""
		case runs.Running, runs.Waiting, runs.Cached:
			return fmt.Sprintf("%-10s %s: %s", e.Stage, e.State, e.Reason)
		case runs.Succeeded:
			return fmt.Sprintf("%-10s succeeded in %.1f s", e.Stage, e.Seconds)
		case runs.Lost:
			if e.Wait > 0 {
				return fmt.Sprintf("%-10s %s: %s", e.Stage, e.Reason, e.Message)
			}
		}
		if strings.HasPrefix(e.Message, e.State.String()) {
			return fmt.Sprintf("%-10s %s", e.Stage, e.Message)
		}
		return fmt.Sprintf("%-10s %s: %s", e.Stage, e.State, e.Message)
	case runs.EventStop:
		return e.Message + "; what runs makes its checkpoint first, two signals in all end it at once"
	case runs.EventNote:
		if verbose || slices.Contains(shownNotes, e.Note) {
			return fmt.Sprintf("%-10s %s", e.Stage, e.Message)
		}
	case runs.EventLog:
		if verbose || e.Notable && e.Level != errorLevel {
			level := ""
			if e.Level == warnLevel {
				level = "warning: "
			}
			return fmt.Sprintf("%-10s %s%s", e.Stage, level, e.Message)
		}
	}
	return ""
}

// progressText puts a report into one short line.
func progressText(p stages.Progress) string {
	var parts []string
	done := ""
	switch {
	case p.Unit == "bytes" && p.Total > 0:
		done = fmt.Sprintf("%.0f of %.0f MB", float64(p.Done)/1e6, float64(p.Total)/1e6)
	case p.Unit == "bytes":
		done = fmt.Sprintf("%.0f MB", float64(p.Done)/1e6)
	case p.Unit == "steps" && p.Total > 0:
		done = fmt.Sprintf("step %d of %d", p.Done, p.Total)
	case p.Total > 0:
		done = fmt.Sprintf("%d of %d %s", p.Done, p.Total, p.Unit)
	case p.Done > 0:
		done = fmt.Sprintf("%d %s", p.Done, p.Unit)
	}
	switch {
	case p.Text == "" || done == "":
		parts = append(parts, p.Text+done)
	case p.Unit == "bytes" || p.Unit == "programs": // the text is what is done to them
		parts = append(parts, p.Text+" "+done)
	default:
		parts = append(parts, p.Text, done)
	}
	if p.Rate > 0 {
		parts = append(parts, fmt.Sprintf("%.1f rows/s", p.Rate))
	}
	if p.Loss != 0 {
		parts = append(parts, fmt.Sprintf("loss %.4f", p.Loss))
	}
	if p.Left > 0 {
		parts = append(parts, estimate.About(p.Left)+" left")
	}
	return strings.Join(parts, ", ")
}
