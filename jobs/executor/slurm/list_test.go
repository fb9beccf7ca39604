//go:build unix

package slurm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestList: only what has the name and the comment of a job of ours, and has not ended, is
// listed, with what its comment says.
func TestList(t *testing.T) {
	id := executor.JobID("20260102-030405-00012345", "train", 2, "x")
	const comment = "sprint run 20260102-030405-00012345 stage train attempt 2"
	line := func(number, name, state, comment string) string {
		return fmt.Sprintf("echo '%s|%s|%s|None|n1|2026-01-02T03:04:05|%s'", number, name, state, comment)
	}
	f := newFake(t, Options{}).says("squeue", strings.Join([]string{
		line("1", "somebody-elses", "RUNNING", comment), line("2", id, "RUNNING", "mine|and more"), line("3", id, "COMPLETED", comment),
		line("4", "sprint-train", "RUNNING", comment), line("5", id, "RUNNING", comment),
	}, "\n"))
	got, err := f.List(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := executor.Listed{
		Handle: executor.Handle("5 " + id), ID: id, Run: "20260102-030405-00012345", Stage: "train", Attempt: 2,
		Status: executor.Status{Phase: executor.PhaseRunning, Node: "n1"}, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	got[0].Status.Reason = ""
	if got[0] != want {
		t.Errorf("%+v, want %+v", got[0], want)
	}
	if _, err := newFake(t, Options{}).says("squeue", "echo 'the controller naps'").List(t.Context()); !mayGoAway(err) {
		t.Errorf("prose for an answer: %v", err)
	}
}
