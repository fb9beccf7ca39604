package kubernetes

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Labels find jobs and pods; annotations say what they are.
const (
	labelManager = "app.kubernetes.io/managed-by"
	manager      = "sprint"
	prefix       = "sprint-ml.github.io/"
	labelJob     = prefix + "job"
	labelQueue   = "kueue.x-k8s.io/queue-name"

	annotationSpec    = prefix + "spec"
	annotationRun     = prefix + "run"
	annotationStage   = prefix + "stage"
	annotationAttempt = prefix + "attempt"
	annotationProgram = prefix + "program-url"
)

// containerName is the pod's only container.
const containerName = "stage"

// home is the worker's folder in the pod; the image's own files are not written to.
const home = "/sprint"

// keepEnded is how long a job that has ended can be looked at; a driver that takes
// its result removes it before.
const keepEnded = 24 * time.Hour

// specDigest says whether a job found there does the same as this one.
func specDigest(j *executor.Job) string {
	text, _ := json.Marshal([]any{j.ID, j.Run, j.Stage, j.Attempt, j.Argv}) // strings and a number cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// manifest is the Job of an attempt. The address of the program is no part of the
// pod's spec, so that a waiting pod can get a new one.
func (p *Provider) manifest(j *executor.Job, address string) (*job, error) {
	o := &p.options
	env, err := p.env(j)
	if err != nil {
		return nil, err
	}
	tolerated, err := tolerations(o, &j.Resources)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{labelManager: manager, labelJob: j.ID}
	annotations := map[string]string{annotationRun: j.Run, annotationStage: j.Stage, annotationAttempt: strconv.Itoa(j.Attempt)}
	top := metadata{Name: j.ID, Namespace: p.api.namespace, Labels: maps.Clone(labels), Annotations: maps.Clone(annotations)}
	top.Annotations[annotationSpec] = specDigest(j)
	if o.Queue != "" {
		top.Labels[labelQueue] = o.Queue
	}
	annotations[annotationProgram] = address
	no := false
	spec := podSpec{
		RestartPolicy: "Never", NodeSelector: p.nodeSelector(j), Affinity: p.affinity(j), Tolerations: tolerated,
		PriorityClass: o.priority(&j.Resources), ServiceAccount: o.ServiceAccount, ServiceLinks: &no,
		Grace: max(1, seconds(j.Limits.Grace)), Deadline: deadline(j.Limits), HostNetwork: o.HostNetwork,
		SecurityContext: podSecurity(o.User), Volumes: []volume{p.volume(j)},
		Containers: []container{{
			Name: containerName, Image: o.Image, Command: []string{"/bin/sh", "-c", escape(j.Script())}, WorkingDir: home, Env: env,
			Resources: demands(o, &j.Resources), Mounts: []mount{{Name: "home", Path: home}}, MessagePolicy: "FallbackToLogsOnError",
			SecurityContext: &securityContext{Escalation: &no, Capabilities: &capabilities{Drop: []string{"ALL"}}},
		}},
	}
	if o.ServiceAccount == "" {
		spec.MountToken = &no // a stage has no business with the cluster
	}
	for _, name := range o.PullSecrets {
		spec.PullSecrets = append(spec.PullSecrets, reference{name})
	}
	return &job{
		APIVersion: "batch/v1", Kind: "Job", Metadata: top,
		Spec: jobSpec{
			BackoffLimit: 0, Completions: 1, Parallelism: 1, TTL: int(keepEnded.Seconds()), Suspend: o.Queue != "", // Kueue begins it
			Template: template{Metadata: metadata{Labels: labels, Annotations: annotations}, Spec: spec},
		},
	}, nil
}

// deadline ends what nobody ends, some time after the adapter would have. It counts
// from when a node has the pod.
func deadline(l executor.Limits) int64 {
	if l.Run == 0 {
		return 0
	}
	return seconds(l.Start + l.Run + 2*l.Grace + time.Minute)
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// podSecurity is what the strictest of Kubernetes' pod security standards asks for,
// unless the user is root.
func podSecurity(user int64) *podSecurityContext {
	c := &podSecurityContext{RunAsUser: &user, RunAsGroup: &user, FSGroup: &user, Seccomp: &seccompProfile{Type: "RuntimeDefault"}}
	if user != 0 {
		yes := true
		c.RunAsNonRoot = &yes
	}
	return c
}

// volume is the worker's folder: the claim, else one that goes with the pod.
func (p *Provider) volume(j *executor.Job) volume {
	if p.options.Volume != "" {
		return volume{Name: "home", Claim: &claim{p.options.Volume}}
	}
	v := volume{Name: "home", EmptyDir: &emptyDir{}}
	if j.Resources.Disk > 0 {
		v.EmptyDir.SizeLimit = strconv.FormatInt(j.Resources.Disk, 10)
	}
	return v
}

// env are the worker's variables, in a fixed order. Values of secrets stay in the
// cluster.
func (p *Provider) env(j *executor.Job) ([]variable, error) {
	env := []variable{
		{Name: "HOME", Value: home},
		{Name: "TMPDIR", Value: home},
		{Name: executor.EnvProgramURL, From: &source{Field: &field{"metadata.annotations['" + annotationProgram + "']"}}},
	}
	for _, name := range slices.Sorted(maps.Keys(j.Env)) {
		env = append(env, variable{Name: name, Value: escape(j.Env[name])})
	}
	for _, name := range slices.Sorted(slices.Values(j.Secrets)) {
		where := p.options.Secrets[name]
		if where == "none" {
			continue
		}
		secret, key, ok := strings.Cut(where, "/")
		if !ok || secret == "" || key == "" {
			return nil, stages.Fail(stages.CodeEnvironment,
				"add to the executor's section of your config: `secrets: {"+name+": SECRET/KEY}`, a Secret in namespace "+p.api.namespace+" and its key",
				"stage %s needs %s, and nothing says where the cluster keeps it", j.Stage, name)
		}
		env = append(env, variable{Name: name, From: &source{Secret: &secretKey{secret, key}}})
	}
	return env, nil
}

// escape keeps Kubernetes from replacing $(NAME) and $$ in a value.
func escape(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// nodeSelector are the labels that a node must have.
func (p *Provider) nodeSelector(j *executor.Job) map[string]string {
	selector := maps.Clone(p.options.NodeSelector)
	if selector == nil {
		selector = map[string]string{}
	}
	if j.Resources.Preemptible {
		maps.Copy(selector, p.options.Preemptible.NodeSelector)
	}
	if os, arch, ok := strings.Cut(j.Program.Platform, "/"); ok {
		selector["kubernetes.io/os"], selector["kubernetes.io/arch"] = os, arch
	}
	if kind := j.Resources.GPUType; kind != "" {
		value, ok := p.options.GPUTypes[kind]
		if !ok {
			value = kind
		}
		selector[p.options.GPULabel] = value
	}
	return selector
}

// affinity keeps a pod that must stay off the nodes that may be taken away: those that have
// all of their labels.
func (p *Provider) affinity(j *executor.Job) *affinity {
	labels := p.options.Preemptible.NodeSelector
	if j.Resources.Preemptible || len(labels) == 0 {
		return nil
	}
	a := &affinity{}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		a.Node.Required.Terms = append(a.Node.Required.Terms, nodeTerm{[]expression{{Key: key, Operator: "NotIn", Values: []string{labels[key]}}}})
	}
	return a
}

// priority is the PriorityClass of a pod.
func (o *Options) priority(r *executor.Resources) string {
	if r.Preemptible {
		return cmp.Or(o.Preemptible.PriorityClass, o.PriorityClass)
	}
	return o.PriorityClass
}

// demands are the pod's: what is asked for is also the limit of memory, GPUs and
// disk; a processor that is idle may be used.
func demands(o *Options, r *executor.Resources) resources {
	d := resources{Requests: map[string]string{}, Limits: map[string]string{}}
	both := func(name, amount string) { d.Requests[name], d.Limits[name] = amount, amount }
	if r.GPUs > 0 {
		both(o.GPUResource, strconv.Itoa(r.GPUs))
	}
	if r.CPUs > 0 {
		d.Requests["cpu"] = strconv.Itoa(r.CPUs)
	}
	if r.Memory > 0 {
		both("memory", strconv.FormatInt(r.Memory, 10))
	}
	if r.Disk > 0 && o.Volume == "" {
		both("ephemeral-storage", strconv.FormatInt(r.Disk, 10))
	}
	return d
}

// tolerations are the taints that do no harm. A silent node has a time: Kubernetes'
// own default is five minutes.
func tolerations(o *Options, r *executor.Resources) ([]toleration, error) {
	silent := seconds(o.Unreachable)
	out := []toleration{
		{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", Seconds: &silent},
		{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", Seconds: &silent},
	}
	if r.GPUs > 0 {
		out = append(out, toleration{Key: o.GPUResource, Operator: "Exists"}) // keeps others off the GPUs
	}
	tolerated := o.Tolerations
	if r.Preemptible {
		tolerated = slices.Concat(tolerated, o.Preemptible.Tolerations)
	}
	for _, text := range tolerated {
		taint, effect, _ := strings.Cut(text, ":")
		key, value, valued := strings.Cut(taint, "=")
		if key == "" || effect != "" && effect != "NoSchedule" && effect != "PreferNoSchedule" && effect != "NoExecute" {
			return nil, stages.Fail(stages.CodeEnvironment, "write key, key:EFFECT or key=value:EFFECT with NoSchedule, PreferNoSchedule or NoExecute", "toleration %q names no taint", text)
		}
		t := toleration{Key: key, Operator: "Exists", Effect: effect}
		if valued {
			t.Operator, t.Value = "Equal", value
		}
		out = append(out, t)
	}
	return out, nil
}
