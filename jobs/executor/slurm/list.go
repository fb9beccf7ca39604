package slurm

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

var _ executor.Lister = (*Provider)(nil)

// List returns the user's jobs in the queue that have the name and the comment of one of
// ours.
func (p *Provider) List(ctx context.Context) ([]executor.Listed, error) {
	at, err := p.place.get(ctx)
	if err != nil {
		return nil, err
	}
	// Times of the cluster are told in its own zone unless UTC is asked for.
	lines, err := p.shell.ask(ctx, nil, "TZ=UTC squeue "+executor.Quote("--noheader", "--user="+at.user, "--format=%A|%j|%T|%r|%N|%V|%k"))
	if err != nil {
		return nil, p.failure(fmt.Sprintf("executor %s: squeue", p.name), err)
	}
	var out []executor.Listed
	for _, line := range lines {
		f := strings.SplitN(line, "|", 7)
		if len(f) < 7 || !isNumber(f[0]) {
			return nil, p.failure(fmt.Sprintf("executor %s: squeue", p.name), &commandError{code: -1, err: fmt.Errorf("the answer is none of squeue's: %.200q", line)})
		}
		l := executor.Listed{Handle: executor.Handle(handle{f[0], f[1]}.String()), ID: f[1], Status: going(f[2], f[3], f[4])}
		if ended(f[2]) || !executor.IsJobID(l.ID) || !marked(&l, strings.TrimSpace(f[6])) {
			continue
		}
		if since, err := time.Parse("2006-01-02T15:04:05", f[5]); err == nil { // else nobody says
			l.Since = since
		}
		out = append(out, l)
	}
	return out, nil
}

// marked reads what mark wrote, and reports whether it is that.
func marked(l *executor.Listed, comment string) bool {
	words := strings.Fields(comment)
	if len(words) != 7 || words[0] != "sprint" || words[1] != "run" || words[3] != "stage" || words[5] != "attempt" {
		return false
	}
	attempt, err := strconv.Atoi(words[6])
	l.Run, l.Stage, l.Attempt = words[2], words[4], attempt
	return err == nil
}
