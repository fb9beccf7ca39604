package jobs

import (
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestStoreMayBeGoneForAMinute: a plan that is silent waits out a store that refuses every
// connection at once for a minute, however chance shortens the waits.
func TestStoreMayBeGoneForAMinute(t *testing.T) {
	plan, err := config.ParsePlan("plan.yaml", []byte("name: p\nstages: [{name: fetch}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		budget := newRetryBudget(plan.Stages[0].Retry, 0)
		total := time.Duration(0)
		for wait, ok := budget.take(executor.CauseStore); ok; wait, ok = budget.take(executor.CauseStore) {
			total += wait
		}
		if total < time.Minute || total > 3*time.Minute {
			t.Fatalf("it waits %s", total)
		}
	}
}
