package slurm

import (
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// ended reports whether a job in this state runs no more. A word that is not known is
// no end: later versions have more.
func ended(state string) bool {
	switch state {
	case "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "DEADLINE", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL":
		return true
	}
	return false
}

// going is the status of a job that has not ended.
func going(state, reason, node string) executor.Status {
	s := executor.Status{Phase: executor.PhaseRunning, Node: node}
	if reason != "None" && reason != "(null)" {
		s.Reason = reason
	}
	switch state {
	case "PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD":
		s.Phase, s.Node = executor.PhaseQueued, ""
		s.Hint, s.Hopeless = waiting(reason)
	case "CONFIGURING", "POWER_UP_NODE":
		s.Phase = executor.PhaseStarting
	case "RUNNING":
	default: // what it does beside running: COMPLETING, SUSPENDED
		s.Reason = strings.TrimSpace(strings.ToLower(state) + " " + s.Reason)
	}
	return s
}

// waiting says what to do about a reason to wait, and whether waiting is in vain.
func waiting(reason string) (hint string, hopeless bool) {
	switch lower := spaced(reason); {
	case strings.Contains(lower, "requeued held"), lower == "job requeued in held state":
		return "the cluster could not start it; `scontrol show job` says why", true
	case lower == "partitionconfig", lower == "partitionnodelimit", lower == "badconstraints":
		return "ask for less in the stage's resources: no node of the partition has that much", true
	case lower == "partitiontimelimit":
		return "lower the stage's timeout, or choose a partition that allows it", true
	case lower == "invalidaccount", lower == "accountnotallowed":
		return "choose an account that may use the partition", true
	case lower == "invalidqos", lower == "qosnotallowed":
		return "choose a QOS that may be used here", true
	case strings.HasSuffix(lower, "perjoblimit"), strings.HasSuffix(lower, "perjob"):
		return "ask for less in the stage's resources: a limit for each job is below it", true
	case lower == "dependencyneversatisfied":
		return "", true
	case strings.HasPrefix(lower, "jobheld"):
		return "`scontrol release` lets it go on", false
	case lower == "partitiondown", lower == "partitioninactive", strings.HasPrefix(lower, "reqnodenotavail"):
		return "wait until its nodes are back, or choose another partition", false
	}
	return "", false
}

// spaced is a reason as squeue writes it; scontrol has underscores in the place of blanks.
func spaced(reason string) string { return strings.ToLower(strings.ReplaceAll(reason, "_", " ")) }

// fields are what `scontrol -o show job` says, by key. Values with blanks are cut at the
// first: none of those that are read has one.
func fields(line string) map[string]string {
	all := map[string]string{}
	for _, word := range strings.Fields(line) {
		if key, value, ok := strings.Cut(word, "="); ok {
			if _, there := all[key]; !there {
				all[key] = value
			}
		}
	}
	return all
}

// end is the status of a job that has ended, by its state and what else is known of it.
func end(state string, known map[string]string) executor.Status {
	s := executor.Status{Phase: executor.PhaseEnded, Reason: state, Node: known["BatchHost"]}
	s.Restarts, _ = strconv.Atoi(known["Restarts"])
	if reason := known["Reason"]; reason != "" && reason != "None" && reason != "(null)" {
		s.Reason += " (" + reason + ")"
	}
	switch state {
	case "COMPLETED":
		s.Known = true
	case "FAILED":
		// A controller that forgot in a crash that it had started the job ends it with 1
		// when it starts it again; a worker that ends with 1 has said why in the store.
		s.ExitCode, s.Known = exitCode(known["ExitCode"])
		s.Known = s.Known && s.ExitCode != 1
	case "NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "RECONFIG_FAIL":
		s.Lost = true
	case "PREEMPTED":
		s.Preempted = true
	case "OUT_OF_MEMORY":
		s.OutOfMemory = true
	case "TIMEOUT", "DEADLINE":
		s.TimedOut = true
	case "CANCELLED", "REVOKED":
		s.Reason = "cancelled at the cluster"
		s.Hint = "find out who ran scancel; the same command tries again"
	}
	return s
}

// exitCode reads code:signal.
func exitCode(text string) (int, bool) {
	a, b, _ := strings.Cut(text, ":")
	code, err := strconv.Atoi(a)
	if err != nil {
		return 0, false
	}
	if signal, err := strconv.Atoi(b); err == nil && signal != 0 {
		return 128 + signal, true
	}
	return code, true
}
