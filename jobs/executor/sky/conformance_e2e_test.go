//go:build e2e && unix

package sky

import (
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/sky/skytest"
	"github.com/sprint-ml/sprint/storage"
)

// TestConformance runs what every executor must do over the stand-in for SkyPilot.
func TestConformance(t *testing.T) {
	s := skytest.New(t)
	dir := t.TempDir()
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			return executortest.Remote(t, provider(t, s), store, append(env, executor.EnvProgramDir+"="+dir)...)
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
}
