//go:build e2e && linux

package slurm_test

import (
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
)

// TestListOfACluster: a real cluster lists what runs, by its own clock, until it is ended.
func TestListOfACluster(t *testing.T) {
	t.Parallel()
	b := newBench(t, slurmtest.Start(t, slurmtest.Options{}))
	job, file := b.job("listed", "long")
	h := b.submit(job)
	b.Await(time.Minute, "the job to run", func() bool { return read(file) != "" })
	got, err := b.List(t.Context())
	if err != nil || len(got) != 1 || got[0].Handle != h || got[0].Stage != "listed" || got[0].Run != "run" || got[0].Status.Phase != executor.PhaseRunning {
		t.Fatalf("%+v, %v", got, err)
	}
	if age := time.Since(got[0].Since); age < -time.Minute || age > 10*time.Minute {
		t.Errorf("it was submitted %s ago", age)
	}
	if err := b.Cancel(t.Context(), got[0].Handle, time.Second); err != nil {
		t.Fatal(err)
	}
	if got, err := b.List(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
