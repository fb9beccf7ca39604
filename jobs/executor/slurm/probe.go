package slurm

import (
	"context"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// Probe lets the cluster say whether it would take the job, without giving it the job.
func (p *Provider) Probe(ctx context.Context, job *executor.Job, note func(name, value string)) error {
	if err := p.o.checkNames(job); err != nil {
		return err
	}
	at, err := p.place.get(ctx)
	if err != nil {
		return err
	}
	note("user", at.user)
	note("folder", at.folder)
	what := fmt.Sprintf("executor %s: sbatch --test-only of stage %s", p.name, job.Stage)
	args := append([]string{"--test-only"}, p.o.arguments(job, at)...)
	// What it says stands on standard error.
	line := "sbatch --version; said=$(sbatch " + executor.Quote(args...) + ` 2>&1) || { code=$?; printf '%s\n' "$said" >&2; exit $code; }; printf '%s\n' "$said"`
	lines, err := p.shell.ask(ctx, strings.NewReader("#!/bin/sh\n"), p.o.secretsThere(job)+p.o.alone(job)+line)
	if err != nil {
		return p.submitFailure(what, err)
	}
	for _, line := range lines {
		if version, ok := strings.CutPrefix(line, "slurm"); ok {
			note("version", strings.TrimLeft(version, "-wlm "))
		}
		if _, start, ok := strings.Cut(line, " to start at "); ok {
			note("start", start)
		}
	}
	return nil
}
