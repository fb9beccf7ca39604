package kubernetes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// snapshot is what is known of a job at one moment.
type snapshot struct {
	job    *job // nil is none
	pods   []pod
	events []event // of the job, where no pod is there to tell
}

// status is what that means for the attempt.
func (p *Provider) status(s *snapshot) executor.Status {
	if i := current(s.pods); i >= 0 {
		return p.podStatus(&s.pods[i], s)
	}
	switch {
	case s.job == nil:
		return executor.Status{Phase: executor.PhaseEnded, Gone: true, Reason: "the Job is not there: it was deleted"}
	case find(s.job.Status.Conditions, "Complete") != nil:
		return executor.Status{Phase: executor.PhaseEnded, Known: true}
	case find(s.job.Status.Conditions, "Failed") != nil:
		c := find(s.job.Status.Conditions, "Failed")
		return executor.Status{Phase: executor.PhaseEnded, Lost: true, Reason: "its pod is gone: " + said(c.Reason, c.Message)}
	case s.job.Metadata.Deleted != nil:
		return executor.Status{Phase: executor.PhaseEnded, Gone: true, Reason: "the Job was deleted"}
	case s.job.Spec.Suspend:
		return p.suspended(s)
	}
	return p.podless(s)
}

// current is the index of the pod that says how the attempt is: the newest; -1 is none.
func current(pods []pod) int {
	best := -1
	for i := range pods {
		if best < 0 || later(&pods[i], &pods[best]) {
			best = i
		}
	}
	return best
}

func later(a, b *pod) bool {
	if (a.Metadata.Deleted == nil) != (b.Metadata.Deleted == nil) {
		return a.Metadata.Deleted == nil
	}
	if a.Metadata.Created == nil || b.Metadata.Created == nil {
		return false
	}
	return a.Metadata.Created.After(*b.Metadata.Created)
}

// suspended is a job that waits for its queue to begin it.
func (p *Provider) suspended(s *snapshot) executor.Status {
	status := executor.Status{Phase: executor.PhaseQueued, Reason: "suspended"}
	if q := p.options.Queue; q != "" {
		status.Reason = "waits in the queue " + q
		status.Hint = "`kubectl describe workloads -n " + p.api.namespace + "` says what for; without Kueue in the cluster nothing begins it"
	}
	if e := last(s.events); e != nil {
		status.Reason += ": " + said(e.Reason, e.Message)
	}
	return status
}

// podless is a job whose pod was not made yet, or cannot be.
func (p *Provider) podless(s *snapshot) executor.Status {
	status := executor.Status{Phase: executor.PhaseQueued, Reason: "no pod is made yet"}
	e := last(s.events)
	if e == nil {
		return status
	}
	status.Reason = said(e.Reason, e.Message)
	switch {
	case strings.Contains(e.Message, "exceeded quota"):
		status.Hint = "wait until others' work is done, ask for less in `resources`, or have the quota raised: `kubectl describe quota -n " + p.api.namespace + "`"
	case strings.Contains(e.Message, "serviceaccount"):
		status.Hopeless, status.Hint = true, "let `service_account` of the executor name one of namespace "+p.api.namespace
	case strings.Contains(e.Message, "PriorityClass"):
		status.Hopeless, status.Hint = true, "let `priority_class` of the executor name one that is there: `kubectl get priorityclass`"
	case strings.Contains(e.Message, "is forbidden"):
		status.Hopeless, status.Hint = true, "change the executor's options to what the namespace allows"
	}
	return status
}

// last is the newest warning; nil is none.
func last(events []event) *event {
	var newest *event
	for i := range events {
		if e := &events[i]; e.Type == "Warning" && (newest == nil || !e.Last.Before(newest.Last)) {
			newest = e
		}
	}
	return newest
}

func said(reason, message string) string {
	return strings.TrimSuffix(cmp.Or(reason, "?")+": "+firstLine(message), ": ")
}

