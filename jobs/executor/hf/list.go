package hf

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

var _ executor.Lister = (*Provider)(nil)

// List returns the jobs of the namespace that carry our label.
func (p *Provider) List(ctx context.Context) ([]executor.Listed, error) {
	var out []executor.Listed
	err := p.pages(ctx, p.path(), func(job *info) {
		id := job.Labels[label]
		if job.ended() || !executor.IsJobID(id) {
			return
		}
		l := executor.Listed{Handle: executor.Handle(job.ID), ID: id, Status: status(job)}
		if at, err := time.Parse(time.RFC3339, job.Created); err == nil { // else nobody says
			l.Since = at
		}
		out = append(out, l)
	})
	return out, err
}
