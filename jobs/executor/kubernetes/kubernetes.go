// Package kubernetes starts workers as Jobs of a Kubernetes cluster: batch/v1, one
// Job with one pod for an attempt. The cluster queues, places and ends them; it tries
// none again, as attempts are counted by records in the store.
//
//	kubernetes.go   Options, Provider: Submit, Cancel, Logs
//	manifest.go     the Job that stands for an attempt
//	watch.go        follows a Job and its pods: lists, watches, lists again
//	status.go       what Job, pods and events say of the attempt, and what to do about it
//	refresh.go      the program's address, for jobs that wait long
//	release.go      pods of machines that are gone, which nobody else ends
//	list.go         which Jobs of ours the namespace has
//	probe.go        rights, namespace, secrets and machines, before anything is submitted
//	api.go          calls of the API, their errors and retries; types.go what they carry
//	kubeconfig.go, connection.go, credentials.go   where the API is, and who asks
package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Options say which cluster, and what its jobs are like.
type Options struct {
	Kubeconfig string `yaml:"kubeconfig" path:"true" doc:"the file that says how the cluster is reached; KUBECONFIG or ~/.kube/config by default, in a pod its service account"`
	Context    string `yaml:"context" doc:"the context of that file; its current one by default"`
	Namespace  string `yaml:"namespace" doc:"where jobs are made; the context's by default"`

	Image       string   `yaml:"image" default:"buildpack-deps:bookworm-curl" doc:"any image with a shell, glibc, CA certificates and curl, wget or Python"`
	PullSecrets []string `yaml:"pull_secrets" doc:"names of secrets with which the image is pulled"`
	User        int64    `yaml:"user" default:"65532" min:"0" doc:"the user id in the container; 0 is root, which many clusters refuse"`

	GPUResource string            `yaml:"gpu_resource" default:"nvidia.com/gpu" doc:"what the cluster calls a GPU"`
	GPULabel    string            `yaml:"gpu_label" default:"nvidia.com/gpu.product" doc:"the node label that names its type of GPU"`
	GPUTypes    map[string]string `yaml:"gpu_types" doc:"values of that label for the types that plans name: {h100: NVIDIA-H100-80GB-HBM3}"`

	NodeSelector  map[string]string `yaml:"node_selector" doc:"labels that a node must have"`
	Tolerations   []string          `yaml:"tolerations" doc:"taints that do no harm: [key, key:NoSchedule, key=value:NoSchedule]"`
	Unreachable   time.Duration     `yaml:"unreachable" default:"30s" min:"0s" doc:"how long a node may be silent before its job is lost"`
	PriorityClass string            `yaml:"priority_class" doc:"the PriorityClass of the jobs"`
	Preemptible   Preemptible       `yaml:"preemptible"`
	Queue         string            `yaml:"queue" doc:"the LocalQueue of Kueue through which jobs go"`

	ServiceAccount string            `yaml:"service_account" doc:"the service account of the pods, for stores that know it"`
	Secrets        map[string]string `yaml:"secrets" doc:"where the cluster keeps the values of variables: {AWS_SECRET_ACCESS_KEY: SECRET/KEY}; none says that the pod has it by other means"`
	Volume         string            `yaml:"volume" doc:"a PersistentVolumeClaim that keeps programs, encoders and plugins between attempts"`
	HostNetwork    bool              `yaml:"host_network" default:"false" doc:"use the node's own network"`
}

// Preemptible is how the cluster is asked for machines that may be taken away, for stages
// that demand it; the others keep off these nodes.
type Preemptible struct {
	NodeSelector  map[string]string `yaml:"node_selector" doc:"labels of nodes that may be taken away, {cloud.google.com/gke-spot: \"true\"}, {karpenter.sh/capacity-type: spot}; other stages keep off them"`
	Tolerations   []string          `yaml:"tolerations" doc:"taints of these nodes, [cloud.google.com/gke-spot=true:NoSchedule]"`
	PriorityClass string            `yaml:"priority_class" doc:"in the place of priority_class, a class that others may preempt"`
}

// Given reports whether there is a way.
func (p *Preemptible) Given() bool { return len(p.NodeSelector) > 0 || p.PriorityClass != "" }

// fill sets what has a default, for callers that decoded no config.
func (o *Options) fill() {
	o.Image = cmp.Or(o.Image, "buildpack-deps:bookworm-curl")
	o.GPUResource = cmp.Or(o.GPUResource, "nvidia.com/gpu")
	o.GPULabel = cmp.Or(o.GPULabel, "nvidia.com/gpu.product")
	o.Unreachable = cmp.Or(o.Unreachable, 30*time.Second)
}

// Provider is a cluster: an executor.Provider, Logger and Prober.
type Provider struct {
	options Options
	api     *api
	log     *slog.Logger

	programs programs
}