// over reports whether no container of a pod runs or will.
func over(p *pod) bool { return p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" }

// stateOf is that of the stage's container.
func stateOf(p *pod) containerState {
	i := slices.IndexFunc(p.Status.Containers, func(c containerStatus) bool { return c.Name == containerName })
	if i < 0 {
		return containerState{}
	}
	return p.Status.Containers[i].State
}

func (p *Provider) podStatus(o *pod, s *snapshot) executor.Status {
	state := stateOf(o)
	switch {
	case state.Terminated != nil || over(o):
		return ended(o, state.Terminated)
	case disruption(o) == "lost" && o.Metadata.Deleted != nil:
		// What its container is said to do is what the node said last.
		return executor.Status{Phase: executor.PhaseEnded, Lost: true, Node: o.Spec.NodeName, Reason: "the node " + o.Spec.NodeName + " does not answer"}
	case s.job == nil && state.Running == nil && o.Spec.NodeName == "":
		return executor.Status{Phase: executor.PhaseEnded, Gone: true, Reason: "the Job was deleted"}
	case state.Running != nil:
		status := executor.Status{Phase: executor.PhaseRunning, Node: o.Spec.NodeName}
		if o.Metadata.Deleted != nil {
			status.Reason = "its pod was asked to end"
		}
		return status
	case o.Spec.NodeName == "":
		return p.unplaced(o)
	}
	return p.starting(o, state.Waiting)
}

// unplaced is a pod that no node has.
func (p *Provider) unplaced(o *pod) executor.Status {
	status := executor.Status{Phase: executor.PhaseQueued, Reason: "waits for a node"}
	for _, c := range o.Status.Conditions {
		if c.Type != "PodScheduled" || c.Status == "True" {
			continue
		}
		status.Reason = said(c.Reason, c.Message)
		switch {
		case strings.Contains(c.Message, "Insufficient"):
			status.Hint = "it begins once a node has room; `kubectl describe nodes` shows what they have"
		case strings.Contains(c.Message, "node affinity/selector"):
			status.Hint = "no node has these labels now; check `node_selector`, `gpu_types` and `gpu_label` of the executor, and `resources` of the stage"
		case strings.Contains(c.Message, "taint"):
			status.Hint = "name the taint in `tolerations` of the executor, if its nodes may be used"
		}
	}
	return status
}

// starting is a pod whose node prepares it.
func (p *Provider) starting(o *pod, w *waiting) executor.Status {
	status := executor.Status{Phase: executor.PhaseStarting, Node: o.Spec.NodeName}
	if w == nil {
		return status
	}
	status.Reason = said(w.Reason, w.Message)
	switch w.Reason {
	case "ContainerCreating", "PodInitializing":
		status.Reason = ""
	case "InvalidImageName", "ErrImageNeverPull":
		status.Hopeless, status.Hint = true, imageHint
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError":
		status.Hint, status.Hopeless = imageHint, refused(w.Message)
	case "CreateContainerConfigError":
		status.Hopeless, status.Hint = true, "make it in namespace "+p.api.namespace+", or let `secrets` of the executor name another"
	case "CreateContainerError", "RunContainerError":
		status.Hopeless, status.Hint = true, shellHint
	}
	return status
}

// What to do about ends that come back.
const (
	shellHint  = "let `image` of the executor name one with /bin/sh, glibc, CA certificates and curl, wget or Python"
	memoryHint = "ask for more `memory` in `resources` of the stage"
	diskHint   = "ask for more `disk` in `resources` of the stage"
)

const imageHint = "let `image` of the executor name one that the nodes can pull, and `pull_secrets` what opens it"

// refused reports whether an image is not there or not for us; a registry that does
// not answer may answer later.
func refused(message string) bool {
	m := strings.ToLower(message)
	for _, word := range []string{"not found", "denied", "unauthorized", "authorization failed", "no match for platform", "manifest unknown", "invalid reference"} {
		if strings.Contains(m, word) {
			return true
		}
	}
	return false
}

// disruption is why the cluster ended a pod: "preempted", "lost", or "" if it did not.
func disruption(o *pod) string {
	c := find(o.Status.Conditions, "DisruptionTarget")
	switch {
	case c == nil:
		return ""
	case c.Reason == "DeletionByTaintManager" || c.Reason == "DeletionByPodGC":
		return "lost"
	}
	// PreemptionByScheduler, EvictionByEvictionAPI, TerminationByKubelet and what Kueue says.
	return "preempted"
}

// ended is how a pod did. A worker that made a checkpoint when it was pre-empted says
// so by its exit code.
func ended(o *pod, t *terminated) executor.Status {
	status := executor.Status{Phase: executor.PhaseEnded, Node: o.Spec.NodeName, Reason: o.Status.Reason}
	if o.Status.Message != "" {
		status.Reason = said(o.Status.Reason, o.Status.Message)
	}
	if c := find(o.Status.Conditions, "DisruptionTarget"); c != nil {
		status.Reason = said(c.Reason, c.Message)
	}
	switch reason := o.Status.Reason; {
	case reason == "DeadlineExceeded":
		status.TimedOut = true
	case reason == "Evicted" && strings.Contains(o.Status.Message, "resource: memory"):
		status.OutOfMemory, status.Hint = true, memoryHint
	case reason == "Evicted":
		status.Hint = diskHint // a node evicts for want of memory, disk or process ids
	case disruption(o) == "preempted":
		status.Preempted = true
	case disruption(o) == "lost":
		status.Lost = true
	}
	if t == nil || t.Reason == "ContainerStatusUnknown" {
		status.Lost = status.Lost || !status.Preempted && !status.TimedOut && !status.OutOfMemory && o.Status.Phase != "Succeeded"
		status.Known = o.Status.Phase == "Succeeded"
		return status
	}
	status.ExitCode, status.Known = t.ExitCode, true
	if status.Reason == "" && t.ExitCode != 0 {
		status.Reason = said(t.Reason, t.Message)
	}
	switch t.Reason {
	case "OOMKilled":
		status.OutOfMemory, status.Hint = true, memoryHint
	case "StartError", "ContainerCannotRun":
		status.Hopeless, status.Known = true, false
		status.Hint = shellHint
	}
	return status
}
