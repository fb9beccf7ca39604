//go:build e2e && cluster && linux

package kubernetes_test

import (
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/storage"
)

// figures are of three nodes with two slots each.
func figures(b *testing.B) executortest.Place {
	c := startCluster(b, 2)
	return executortest.Place{
		Slots: 6,
		New:   func(b *testing.B, store *storage.Store) executor.Executor { return elsewhere(b, c, store) },
		Store: func(b *testing.B) *storage.Store { return openStore(b) },
	}
}

// BenchmarkOverhead has its mark at 5 s.
func BenchmarkOverhead(b *testing.B) { executortest.Overhead(b, figures(b)) }

// BenchmarkSixty has its mark at 45 %.
func BenchmarkSixty(b *testing.B) { executortest.Sixty(b, figures(b)) }
