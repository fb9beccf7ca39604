package kubernetes

import (
	"context"
	"net/http"

	"github.com/sprint-ml/sprint/stages"
)

// release ends pods of machines that are gone, as far as the cluster is concerned:
// its own controllers wait for a kubelet that will say nothing more. A worker that
// runs on nevertheless has lost its lease, and can commit nothing that another would
// not.
func (p *Provider) release(ctx context.Context, pods []pod) error {
	for i := range pods {
		o := &pods[i]
		if o.Metadata.Deleted == nil || disruption(o) != "lost" {
			continue
		}
		if !over(o) {
			body := map[string]any{"status": map[string]any{"phase": "Failed", "reason": "NodeLost", "message": "the node " + o.Spec.NodeName + " does not answer"}}
			err := p.api.do(ctx, call{method: http.MethodPatch, path: p.pods(o.Metadata.Name) + "/status", media: mediaMerge, body: body})
			if is(err, http.StatusForbidden) {
				return stages.Fail(stages.CodeEnvironment, "allow patch of pods/status, as examples/kubernetes/rbac.yaml does, or wait until the node is back or removed",
					"the pod %s of the lost node %s is not released: %w", o.Metadata.Name, o.Spec.NodeName, err)
			}
			if err != nil && !is(err, http.StatusNotFound) {
				return p.api.sorted(err)
			}
		}
		body := map[string]any{"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": map[string]string{"uid": o.Metadata.UID}}
		err := p.api.do(ctx, call{method: http.MethodDelete, path: p.pods(o.Metadata.Name), body: body})
		if err != nil && !is(err, http.StatusNotFound) && !is(err, http.StatusConflict) && !is(err, http.StatusForbidden) {
			return p.api.sorted(err)
		}
	}
	return nil
}
