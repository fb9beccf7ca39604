package executortest

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// storeUnreached: a worker that does not reach the store from there can leave no word. Its
// end is a failure of the environment that is not tried again, with what it printed.
func (s Subject) storeUnreached(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	e := s.remote(t, store)
	e.WorkerFlags = append(e.WorkerFlags, "--store", "/proc/nowhere/store") // the last one counts
	o := e.Execute(t.Context(), a, &sink{})
	if o.State != runs.Failed || o.Cause != "" || o.Manifest != nil || executor.Code(o.Err) != stages.CodeEnvironment || !strings.Contains(executor.Hint(o.Err), "doctor --executor "+e.Name) {
		t.Errorf("outcome %+v, hint %q", o, executor.Hint(o.Err))
	}
	if o.Err != nil && !strings.Contains(o.Err.Error(), "/proc/nowhere") {
		t.Errorf("what the worker printed is not told: %v", o.Err)
	}
}
