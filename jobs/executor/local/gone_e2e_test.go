//go:build e2e

package local_test

import (
	"os"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

// TestStoreGoneForAMinute: a store that is gone for a minute, while a stage is at work, fails
// no run: the retries of a plan that says nothing of them are enough.
func TestStoreGoneForAMinute(t *testing.T) {
	needSignals(t)
	executortest.Subject{
		New: func(_ *testing.T, store *storage.Store, env ...string) executor.Executor {
			return local.New(jobstest.Kinds(&jobstest.Counter{}), store, os.Args[0], append(os.Environ(), env...), jobstest.NoSecret)
		},
		Kind: "slow", Output: "end", Process: true,
	}.StoreGone(t, time.Minute, time.Second)
}
