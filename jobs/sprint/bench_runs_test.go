package main

import (
	"fmt"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// BenchmarkRuns times the list of 1,000 runs with their figures as a whole process, in
// milliseconds; the mark is 300.
func BenchmarkRuns(b *testing.B) {
	const n = 1000
	dir := b.TempDir()
	bin := filepath.Join(dir, "sprint")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	s, err := storage.Open(b.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f1, gain := 0.887, 0.377
	outputs := map[string]runs.OutputResult{}
	for _, name := range []string{"metrics", "checks", "predictions", "timings", "model", "history"} {
		outputs[name] = runs.OutputResult{Digest: fmt.Sprintf("sha256:%064x", len(name)), Size: 1}
	}
	for i := range n {
		started := time.Date(2026, 1, 2, 3, 0, i, 0, time.UTC)
		id := runs.NewID(started)
		r := runs.Record{Plan: "news", Started: started, Finished: started.Add(time.Minute), Command: "sprint run plan.yaml"}
		r.Run, r.Class = &id, "done"
		r.Figures = &runs.Figures{Model: "news@1", Device: "cpu", On: "gold", MacroF1: &f1, Gain: &gain}
		for _, stage := range []string{"fetch", "label", "split", "train", "verify", "publish"} {
			r.Stages = append(r.Stages, runs.StageResult{Name: stage, Kind: stage, State: runs.Succeeded, Outputs: outputs})
		}
		if err := runs.SaveRecord(b.Context(), s, r); err != nil {
			b.Fatal(err)
		}
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		out, err := osexec.Command(bin, "runs", "-n", "0", "-o", "json", "--store", filepath.Join(dir, "store")).Output()
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		if lines := slices.Index(out, '\n'); lines < 0 {
			b.Fatal("no run is listed")
		}
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "ms")
}
