package kubernetes

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Probe implements executor.Prober: the API is asked for its version, for each right
// that a job needs, to take the job without making it, and for nodes that have what
// it demands, where these may be listed.
func (p *Provider) Probe(ctx context.Context, j *executor.Job, note func(name, value string)) error {
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := p.api.do(ctx, call{method: http.MethodGet, path: "/version", out: &version}); err != nil {
		return p.api.sorted(err)
	}
	note("kubernetes", version.GitVersion+", context "+p.api.context+", namespace "+p.api.namespace)
	for _, right := range rights {
		allowed, err := p.allowed(ctx, right)
		switch {
		case err != nil:
			return p.api.sorted(err)
		case !allowed && right.optional == "":
			return stages.Fail(stages.CodeEnvironment, "have the role of examples/kubernetes/rbac.yaml bound in namespace "+p.api.namespace,
				"context %s may not %s %s in namespace %s", p.api.context, right.Verb, right.name(), p.api.namespace)
		case !allowed:
			note("without the right to "+right.Verb+" "+right.name(), right.optional)
		}
	}
	wanted, err := p.manifest(j, "")
	if err != nil {
		return err
	}
	c := call{method: http.MethodPost, path: p.jobs(""), query: map[string][]string{"dryRun": {"All"}}, body: wanted}
	if err := p.api.do(ctx, c); err != nil && !is(err, http.StatusConflict) {
		return p.api.sorted(err)
	}
	return p.fits(ctx, wanted, note)
}

// right is one that a driver needs, or misses at a price.
type right struct {
	attributes
	optional string // what it costs to be without it
}

func (r right) name() string {
	if r.Subresource != "" {
		return r.Resource + "/" + r.Subresource
	}
	return r.Resource
}

// rights are those of examples/kubernetes/rbac.yaml; a test compares them.
var rights = []right{
	{attributes: attributes{Group: "batch", Resource: "jobs", Verb: "create"}},
	{attributes: attributes{Group: "batch", Resource: "jobs", Verb: "get"}},
	{attributes: attributes{Group: "batch", Resource: "jobs", Verb: "list"}},
	{attributes: attributes{Group: "batch", Resource: "jobs", Verb: "watch"}},
	{attributes: attributes{Group: "batch", Resource: "jobs", Verb: "delete"}},
	{attributes{Group: "batch", Resource: "jobs", Verb: "patch"}, "a job that Kueue holds for an hour cannot fetch its program"},
	{attributes: attributes{Resource: "pods", Verb: "list"}},
	{attributes: attributes{Resource: "pods", Verb: "watch"}},
	{attributes{Resource: "pods", Verb: "delete"}, "pods end with the grace time of their making, and those of lost nodes stay"},
	{attributes{Resource: "pods", Verb: "patch"}, "a pod that waits for an hour cannot fetch its program"},
	{attributes{Resource: "pods", Subresource: "log", Verb: "get"}, "what a worker printed before it reached the store is not shown"},
	{attributes{Resource: "pods", Subresource: "status", Verb: "patch"}, "pods of lost nodes stay until the node is back or removed"},
	{attributes{Resource: "events", Verb: "list"}, "why a pod is not made is not told"},
}

func (p *Provider) allowed(ctx context.Context, r right) (bool, error) {
	asked := review{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview", Spec: reviewSpec{r.attributes}}
	asked.Spec.Attributes.Namespace = p.api.namespace
	answer := review{}
	err := p.api.do(ctx, call{method: http.MethodPost, path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body: asked, out: &answer})
	return answer.Status.Allowed, err
}

// fits notes how many nodes have the labels and the GPUs that a job demands. None now
// is no error: clusters grow.
func (p *Provider) fits(ctx context.Context, wanted *job, note func(name, value string)) error {
	nodes := &list[node]{}
	err := p.api.once(ctx, call{method: http.MethodGet, path: "/api/v1/nodes", out: nodes})
	if is(err, http.StatusForbidden) {
		return nil // a right of administrators
	}
	if err != nil {
		return p.api.sorted(err)
	}
	spec := &wanted.Spec.Template.Spec
	gpus := spec.Containers[0].Resources.Limits[p.options.GPUResource]
	fit := 0
	for i := range nodes.Items {
		n := &nodes.Items[i]
		fits := find(n.Status.Conditions, "Ready") != nil
		for label, value := range spec.NodeSelector {
			fits = fits && n.Metadata.Labels[label] == value
		}
		if gpus != "" {
			has, _ := strconv.Atoi(n.Status.Allocatable[p.options.GPUResource]) // none is none
			need, _ := strconv.Atoi(gpus)                                       // written here
			fits = fits && has >= need
		}
		if fits {
			fit++
		}
	}
	value := strconv.Itoa(fit) + " of " + strconv.Itoa(len(nodes.Items)) + " can hold this job when they are idle"
	if fit == 0 {
		value += "; unless the cluster grows, it waits: check " + strings.Join([]string{"`node_selector`", "`gpu_types`", "`gpu_label`"}, ", ") + " of the executor and `resources` of the stage"
	}
	note("nodes", value)
	return nil
}