// New reads how the cluster is reached; it asks nothing there. A nil options is the
// current context of the user's kubeconfig.
func New(o *Options, log *slog.Logger) (*Provider, error) {
	if o == nil {
		o = &Options{User: 65532}
	}
	p := &Provider{options: *o, log: log}
	p.options.fill()
	if _, err := tolerations(&p.options, &executor.Resources{Preemptible: true}); err != nil {
		return nil, err
	}
	c, err := connect(o.Kubeconfig, o.Context)
	if err != nil {
		return nil, err
	}
	c.namespace = cmp.Or(o.Namespace, c.namespace)
	p.api = &api{connection: c, tries: 6, backoff: 500 * time.Millisecond}
	return p, nil
}

// jobs is the path of a Job, or of all where name is empty.
func (p *Provider) jobs(name string) string {
	return "/apis/batch/v1/namespaces/" + url.PathEscape(p.api.namespace) + "/jobs" + below(name)
}

// pods is the path of a pod, or of all where name is empty.
func (p *Provider) pods(name string) string {
	return "/api/v1/namespaces/" + url.PathEscape(p.api.namespace) + "/pods" + below(name)
}

func below(name string) string {
	if name == "" {
		return ""
	}
	return "/" + url.PathEscape(name)
}

// handle names a job for this process and later ones.
func (p *Provider) handle(name, uid string) executor.Handle {
	return executor.Handle(p.api.namespace + "/" + name + "/" + uid)
}

// parse is the name and the UID of a handle.
func (p *Provider) parse(h executor.Handle) (name, uid string, err error) {
	parts := strings.Split(string(h), "/")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return "", "", fmt.Errorf("%q names no Kubernetes job", h)
	}
	if parts[0] != p.api.namespace {
		return "", "", stages.Fail(stages.CodeEnvironment, "let `namespace` of the executor be "+parts[0]+" again, or `sprint cancel` the run from where it was begun",
			"the job %s is in namespace %s, the config names %s", parts[1], parts[0], p.api.namespace)
	}
	return parts[1], parts[2], nil
}

// Submit implements executor.Provider.
func (p *Provider) Submit(ctx context.Context, j *executor.Job) (executor.Handle, error) {
	there, err := p.lookup(ctx, j)
	if err != nil || there != nil {
		p.programs.remember(j.ID, j.Program, time.Time{})
		return p.found(j, there, err)
	}
	address, err := p.address(ctx, j)
	if err != nil {
		return "", err
	}
	wanted, err := p.manifest(j, address)
	if err != nil {
		return "", err
	}
	made := &job{}
	err = p.api.do(ctx, call{method: http.MethodPost, path: p.jobs(""), body: wanted, out: made})
	if err == nil {
		p.programs.remember(j.ID, j.Program, time.Now())
		return p.handle(made.Metadata.Name, made.Metadata.UID), nil
	}
	// An answer may have been lost after the job was made, and another driver may have been faster.
	if is(err, http.StatusConflict) || transient(err) {
		if there, again := p.lookup(ctx, j); again != nil || there != nil {
			p.programs.remember(j.ID, j.Program, time.Time{})
			return p.found(j, there, again)
		}
	}
	return "", p.api.sorted(err)
}

// lookup is the Job of that name; nil is none.
func (p *Provider) lookup(ctx context.Context, j *executor.Job) (*job, error) {
	there := &job{}
	err := p.api.do(ctx, call{method: http.MethodGet, path: p.jobs(j.ID), out: there})
	if is(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, p.api.sorted(err)
	}
	return there, nil
}

// found adopts a job, unless it is another's.
func (p *Provider) found(j *executor.Job, there *job, err error) (executor.Handle, error) {
	if err != nil {
		return "", err
	}
	m := there.Metadata
	if m.Labels[labelManager] != manager || m.Labels[labelJob] != j.ID || m.Annotations[annotationSpec] != specDigest(j) {
		return "", stages.Fail(stages.CodeEnvironment, "remove it, `kubectl delete job "+m.Name+" -n "+p.api.namespace+"`, or let `namespace` of the executor name another",
			"namespace %s has a Job %s that is not this attempt", p.api.namespace, m.Name)
	}
	if m.Deleted != nil {
		return "", stages.Lose(stages.CodeEnvironment, "run the same command once it is gone", "the Job %s is being deleted", m.Name)
	}
	return p.handle(m.Name, m.UID), nil
}

// addressValid is how long a program can be fetched from its address. It is signed
// anew for jobs that wait longer.
const addressValid = time.Hour

func (p *Provider) address(ctx context.Context, j *executor.Job) (string, error) {
	if j.Program.URL == nil {
		return "", nil // the image or the volume has it
	}
	address, err := j.Program.URL(ctx, addressValid)
	if errors.Is(err, errors.ErrUnsupported) {
		return "", stages.Fail(stages.CodeEnvironment, "use an s3:// or gs:// store whose credentials can sign",
			"the store gives no address from which a pod can fetch the program: %w", err)
	}
	return address, err
}

