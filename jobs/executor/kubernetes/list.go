package kubernetes

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sprint-ml/sprint/jobs/executor"
)

var _ executor.Lister = (*Provider)(nil)

// List returns the Jobs of the namespace that carry our labels and have not ended.
func (p *Provider) List(ctx context.Context) ([]executor.Listed, error) {
	ours := url.Values{"labelSelector": {labelManager + "=" + manager}}
	jobs, pods := &list[job]{}, &list[pod]{}
	if err := p.api.do(ctx, call{method: http.MethodGet, path: p.jobs(""), query: ours, out: jobs}); err != nil {
		return nil, p.api.sorted(err)
	}
	if err := p.api.do(ctx, call{method: http.MethodGet, path: p.pods(""), query: ours, out: pods}); err != nil {
		return nil, p.api.sorted(err)
	}
	var out []executor.Listed
	for i := range jobs.Items {
		j := &jobs.Items[i]
		m := &j.Metadata
		if m.Labels[labelManager] != manager || m.Labels[labelJob] != m.Name || !executor.IsJobID(m.Name) {
			continue
		}
		s := &snapshot{job: j}
		for _, o := range pods.Items {
			if o.Metadata.Labels[labelJob] == m.Name {
				s.pods = append(s.pods, o)
			}
		}
		status := p.status(s)
		if status.Phase == executor.PhaseEnded {
			continue
		}
		l := executor.Listed{Handle: p.handle(m.Name, m.UID), ID: m.Name, Run: m.Annotations[annotationRun], Stage: m.Annotations[annotationStage], Status: status}
		l.Attempt, _ = strconv.Atoi(m.Annotations[annotationAttempt]) // 0 is not known
		if m.Created != nil {
			l.Since = *m.Created
		}
		out = append(out, l)
	}
	return out, nil
}
