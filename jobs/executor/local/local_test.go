package local_test

import (
	"os"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

// TestConforms: attempts in this process and in a child end alike.
func TestConforms(t *testing.T) {
	with := func(program string) func(*testing.T, *storage.Store, ...string) executor.Executor {
		return func(_ *testing.T, store *storage.Store, env ...string) executor.Executor {
			return local.New(jobstest.Kinds(&jobstest.Counter{}), store, program, append(os.Environ(), env...), jobstest.NoSecret)
		}
	}
	t.Run("in this process", func(t *testing.T) {
		executortest.Run(t, executortest.Subject{New: with(""), Kind: "make", Output: "raw"})
	})
	t.Run("in a child", func(t *testing.T) {
		needSignals(t)
		executortest.Run(t, executortest.Subject{New: with(os.Args[0]), Kind: "slow", Output: "end", Process: true})
	})
}
