package slurm

import (
	"context"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// killLimit is how long a job that is ended may take to go: from SIGTERM to SIGKILL a
// cluster waits for its KillWait, then it cleans up.
const killLimit = 2 * time.Minute

// Cancel ends a job: its worker is asked to, then its processes are ended.
func (p *Provider) Cancel(ctx context.Context, h executor.Handle, grace time.Duration) error {
	job, err := parseHandle(h)
	if err != nil {
		return err
	}
	r, there, err := p.row(ctx, job, 0)
	if err != nil {
		return err
	}
	if there && !ended(r.state) {
		if grace > 0 && going(r.state, r.reason, "").Phase != executor.PhaseQueued {
			// The batch shell is the worker: what that started it ends itself.
			if _, err := p.shell.ask(ctx, nil, "scancel --batch --signal=TERM "+job.number); err == nil {
				if there, err = p.awaitEnd(ctx, job, grace); err != nil {
					return err
				}
			}
		}
		if there {
			if err := p.kill(ctx, job); err != nil {
				return err
			}
		}
	}
	return p.clean(ctx, job)
}

// kill ends all processes of a job, and waits until the cluster says that they are gone.
func (p *Provider) kill(ctx context.Context, job handle) error {
	_, failed := p.shell.ask(ctx, nil, "scancel "+job.number)
	left, err := p.awaitEnd(ctx, job, killLimit)
	switch {
	case err != nil:
		return err
	case left && failed != nil:
		return p.failure(fmt.Sprintf("executor %s: scancel %s", p.name, job.number), failed)
	case left:
		return stages.Lose(stages.CodeEnvironment, "`scontrol show job "+job.number+"` says where it is", "executor %s: job %s has not ended %s after scancel", p.name, job.number, killLimit)
	}
	return nil
}

// awaitEnd waits for the end of a job, and reports whether it goes on.
func (p *Provider) awaitEnd(ctx context.Context, job handle, limit time.Duration) (bool, error) {
	for until := time.Now().Add(limit); ; {
		r, there, err := p.row(ctx, job, p.tick/2)
		if err != nil && !mayGoAway(err) {
			return true, err
		}
		if err == nil && (!there || ended(r.state)) {
			return false, nil
		}
		if time.Now().After(until) {
			return true, nil
		}
		if err := executor.Pause(ctx, p.tick/2); err != nil {
			return true, err
		}
	}
}

// clean removes what the job left in the folder.
func (p *Provider) clean(ctx context.Context, job handle) error {
	at, err := p.place.get(ctx)
	if err != nil {
		return err
	}
	if _, err := p.shell.ask(ctx, nil, "rm -f "+executor.Quote(at.log(job.name))); err != nil {
		return p.place.unreached(err)
	}
	return nil
}
