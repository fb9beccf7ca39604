package kubernetes

import (
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestList: Jobs of ours that have not ended are listed, with what their annotations say;
// others in the namespace are not.
func TestList(t *testing.T) {
	f := newFake(t)
	p := newProvider(t, f, withSecret)
	j := newJob()
	h := submit(t, p, j)
	f.noPods = true
	other := newJob()
	other.ID = executor.JobID("run", "other", 1, "x")
	submit(t, p, other)
	f.mu.Lock()
	delete(f.jobs[other.ID].Metadata.Labels, labelManager)
	f.mu.Unlock()
	f.change(running)
	got, err := p.List(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if l := got[0]; l.Handle != h || l.ID != j.ID || l.Run != j.Run || l.Stage != j.Stage || l.Attempt != j.Attempt || l.Status.Phase != executor.PhaseRunning || l.Status.Node != "n1" {
		t.Errorf("%+v", l)
	}
	f.change(exits(0, "Completed"))
	if got, err := p.List(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("of what has ended: %+v, %v", got, err)
	}
	f.denied["list jobs"] = true
	_, err = p.List(t.Context())
	wantFailure(t, "no right", err, false, "forbidden", "rbac.yaml")
}
