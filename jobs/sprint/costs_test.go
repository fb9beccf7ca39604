package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// TestShownCosts: runs and status say what a run cost, and nothing of costs where nothing
// was paid.
func TestShownCosts(t *testing.T) {
	dir := t.TempDir()
	store, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	save := func(id string, cost *runs.StageCost) {
		t.Helper()
		began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		stage := runs.StageResult{Name: "train", Kind: "train", State: runs.Succeeded, Seconds: 9, Cost: cost}
		r := runs.Record{Plan: "news", Started: began, Finished: began.Add(time.Minute), Result: runs.Result{Run: &id, Class: "done", Stages: []runs.StageResult{stage}}}
		if r.Cost = runs.CostOf(r.Stages); r.Cost != nil {
			r.Cost.Most, r.Cost.Ended = 5*money.Unit, []string{"train"}
		}
		if err := runs.SaveRecord(t.Context(), store, r); err != nil {
			t.Fatal(err)
		}
	}
	const free, paid = "20260102-030405-00000001", "20260102-030406-00000002"
	save(free, nil)
	_, out, _ := exec(t, dir, "runs", "--store", "store")
	if strings.Contains(out, "COST") {
		t.Errorf("nothing was paid:\n%s", out)
	}
	if _, out, _ = exec(t, dir, "status", free, "--store", "store"); strings.Contains(strings.ToLower(out), "cost") {
		t.Errorf("nothing was paid:\n%s", out)
	}
	save(paid, (runs.StageCost{Currency: "EUR"}).With(runs.AttemptCost{Attempt: 1, Seconds: 7200, PerHour: 1_800_000, Calls: 45_678, Total: 3_645_678}))
	_, out, _ = exec(t, dir, "runs", "--store", "store")
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		want := map[string]string{free: " -  ", paid: "3.65 EUR", "RUN": "COST"}[strings.Fields(line)[0]]
		if !strings.Contains(line, want) {
			t.Errorf("%q has no %q", line, want)
		}
	}
	_, out, _ = exec(t, dir, "status", paid, "--store", "store")
	if !strings.Contains(out, "3.65") || !strings.Contains(out, "cost 3.65 EUR, of which 0.046 for answers of models; max_cost is 5.00, which ended early: train\n") {
		t.Errorf("status:\n%s", out)
	}
	_, out, _ = exec(t, dir, "status", paid, "--store", "store", "-o", "json")
	if !strings.Contains(out, `"cost":{"currency":"EUR","total":3.645678,"calls":0.045678,"max_cost":5,"ended":["train"]}`) {
		t.Errorf("json: %s", out)
	}
}
