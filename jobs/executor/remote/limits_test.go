package remote

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// TestLimits: each part of a job has its limit, which its message and its hint name by the
// word that the config has for it; a part that is over counts no more.
func TestLimits(t *testing.T) {
	limits := executor.Limits{Queue: 10 * time.Minute, Start: 90 * time.Second, Run: 2 * time.Hour, Grace: time.Minute}
	for limit, c := range map[string]struct {
		enter   []executor.Phase
		after   time.Duration
		message string
		hint    string
		cause   executor.Cause
	}{
		executor.LimitQueue: {nil, limits.Queue, "stage train waited 12m1s in the queue of cluster (limit queue: 10m)", "raise executors.cluster.limits.queue", ""},
		executor.LimitStart: {[]executor.Phase{executor.PhaseStarting}, limits.Start, "has not begun on cluster after 3m31s (limit start: 1m30s)", "raise executors.cluster.limits.start", executor.CauseNetwork},
		executor.LimitRun:   {[]executor.Phase{executor.PhaseStarting, executor.PhaseRunning, executor.PhaseStarting}, limits.Run, "(limit run: 2h)", "raise `timeout` of the stage", executor.CauseFailure},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &runs.Attempt{Stage: "train"}
			w := newStopwatch(limits, "cluster")
			for _, phase := range c.enter {
				time.Sleep(time.Minute)
				w.enter(phase)
			}
			if len(c.enter) == 3 { // the last was no change
				time.Sleep(c.after - 2*time.Minute)
			} else {
				time.Sleep(c.after)
			}
			if name, err := w.over(a); name != "" || err != nil {
				t.Errorf("%s: over too early: %s, %v", limit, name, err)
			}
			time.Sleep(2*time.Minute + time.Second)
			name, err := w.over(a)
			if name != limit || err == nil || executor.CauseOf(err) != c.cause || !strings.Contains(executor.Hint(err), c.hint) {
				t.Errorf("%s: ended by %q: %v, hint %q, cause %q", limit, name, err, executor.Hint(err), executor.CauseOf(err))
			}
			if text := err.Error(); !strings.Contains(text, c.message) {
				t.Errorf("%s: %q, want %q", limit, text, c.message)
			}
		})
	}
}
