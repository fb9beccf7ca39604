//go:build e2e

package examples

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestMaxCostEndsATraining: a training on a rented machine ends with its best epoch when
// max_cost is up, for no more than that, and the run goes on to verify.
func TestMaxCostEndsATraining(t *testing.T) {
	// A second costs 1.
	_, config := sshPlace(t, 1, "    price_per_hour: 3600 EUR\n    limits: {grace: 5s}\n")
	url := storagetest.S3URL(t, nil)()
	args := []string{"--until", "verify", "--set", "train.epochs=500", "--set", "train.patience=0", "--config", config, "--executor", "train=gpu"}
	res := run(t, url, "quickstart/plan.yaml", append(args, "--max-cost", "60 EUR")...)
	at, err := runs.Load(t.Context(), openURL(t, url), *res.Run)
	if err != nil || at.Record == nil {
		t.Fatalf("code %d: %s; %v", res.Code, res.Error, err)
	}
	// Whether the gate of verify opens is not the question: it has measured the model.
	stages := map[string]runs.StageResult{}
	for _, st := range at.Record.Stages {
		stages[st.Name] = st
	}
	train, cost := stages["train"], at.Record.Cost
	if train.State != runs.Succeeded || len(stages["verify"].Outputs) == 0 {
		t.Fatalf("train %+v, verify %+v", train, stages["verify"])
	}
	if !strings.Contains(train.Reason, "the money of the run was up after") || cost == nil || len(cost.Ended) != 1 || cost.Ended[0] != "train" {
		t.Errorf("the record does not say that money ended it: %q, %+v", train.Reason, cost)
	}
	if cost.Total <= 0 || cost.Total > cost.Most || cost.Most != 60_000_000 || cost.Currency != "EUR" {
		t.Errorf("it cost %s of %s", cost.Total, cost.Most)
	}
	t.Logf("cost %s of %s, %s; %s", cost.Total, cost.Most, train.Reason, train.Cost.Tries[0].Basis)
	// The same again takes the model, and says what it is.
	again := run(t, url, "quickstart/plan.yaml", append(args, "--max-cost", "60 EUR")...)
	if at, err = runs.Load(t.Context(), openURL(t, url), *again.Run); err != nil {
		t.Fatal(err)
	}
	for _, st := range at.Record.Stages {
		if st.Name == "train" && (st.State != runs.Cached || !strings.Contains(st.Reason, "--force=train")) {
			t.Errorf("again: %s, %s", st.State, st.Reason)
		}
	}
	// What is known to cost more is refused before anything begins: verify took seconds.
	args[len(args)-1] = "verify=gpu"
	r := run(t, url, "quickstart/plan.yaml", append(args, "--force=verify", "--max-cost", "0.10 EUR")...)
	if r.Code != 124 || r.Run != nil || !strings.Contains(r.Error, "nothing was begun: the money of the run is up") {
		t.Errorf("with too little for verify: code %d, %s", r.Code, r.Error)
	}
	// So is what is no amount of the prices' currency.
	for text, want := range map[string]int{"0": 2, "-5": 2, "NaN": 2, "5 eur": 2, "five": 2, "5 USD": 2} {
		if r := run(t, url, "quickstart/plan.yaml", append(args, "--force=train", "--max-cost", text)...); r.Code != want || r.Run != nil {
			t.Errorf("--max-cost %s: code %d, %s", text, r.Code, r.Error)
		}
	}
}
