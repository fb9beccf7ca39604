package slurm

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// watcher follows one job.
type watcher struct {
	p       *Provider
	job     handle
	report  func(executor.Status)
	last    executor.Status
	changed time.Time
	absent  int // how often in a row the job was not there
	freed   int // how often it was let go that the cluster held
}

// Watch follows a job to its end.
func (p *Provider) Watch(ctx context.Context, h executor.Handle, report func(executor.Status)) (executor.Status, error) {
	job, err := parseHandle(h)
	if err != nil {
		return executor.Status{}, err
	}
	stop, err := p.queue.watch(ctx, job.name)
	if err != nil {
		return executor.Status{}, err
	}
	defer stop()
	w := &watcher{p: p, job: job, report: report, changed: time.Now()}
	for {
		done, err := w.look(ctx)
		if err != nil || done {
			return w.last, err
		}
		if err := executor.Pause(ctx, w.tick()); err != nil {
			return w.last, err
		}
	}
}

// tick is the time until the next question: the longer nothing changes, the longer.
func (w *watcher) tick() time.Duration {
	return max(w.p.tick, min(time.Since(w.changed)/10, w.p.o.Poll))
}

// look asks once, and reports whether the job has ended. Failures that may go away are
// waited for.
func (w *watcher) look(ctx context.Context) (bool, error) {
	r, there, err := w.p.row(ctx, w.job, w.tick()/2)
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case mayGoAway(err):
		s := w.last
		s.Reason = err.Error()
		w.tell(s)
		return false, nil
	case err != nil:
		return false, err
	case !there:
		// One such answer may be that of a controller that has just begun.
		w.absent++
		if w.absent < 3 {
			return false, nil
		}
		w.tell(w.p.gone(ctx, w.job))
		return true, nil
	}
	w.absent = 0
	if ended(r.state) {
		return w.end(ctx, r)
	}
	s := going(r.state, r.reason, r.node)
	s.Restarts = w.last.Restarts
	if s.Phase == executor.PhaseQueued {
		w.release(ctx, r, &s)
	}
	w.tell(s)
	return false, nil
}

// tell reports a change.
func (w *watcher) tell(s executor.Status) {
	if s == w.last {
		return
	}
	w.last, w.changed = s, time.Now()
	w.report(s)
}

// release lets a job start that the cluster put back into its queue: after it lost or took
// its node it holds it back for two minutes, after a start that failed for ever. A start
// fails when a controller has forgotten in a crash that the job runs; on a node where each
// fails, the third is the last.
func (w *watcher) release(ctx context.Context, r row, s *executor.Status) {
	var line string
	switch {
	case r.reason == "BeginTime":
		line = "scontrol update " + executor.Quote("JobId="+w.job.number, "StartTime=now")
	case s.Hopeless && strings.Contains(spaced(r.reason), "requeued held") && w.freed < 2:
		w.freed++
		s.Hopeless = false
		line = "scontrol release " + w.job.number
	default:
		return
	}
	_, _ = w.p.shell.ask(ctx, nil, line) // else it waits
	if known, err := w.p.show(ctx, w.job); err == nil {
		s.Restarts, _ = strconv.Atoi(known["Restarts"])
	}
}

// end finds out how a job ended that squeue says has ended. It may have been put back into
// the queue since.
func (w *watcher) end(ctx context.Context, r row) (bool, error) {
	known, err := w.p.show(ctx, w.job)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	state := r.state
	if now := known["JobState"]; err == nil && now != "" {
		if !ended(now) {
			return false, nil
		}
		state = now
	}
	w.tell(end(state, known))
	return true, nil
}

// row finds the job in the queue.
func (p *Provider) row(ctx context.Context, job handle, age time.Duration) (row, bool, error) {
	at, err := p.place.get(ctx)
	if err != nil {
		return row{}, false, err
	}
	rows, err := p.queue.look(ctx, at.user, job.name, age)
	if err != nil {
		return row{}, false, p.failure(fmt.Sprintf("executor %s: squeue", p.name), err)
	}
	for _, r := range rows {
		if r.number == job.number {
			return r, true, nil
		}
	}
	return row{}, false, nil
}

// show asks for all that the controller knows of a job.
func (p *Provider) show(ctx context.Context, job handle) (map[string]string, error) {
	lines, err := p.shell.ask(ctx, nil, "scontrol --oneliner show job "+job.number)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if known := fields(line); known["JobId"] == job.number && known["JobName"] == job.name {
			return known, nil
		}
	}
	return nil, fmt.Errorf("scontrol shows no job %s", job.number)
}

// gone is the status of a job that the controller has forgotten: where accounting is
// kept, sacct still knows its end.
func (p *Provider) gone(ctx context.Context, job handle) executor.Status {
	lines, err := p.shell.ask(ctx, nil, "sacct "+executor.Quote("--noheader", "--parsable2", "--allocations", "--jobs="+job.number, "--format=JobName,State,ExitCode,NodeList")+" 2>/dev/null")
	if err == nil {
		for _, line := range lines {
			f := strings.Split(line, "|")
			if len(f) < 4 || f[0] != job.name {
				continue
			}
			state, _, _ := strings.Cut(f[1], " ") // CANCELLED by 1000
			if ended(state) {
				s := end(state, map[string]string{"ExitCode": f[2], "BatchHost": f[3]})
				s.Gone = true
				return s
			}
		}
	}
	return executor.Status{Phase: executor.PhaseEnded, Reason: "the cluster has no job " + job.number, Gone: true}
}
