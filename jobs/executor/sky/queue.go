package sky

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// row is a job as `sky jobs queue -v -o json` shows it.
type row struct {
	ID        *int64  `json:"job_id"`
	Name      string  `json:"job_name"`
	Status    string  `json:"status"`
	Restarts  int     `json:"recovery_count"`
	Submitted float64 `json:"submitted_at"` // seconds since 1970
	Infra     string  `json:"infra"`
	Machine   string  `json:"cluster_resources"`
	Details   string  `json:"details"`
	Failure   string  `json:"failure_reason"`
}

// queue asks for all jobs at once: a question takes the command a second or more.
type queue struct {
	command *command
	turn    chan struct{} // guards what follows
	at      time.Time
	rows    []row
}

// look is what the jobs were, not longer ago than age.
func (q *queue) look(ctx context.Context, age time.Duration) ([]row, error) {
	asked := time.Now()
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	// Whoever waited for another's question takes its answer, if that began later.
	if !q.at.IsZero() && (time.Since(q.at) < age || q.at.After(asked)) {
		return q.rows, nil
	}
	began := time.Now()
	out, err := q.command.run(ctx, commandLimit, nil, "jobs", "queue", "-a", "-v", "-o", "json")
	if err != nil {
		if !strings.Contains(err.Error(), noJobs) {
			return nil, err
		}
		out = []byte("[]")
	}
	rows, ok := parse(out)
	if !ok {
		return nil, stages.Lose(stages.CodeEnvironment, "`sky jobs queue -o json` shows what it says", "executor %s: the answer is none of SkyPilot's: %.200q", q.command.name, bytes.TrimSpace(color.ReplaceAll(out, nil)))
	}
	q.at, q.rows = began, rows
	return rows, nil
}

// noJobs is what is said where no job was ever launched, or the controller has stopped
// because none was left.
const noJobs = "No in-progress managed jobs"

// parse finds the list in an answer: what starts its server says so on standard output
// before, and a notice may follow.
func parse(out []byte) ([]row, bool) {
	for rest := out; len(rest) > 0; {
		if rest[0] == '[' {
			var rows []row
			if json.NewDecoder(bytes.NewReader(rest)).Decode(&rows) == nil && rows != nil && !slices.ContainsFunc(rows, row.strange) {
				return slices.DeleteFunc(rows, func(r row) bool { return r.ID == nil }), true
			}
		}
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		rest = rest[end+1:]
	}
	return nil, false
}

// strange reports whether a row is of no job. One without a number is not launched yet.
func (r row) strange() bool { return r.ID == nil && r.Name == "" || r.Status == "" }
