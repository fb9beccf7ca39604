package sky

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

var _ executor.Lister = (*Provider)(nil)

// List returns the user's managed jobs that have the name of a job of ours.
func (p *Provider) List(ctx context.Context) ([]executor.Listed, error) {
	rows, err := p.queue.look(ctx, 0)
	var out []executor.Listed
	for i := range rows {
		r := &rows[i]
		if ended(r.Status) || !executor.IsJobID(r.Name) {
			continue
		}
		l := executor.Listed{Handle: executor.Handle(handle{*r.ID, r.Name}.String()), ID: r.Name, Status: status(r)}
		if r.Submitted > 0 {
			l.Since = time.UnixMilli(int64(r.Submitted * 1000))
		}
		out = append(out, l)
	}
	return out, err
}
