package sky

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// States of a managed job at SkyPilot; others are taken as alive.
const (
	statePending    = "PENDING"
	stateSubmitted  = "SUBMITTED"
	stateStarting   = "STARTING"
	stateRecovering = "RECOVERING"
	stateSucceeded  = "SUCCEEDED"
	stateCancelled  = "CANCELLED"
	stateFailed     = "FAILED"
	stateSetup      = "FAILED_SETUP"
	statePrechecks  = "FAILED_PRECHECKS"
	stateResources  = "FAILED_NO_RESOURCE"
	stateController = "FAILED_CONTROLLER"
)

// ended reports whether nothing of a job goes on.
func ended(state string) bool {
	return state == stateSucceeded || state == stateCancelled || state == stateFailed || strings.HasPrefix(state, stateFailed+"_")
}

// exitCode is in the words for why a job failed: "Job exited with exit code 1".
var exitCode = regexp.MustCompile(`exit codes? \[?(\d{1,3})\b`)

// status reads what SkyPilot says of a job. Until a machine runs it, it waits: STARTING
// looks for one at one cloud after the other.
func status(r *row) executor.Status {
	s := executor.Status{Phase: executor.PhaseRunning, Node: machine(r), Restarts: r.Restarts}
	s.Reason, _, _ = strings.Cut(cmp.Or(r.Failure, r.Details), " To see")
	switch r.Status {
	case statePending, stateSubmitted, stateStarting, stateRecovering:
		s.Phase, s.Reason = executor.PhaseQueued, cmp.Or(s.Reason, strings.ToLower(r.Status))
	case stateSucceeded:
		s.Phase, s.Known = executor.PhaseEnded, true
	case stateCancelled:
		s.Phase, s.Reason = executor.PhaseEnded, cmp.Or(s.Reason, "it was cancelled at SkyPilot")
	case stateFailed:
		failed(&s, r)
	case stateSetup, stateController:
		s.Phase, s.Lost = executor.PhaseEnded, true
		s.Hint = "`sky jobs logs --controller " + strconv.FormatInt(*r.ID, 10) + "` tells more"
		s.OutOfMemory = killedForMemory(s.Reason)
	case statePrechecks, stateResources:
		s.Phase, s.Hopeless = executor.PhaseEnded, true
		s.Reason = cmp.Or(s.Reason, "there is no such machine to be had")
		s.Hint = "ask for less in the stage's resources, or change infra and max_hourly_cost of the executor; `sky gpus list` shows what there is"
		if text := strings.ToLower(s.Reason); strings.Contains(text, "quota") {
			s.Hint = "have the quota raised there, or let `infra` of the executor name another place"
		} else if strings.Contains(text, "image") {
			s.Hint = "let `image` of the executor name one that can be pulled there"
		}
	default:
		if ended(r.Status) { // a word that is newer than this program
			s.Phase, s.Reason = executor.PhaseEnded, cmp.Or(s.Reason, strings.ToLower(r.Status))
		}
	}
	return s
}

// failed is the end of a job whose script failed.
func failed(s *executor.Status, r *row) {
	s.Phase, s.OutOfMemory = executor.PhaseEnded, killedForMemory(s.Reason)
	m := exitCode.FindStringSubmatch(r.Failure)
	if m == nil {
		return
	}
	s.ExitCode, _ = strconv.Atoi(m[1]) // digits by the pattern
	s.Known = true
	switch {
	case s.ExitCode == codeNotAsked:
		s.ExitCode = int(stages.CodeInterrupted)
	case s.ExitCode == codeTimedOut:
		s.TimedOut, s.Known = true, false
	case s.ExitCode == int(stages.CodeEnvironment) && r.Restarts > 0:
		// What it was given at first, such as the address of its program, may hold no longer.
		s.Lost, s.Reason = true, "started again there, it could not begin: "+s.Reason
	}
}

func killedForMemory(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "oomkilled") || strings.Contains(text, "out of memory")
}

// machine is where a job runs, as far as SkyPilot says.
func machine(r *row) string {
	var words []string
	for _, w := range []string{r.Infra, r.Machine} {
		if w != "" && w != "-" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
