package peer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/train"
)

// stepBatches is what both sides of BenchmarkSteps train on: texts of one
// length.
type stepBatches struct {
	Threads int         `json:"threads"`
	Tags    int         `json:"tags"`
	Encoder string      `json:"encoder"`
	Frozen  bool        `json:"frozen"` // the embeddings, and the pooling is the mean
	Batches []stepBatch `json:"batches"`
}

type stepBatch struct {
	IDs   [][]int32   `json:"ids"`   // [texts,length]
	Score [][]float32 `json:"score"` // [texts,categories]
	Tag   [][]int32   `json:"tag"`
}

// newStepBatches cuts headlines into texts of exactly length tokens, so that
// neither side can save padding.
func newStepBatches(m *bert.Model, folder string, frozen bool, texts, length, n int) stepBatches {
	var stream []int32
	for _, t := range titles() {
		ids, _ := m.Encode(t, "")
		stream = append(stream, ids[1:len(ids)-1]...)
	}
	cls := m.Tokenizer.Encode(nil, "", 2)
	rng := rand.New(rand.NewPCG(7, 7))
	d := stepBatches{Threads: runtime.NumCPU(), Tags: benchTags, Encoder: folder, Frozen: frozen}
	at := 0
	for range n {
		var b stepBatch
		for range texts {
			ids := []int32{cls[0]}
			for len(ids) < length-1 {
				ids = append(ids, stream[at%len(stream)])
				at++
			}
			b.IDs = append(b.IDs, append(ids, cls[1]))
			score, tag := make([]float32, benchCategories), make([]int32, benchCategories)
			for c := range score {
				score[c], tag[c] = float32(rng.IntN(2))*0.8, int32(rng.IntN(benchTags))
			}
			b.Score, b.Tag = append(b.Score, score), append(b.Tag, tag)
		}
		d.Batches = append(d.Batches, b)
	}
	return d
}

func (d stepBatches) examples() []train.Example {
	var out []train.Example
	for _, b := range d.Batches {
		for i, ids := range b.IDs {
			e := train.Example{IDs: ids, Types: make([]int32, len(ids)), Score: b.Score[i], Tag: b.Tag[i], Weight: make([]float32, benchCategories)}
			for c := range e.Weight {
				e.Weight[c] = 1
			}
			out = append(out, e)
		}
	}
	return out
}

func (d stepBatches) model(b *testing.B) *bert.Model {
	b.Helper()
	pooling := bert.Pooler
	if d.Frozen {
		pooling = bert.Mean
	}
	return benchModelOf(b, d.Encoder, pooling)
}

const stepsEnv = "SPRINT_BENCH_STEPS"

// BenchmarkStepServer is our side of BenchmarkSteps.
func BenchmarkStepServer(b *testing.B) {
	file := os.Getenv(stepsEnv)
	if file == "" {
		b.Skip("a part of BenchmarkSteps")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var d stepBatches
	if err := json.Unmarshal(text, &d); err != nil {
		b.Fatal(err)
	}
	o := options()
	o.BatchSize, o.BatchTokens, o.MaxShapes, o.LearningRate, o.Epochs, o.Dropout = len(d.Batches[0].IDs), 8192, 1, 2e-5, 3, 0
	examples := d.examples()
	o.FreezeEmbed = d.Frozen
	tr, err := train.New(d.model(b), openCPU(b, ""), examples, examples[:4], o)
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	first := b.TempDir()
	if err := tr.Save(first); err != nil {
		b.Fatal(err)
	}
	if err := tr.Compile(b.Context(), func(int, int) {}); err != nil {
		b.Fatal(err)
	}
	serve(b, fmt.Sprint("shape ", tr.Shapes()), func(n int) (t timing) {
		for range n {
			if tr.EpochOver() {
				if err := tr.Restore(first); err != nil { // the schedule begins again
					b.Fatal(err)
				}
			}
			began := time.Now()
			if _, _, err := tr.Step(); err != nil {
				b.Fatal(err)
			}
			t.MS = append(t.MS, 1e3*time.Since(began).Seconds())
		}
		return t
	})
}

// BenchmarkSteps times a training step of MiniLM with nine categories, fp32,
// dropout off, all weights trained, on texts without padding, next to PyTorch
// with fused AdamW on the same ids if BENCH_TORCH names a Python that has it.
// Both take turns; the figures are medians.
func BenchmarkSteps(b *testing.B) {
	for _, shape := range [][2]int{{32, 16}, {32, 24}, {32, 32}, {16, 128}} {
		b.Run(fmt.Sprintf("%dx%d", shape[0], shape[1]), func(b *testing.B) {
			benchSteps(b, encodertest.MiniLM(b), false, shape)
		})
	}
}

// BenchmarkFrozenSteps is BenchmarkSteps for the encoder in the folder that BENCH_ENCODER names,
// mean pooling, with frozen embeddings: how one of any language is trained.
func BenchmarkFrozenSteps(b *testing.B) {
	folder := os.Getenv("BENCH_ENCODER")
	if folder == "" {
		b.Skip("BENCH_ENCODER names no folder")
	}
	b.Run("32x24", func(b *testing.B) { benchSteps(b, folder, true, [2]int{32, 24}) })
}

func benchSteps(b *testing.B, folder string, frozen bool, shape [2]int) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "batches.json")
	d := stepBatches{Encoder: folder, Frozen: frozen}
	text, err := json.Marshal(newStepBatches(d.model(b), folder, frozen, shape[0], shape[1], 20))
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		b.Fatal(err)
	}
	sides := []*side{ourSide(b, "BenchmarkStepServer", stepsEnv+"="+file)}
	if python := os.Getenv("BENCH_TORCH"); python != "" {
		sides = append(sides, startSide(b, exec.Command(python, "steps.py", folder, file)))
	}
	ms, peak := make([][]float64, len(sides)), make([]float64, len(sides))
	for _, s := range sides {
		s.ask(b, 3)
	}
	for b.Loop() {
		for i, s := range sides {
			t := s.ask(b, 5)
			ms[i], peak[i] = append(ms[i], t.MS...), t.PeakMB
		}
	}
	b.ReportMetric(median(ms[0]), "ms/step")
	b.ReportMetric(peak[0], "MB-peak")
	if len(sides) > 1 {
		b.ReportMetric(median(ms[1]), "ms/step-torch")
		b.ReportMetric(peak[1], "MB-peak-torch")
		b.ReportMetric(median(ms[0])/median(ms[1]), "x-torch")
	}
}
