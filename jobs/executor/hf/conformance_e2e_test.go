//go:build e2e && unix

package hf

import (
	"os"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/hf/hftest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// TestConformance runs what every executor must do over the stand-in for the hub.
func TestConformance(t *testing.T) {
	hub := hftest.New(t)
	dir := t.TempDir()
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			return executortest.Remote(t, provider(t, hub), store, append(env, executor.EnvProgramDir+"="+dir)...)
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
}
