package executor

import (
	"context"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// The limits of a job, by the words that config, plans, messages and records use. Run is
// the stage's timeout. What the place ends by a limit of its own is LimitPlace.
const (
	LimitQueue = "queue"
	LimitStart = "start"
	LimitRun   = "run"
	LimitGrace = "grace"
	LimitPlace = "place"
)

// NoteEndedBy names the limit that ended an attempt.
const NoteEndedBy = "ended_by"

// Limits by default; a run has none. A queue may be long; a start fetches a program, an
// encoder and a plugin; a checkpoint of a large model takes a while to store.
const (
	DefaultQueue = 24 * time.Hour
	DefaultStart = 15 * time.Minute
	DefaultGrace = 2 * time.Minute
)

// Limits are the times after which a job is ended; zero is no limit.
type Limits struct {
	Queue time.Duration // from submit until a machine is given
	Start time.Duration // from then until the worker's first word
	Run   time.Duration // from then until it ends; the stage's timeout
	Grace time.Duration // from the request to end until it is ended
}

// Longest is how long a job may be at work, from when it has a machine; otherwise is that of one
// without a timeout.
func (l Limits) Longest(otherwise time.Duration) time.Duration {
	if l.Run == 0 {
		return otherwise
	}
	return l.Start + l.Run + l.Grace
}

// Ran is the failure of a stage whose timeout is over.
func Ran(stage string, limit time.Duration) error {
	return stages.Fail(stages.CodeStage, "raise `timeout` of the stage; it continues from its checkpoint if it made one", "stage %s ran for longer than its timeout (limit run: %s)", stage, Span(limit))
}

// Span writes a time as configs do: 2h, 1h30m, 90s.
func Span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Pause waits, or returns the cause for which ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
