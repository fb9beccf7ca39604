package hf

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestStates: what the hub's words for the end of a job mean.
func TestStates(t *testing.T) {
	for message, want := range map[string]executor.Status{
		"Job failed with exit code: 3": {Known: true, ExitCode: 3},
		"Job timeout":                  {TimedOut: true},
		"OOMKilled":                    {OutOfMemory: true},
		"Failed to pull image python:3.99: not found":    {Hopeless: true, Hint: "change image of the executor"},
		"Job failed with exit code: 1, no image to show": {Known: true, ExitCode: 1},
		"something new": {},
	} {
		job := &info{}
		job.Status.Stage, job.Status.Message = stageError, message
		want.Phase, want.Reason = executor.PhaseEnded, message
		if got := status(job); got != want {
			t.Errorf("%s: %+v, want %+v", message, got, want)
		}
	}
	job := &info{}
	if job.Status.Stage = stageDeleted; !status(job).Gone {
		t.Error("a job that was deleted there is not gone")
	}
	if job.Status.Stage = stageCanceled; status(job).Phase != executor.PhaseEnded || !strings.Contains(status(job).Reason, "cancelled") {
		t.Errorf("a job that was cancelled there: %+v", status(job))
	}
	if job.Status.Stage = "DREAMING"; status(job).Phase != executor.PhaseRunning {
		t.Error("a word of tomorrow ends a job")
	}
}
