package slurm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// queue is what squeue says. All watched jobs are asked for at once: a controller has
// other clients too.
type queue struct {
	shell shell
	turn  turn
	// The others are guarded by turn.
	watched map[string]int // names, and by how many
	asked   map[string]bool
	at      time.Time
	rows    []row
}

// row is a job as squeue shows it.
type row struct{ number, name, state, reason, node, comment string }

// format has the free text last.
const format = "%A|%j|%T|%r|%N|%k"

// look finds jobs of the user by name in an answer that is not older than age.
func (q *queue) look(ctx context.Context, user, name string, age time.Duration) ([]row, error) {
	if err := q.turn.take(ctx); err != nil {
		return nil, err
	}
	defer q.turn.leave()
	if !q.asked[name] || time.Since(q.at) >= age {
		if err := q.ask(ctx, user, name); err != nil {
			return nil, err
		}
	}
	var found []row
	for _, r := range q.rows {
		if r.name == name {
			found = append(found, r)
		}
	}
	return found, nil
}

func (q *queue) ask(ctx context.Context, user, name string) error {
	asked := map[string]bool{name: true}
	for n := range q.watched {
		asked[n] = true
	}
	names := strings.Join(slices.Sorted(maps.Keys(asked)), ",")
	began := time.Now()
	// The question is everybody's: it does not end with the one who asks.
	lines, err := q.shell.ask(context.WithoutCancel(ctx), nil, "squeue "+executor.Quote("--noheader", "--states=all", "--user="+user, "--name="+names, "--format="+format))
	if err != nil {
		return err
	}
	var rows []row
	for _, line := range lines {
		fields := strings.SplitN(line, "|", 6)
		if len(fields) < 6 || !isNumber(fields[0]) {
			return &commandError{code: -1, err: fmt.Errorf("the answer is none of squeue's: %.200q", line)}
		}
		rows = append(rows, row{fields[0], fields[1], fields[2], fields[3], fields[4], strings.TrimSpace(fields[5])})
	}
	q.asked, q.at, q.rows = asked, began, rows
	return nil
}

// watch lets a job be asked for whenever another is; the result ends that.
func (q *queue) watch(ctx context.Context, name string) (func(), error) {
	if err := q.turn.take(ctx); err != nil {
		return nil, err
	}
	defer q.turn.leave()
	q.watched[name]++
	return func() {
		q.turn <- struct{}{}
		defer q.turn.leave()
		if q.watched[name]--; q.watched[name] == 0 {
			delete(q.watched, name)
		}
	}, nil
}
