package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

var taxonomyFile = stages.Source{Name: "taxonomy.yaml", Data: []byte(`categories:
  - name: crime
    tags: [theft, fraud]
    rules:
      - {id: theft, tag: theft, words: [wba]}
  - name: sports
    tags: [football]
    rules:
      - {id: sports, tag: football, words: [wbb]}
`)}

// headlines are rows of the tiny encoder's words; wba makes crime, wbb sports.
func headlines(n int, seed uint64) []rows.Row {
	rng := rand.New(rand.NewPCG(seed, 1))
	var out []rows.Row
	for i := range n {
		var words []string
		for range 3 + rng.IntN(9) {
			words = append(words, "wa"+string(rune('a'+rng.IntN(26))))
		}
		r := rows.Row{Labels: make([]rows.Label, 2)}
		if i%2 == 0 {
			words = append(words, "wba")
			r.Labels[0] = rows.Label{Score: 1, Tag: "theft"}
		}
		if i%7 == 0 {
			words = append(words, "wbb")
			r.Labels[1] = rows.Label{Score: 0.8, Tag: "football"}
		}
		r.Title = strings.Join(words, " ")
		out = append(out, r)
	}
	return out
}

func parquet(t testing.TB, set []rows.Row) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, set, []string{"crime", "sports"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// options train the tiny encoder in folder dir.
func options(dir string) *Options {
	return &Options{Encoder: dir, Epochs: 3, BatchSize: 16, BatchTokens: 512, LearningRate: 5e-3, HeadScale: 1, LayerDecay: 1, Warmup: 0.1,
		Schedule: "linear", WeightDecay: 0.01, Clip: 1, Dropout: 0.1, Pooling: bert.Mean, HeadHidden: 16, MaxLength: 24, Text: []string{"title"},
		ClassWeights: "sqrt", MaskAbstain: true, TagLoss: "tagged", ScoreWeight: 0.5, TagWeight: 0.5, Patience: 3, BestBy: "loss", Sampling: "natural", Precision: "fp32",
		MicroBatches: 1, FreezeEmbed: "false", Seed: 1, Checkpoint: 4, CheckpointMinutes: 10}
}

// attempt is a training on the pure-Go device, which starts at once.
func attempt(t testing.TB, o *Options) stagetest.Case {
	return stagetest.Case{Kind: Kind(), Options: o, Taxonomy: taxonomyFile, CacheDir: encodertest.Cache(), Offline: true,
		Inputs: map[string]any{"train": parquet(t, headlines(96, 1)), "val": parquet(t, headlines(48, 2))},
		Env:    func(e *stages.Env) { e.Device = device.Go }}
}

func history(t testing.TB, r *stagetest.Result) []Epoch {
	t.Helper()
	var h []Epoch
	if err := json.Unmarshal(r.File(t, "history"), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func failure(t testing.TB, err error) *stages.Failure {
	t.Helper()
	var f *stages.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v", err)
	}
	return f
}
