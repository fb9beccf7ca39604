package sky

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Watch follows a job to its end.
func (p *Provider) Watch(ctx context.Context, h executor.Handle, report func(executor.Status)) (executor.Status, error) {
	job, err := parseHandle(h)
	if err != nil {
		return executor.Status{}, err
	}
	var last executor.Status
	changed := time.Now()
	tell := func(s executor.Status) {
		if s != last {
			last, changed = s, time.Now()
			report(s)
		}
	}
	for absent := 0; ; {
		// The longer nothing changes, the rarer the questions.
		tick := max(p.tick, min(time.Since(changed)/10, p.o.Poll))
		r, there, err := p.row(ctx, job, tick/2)
		switch {
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case err != nil && !stages.IsLost(err):
			return last, err
		case err != nil:
			if s := last; s.Phase != "" {
				s.Reason = err.Error()
				tell(s)
			}
		case !there:
			// One such answer may be that of a server which has just begun.
			if absent++; absent > 2 {
				tell(executor.Status{Phase: executor.PhaseEnded, Gone: true, Reason: "SkyPilot has no job " + job.String()})
				return last, nil
			}
		default:
			absent = 0
			if tell(status(&r)); last.Phase == executor.PhaseEnded {
				return last, nil
			}
		}
		if err := executor.Pause(ctx, tick); err != nil {
			return last, err
		}
	}
}

// row finds the job.
func (p *Provider) row(ctx context.Context, job handle, age time.Duration) (row, bool, error) {
	rows, err := p.queue.look(ctx, age)
	for _, r := range rows {
		if *r.ID == job.number && r.Name == job.name {
			return r, true, nil
		}
	}
	return row{}, false, err
}