// Cancel implements executor.Provider. The cluster removes the Job once its pods are
// gone, which is what deletion in the foreground means; that of pods that have ended is
// not waited for.
func (p *Provider) Cancel(ctx context.Context, h executor.Handle, grace time.Duration) error {
	name, uid, err := p.parse(h)
	if err != nil {
		return err
	}
	if err := p.deletePods(ctx, name, grace); err != nil {
		return err
	}
	options := map[string]any{
		"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground", "preconditions": map[string]string{"uid": uid},
	}
	err = p.api.do(ctx, call{method: http.MethodDelete, path: p.jobs(name), body: options})
	if err != nil && !is(err, http.StatusNotFound) && !is(err, http.StatusConflict) {
		return p.api.sorted(err)
	}
	return p.gone(ctx, name, uid, time.Now().Add(grace+goneAfter))
}

// goneAfter is how long after the grace time a node may take to say that a container
// is gone.
const goneAfter = 30 * time.Second

// deletePods asks each pod to end with this grace, which may differ from the one that
// it was made with.
func (p *Provider) deletePods(ctx context.Context, name string, grace time.Duration) error {
	pods, err := p.podsOf(ctx, name)
	if err != nil {
		return err
	}
	seconds := max(1, int64((grace+time.Second-1)/time.Second))
	for i := range pods {
		m := &pods[i].Metadata
		if m.Deleted != nil || over(&pods[i]) {
			continue
		}
		body := map[string]any{"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": seconds, "preconditions": map[string]string{"uid": m.UID}}
		err := p.api.do(ctx, call{method: http.MethodDelete, path: p.pods(m.Name), body: body})
		// Without the right to delete pods the Job's deletion ends them, with the grace of its making.
		if err != nil && !is(err, http.StatusNotFound) && !is(err, http.StatusConflict) && !is(err, http.StatusForbidden) {
			return p.api.sorted(err)
		}
	}
	return nil
}

// gone waits until no pod of a job runs or can begin to.
func (p *Provider) gone(ctx context.Context, name, uid string, until time.Time) error {
	for {
		pods, err := p.podsOf(ctx, name)
		if err != nil {
			return err
		}
		if err := p.release(ctx, pods); err != nil {
			return err
		}
		there, err := p.lookup(ctx, &executor.Job{ID: name})
		if err != nil {
			return err
		}
		removed := there == nil || there.Metadata.UID != uid || there.Metadata.Deleted != nil
		if removed && !slices.ContainsFunc(pods, func(o pod) bool { return !over(&o) }) {
			return nil
		}
		if time.Now().After(until) {
			return p.remaining(name, pods)
		}
		if err := executor.Pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// remaining is the error of a job whose end is not seen.
func (p *Provider) remaining(name string, pods []pod) error {
	where := "it is not deleted"
	for i := range pods {
		if !over(&pods[i]) {
			where = "the pod " + pods[i].Metadata.Name + " on node " + cmp.Or(pods[i].Spec.NodeName, "none") + " is still there"
		}
	}
	return stages.Lose(stages.CodeEnvironment, "look at it with `kubectl describe job "+name+" -n "+p.api.namespace+"`; a worker without its lease ends itself",
		"the Job %s has not ended: %s", name, where)
}

// podsOf lists the pods of a job.
func (p *Provider) podsOf(ctx context.Context, name string) ([]pod, error) {
	pods := &list[pod]{}
	err := p.api.do(ctx, call{method: http.MethodGet, path: p.pods(""), query: selectPods(name), out: pods})
	if err != nil {
		return nil, p.api.sorted(err)
	}
	return pods.Items, nil
}

func selectPods(name string) url.Values {
	return url.Values{"labelSelector": {labelJob + "=" + name}}
}

// Logs implements executor.Logger. The node keeps it: of one that is gone there is
// nothing.
func (p *Provider) Logs(ctx context.Context, h executor.Handle, w io.Writer) error {
	name, _, err := p.parse(h)
	if err != nil {
		return err
	}
	pods, err := p.podsOf(ctx, name)
	if err != nil {
		return err
	}
	for i := range pods {
		answer, err := p.api.send(ctx, call{method: http.MethodGet, path: p.pods(pods[i].Metadata.Name) + "/log", query: url.Values{"container": {containerName}}})
		if err != nil {
			if e, ok := errors.AsType[*apiError](err); ok && (e.code == http.StatusNotFound || e.code == http.StatusBadRequest) {
				continue // no such container yet, or no longer
			}
			return p.api.sorted(err)
		}
		_, err = io.Copy(w, answer.Body)
		answer.Body.Close()
		if err != nil {
			return p.api.sorted(&apiError{verb: http.MethodGet, path: p.pods(pods[i].Metadata.Name) + "/log", err: err})
		}
	}
	return nil
}
