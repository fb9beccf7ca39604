//go:build e2e && linux

package slurm_test

import (
	"os"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

func TestConformance(t *testing.T) {
	c := slurmtest.Start(t, slurmtest.Options{})
	b := newBench(t, c)
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			return executortest.Remote(t, b.Provider, store, env...)
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
	if left := c.Jobs(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}
