package slurm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// missing is the exit code of the line that finds a secret missing, and no code of
// sbatch's.
const missing = 64

// Submit looks for the job, then submits it.
func (p *Provider) Submit(ctx context.Context, job *executor.Job) (executor.Handle, error) {
	if err := p.o.checkNames(job); err != nil {
		return "", err
	}
	at, err := p.place.get(ctx)
	if err != nil {
		return "", err
	}
	if h, err := p.existing(ctx, job, at); err != nil || h != "" {
		return h, err
	}
	if err := p.place.put(ctx, job.Program); err != nil {
		return "", err
	}
	h, err := p.sbatch(ctx, job, at)
	// A controller that answers late may have taken the job all the same.
	for range 2 {
		if !mayGoAway(err) {
			break
		}
		if executor.Pause(ctx, p.tries) != nil {
			break
		}
		if there, lookErr := p.existing(ctx, job, at); lookErr == nil && there != "" {
			return there, nil
		}
	}
	return h, err
}

// existing finds the job of that ID: the one that has not ended, else the latest.
func (p *Provider) existing(ctx context.Context, job *executor.Job, at found) (executor.Handle, error) {
	rows, err := p.queue.look(ctx, at.user, job.ID, 0)
	if err != nil {
		return "", p.failure(fmt.Sprintf("executor %s: squeue", p.name), err)
	}
	if len(rows) == 0 {
		return "", nil
	}
	best := slices.MaxFunc(rows, func(a, b row) int {
		if ended(a.state) != ended(b.state) {
			if ended(a.state) {
				return -1
			}
			return 1
		}
		return compareNumbers(a.number, b.number)
	})
	if best.comment != mark(job) {
		return "", stages.Fail(stages.CodeEnvironment, "end it with `scancel "+best.number+"`, or give it another name",
			"executor %s: job %s of the cluster has the name %s and is another's: its comment is %q", p.name, best.number, job.ID, best.comment)
	}
	return executor.Handle(handle{best.number, best.name}.String()), nil
}

// compareNumbers orders decimal numbers of any length.
func compareNumbers(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func (p *Provider) sbatch(ctx context.Context, job *executor.Job, at found) (executor.Handle, error) {
	what := fmt.Sprintf("executor %s: sbatch of stage %s", p.name, job.Stage)
	lines, err := p.shell.ask(ctx, strings.NewReader(p.o.script(job, at)), p.o.secretsThere(job)+p.o.alone(job)+"sbatch "+executor.Quote(p.o.arguments(job, at)...))
	if err != nil {
		return "", p.submitFailure(what, err)
	}
	for _, line := range lines {
		number, _, _ := strings.Cut(strings.TrimSpace(line), ";") // the cluster's name follows
		if isNumber(number) {
			return executor.Handle(handle{number, job.ID}.String()), nil
		}
	}
	return "", stages.Lose(stages.CodeEnvironment, "", "%s: no job number in its answer %.200q", what, lines)
}

// secretsThere is a line that fails if sbatch has no values for the job's secrets.
func (o *Options) secretsThere(job *executor.Job) string {
	names := o.secrets(job)
	if o.SecretsFile != "" || len(names) == 0 {
		return ""
	}
	return present(strings.Join(names, " "), missing)
}

func (p *Provider) submitFailure(what string, err error) error {
	var failed *commandError
	if errors.As(err, &failed) && failed.code == missing && strings.Contains(failed.stderr, "is not set") {
		where := "here"
		if p.o.Login != "" {
			where = "for commands on " + p.o.Login
		}
		return stages.Fail(stages.CodeEnvironment, p.place.words("set it "+where+", or let executors.NAME.secrets_file be a file on the nodes, of lines NAME=VALUE and with mode 600"), "%s: %w", what, err)
	}
	return p.failure(what, err)
}
