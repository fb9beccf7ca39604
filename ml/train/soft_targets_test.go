package train

import (
	"math"
	"testing"
)

// TestSoftTargets: linear heads whose targets are probabilities learn these, and the loss
// of a step is the one that validation measures.
func TestSoftTargets(t *testing.T) {
	soft := rows(64, 1)
	for i := range soft {
		for c, x := range soft[i].Score {
			soft[i].Score[c] = 0.1 + 0.6*x
		}
	}
	o := options()
	o.BatchSize, o.BatchTokens, o.Dropout, o.Epochs, o.HeadScale = 64, 2048, 0, 30, 10
	tr := start(t, linear(t), xla(t), soft, soft, o)
	before, err := tr.Validate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	loss, n, err := tr.Step()
	if err != nil {
		t.Fatal(err)
	}
	parts := 64 * before.Loss / float64(n)
	if tr.perEpoch > 1 || math.Abs(loss-parts) > 1e-4 {
		t.Errorf("the loss of %d rows is %v, validation has %v", n, loss, parts)
	}
	tr.NextEpoch()
	fit(t, tr)
	after, err := tr.Validate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mean, want := 0.0, 0.0
	for i, e := range soft {
		mean += (1 + float64(after.Scores[i][0])) / 2 / float64(len(soft))
		want += float64(e.Score[0]) / float64(len(soft))
	}
	if math.Abs(mean-want) > 0.03 || after.Loss > 0.9*before.Loss {
		t.Errorf("the probabilities are %v on average, the targets %v; loss %v -> %v", mean, want, before.Loss, after.Loss)
	}
}
