//go:build e2e && linux

package slurm_test

import (
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// figures are of three nodes with two slots each.
func figures(b *testing.B) executortest.Place {
	c := newBench(b, slurmtest.Start(b, slurmtest.Options{}))
	return executortest.Place{Slots: 6, New: func(b *testing.B, store *storage.Store) executor.Executor {
		e := executortest.Remote(b, c.Provider, store)
		e.Resources = func(*runs.Attempt) executor.Resources { return executor.Resources{CPUs: 1} }
		return e
	}}
}

// BenchmarkOverhead has its mark at 2 s.
func BenchmarkOverhead(b *testing.B) { executortest.Overhead(b, figures(b)) }

// BenchmarkSixty has its mark at 55 %.
func BenchmarkSixty(b *testing.B) { executortest.Sixty(b, figures(b)) }
