package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/train"
)

// benchRows and benchEpochs are the size of the fine-tune that is timed.
const (
	benchRows   = 700
	benchEpochs = 3
)

// titles are real Swedish headlines if $BENCH_ROWS names a jsonl file of
// them, else made up with like lengths.
func titles() []string {
	var out []string
	if f, err := os.Open(os.Getenv("BENCH_ROWS")); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan() && len(out) < benchRows; {
			var r struct{ Title string }
			if json.Unmarshal(s.Bytes(), &r) == nil {
				out = append(out, r.Title)
			}
		}
		return out
	}
	rng := rand.New(rand.NewPCG(1, 1))
	words := []string{"regeringen", "vill", "brand", "i", "Göteborg", "efter", "olycka", "polisen", "söker", "ny", "match", "stormen", "på", "väg"}
	for range benchRows {
		t := ""
		for range 4 + rng.IntN(8) {
			t += words[rng.IntN(len(words))] + " "
		}
		out = append(out, t)
	}
	return out
}

// headlines is the fine-tune that is timed.
func headlines(m *bert.Model, frozen int) ([]train.Example, train.Options) {
	rng := rand.New(rand.NewPCG(7, 7))
	var examples []train.Example
	for _, t := range titles() {
		x := train.Example{Score: make([]float32, benchCategories), Tag: make([]int32, benchCategories), Weight: make([]float32, benchCategories)}
		x.IDs, x.Types = m.Encode(t, "")
		for c := range benchCategories {
			x.Weight[c], x.Tag[c] = 1, int32(rng.IntN(benchTags))
			x.Score[c] = float32(rng.IntN(2)) * 0.8
		}
		examples = append(examples, x)
	}
	o := options()
	o.BatchSize, o.BatchTokens, o.MaxShapes, o.LearningRate, o.Epochs, o.Dropout, o.FreezeLayers = 32, 4096, 8, 2e-5, benchEpochs, 0.1, frozen
	return examples, o
}

const fineTuneEnv = "SPRINT_BENCH_FINE_TUNE"

// BenchmarkFineTuneServer is our side of BenchmarkFineTune: it is asked for
// whole fine-tunes with n layers frozen. The clock runs from the loaded model
// over tokenising, the programs, the warm-up and its checkpoint to the last
// step.
func BenchmarkFineTuneServer(b *testing.B) {
	if os.Getenv(fineTuneEnv) == "" {
		b.Skip("a part of BenchmarkFineTune")
	}
	// The first fine-tune of a process compiles its programs, the others load them.
	m, d := benchModel(b), openCPU(b, filepath.Join(b.TempDir(), "programs"))
	serve(b, "ready", func(frozen int) timing {
		began := time.Now()
		examples, o := headlines(m, frozen)
		tr, err := train.New(m, d, examples, examples[:32], o)
		if err != nil {
			b.Fatal(err)
		}
		defer tr.Close()
		first := b.TempDir()
		if err := tr.Save(first); err != nil {
			b.Fatal(err)
		}
		if _, _, _, err := tr.WarmUp(context.Background(), func(int, int) {}); err != nil {
			b.Fatal(err)
		}
		if err := tr.Restore(first); err != nil {
			b.Fatal(err)
		}
		for !tr.Done() {
			for !tr.EpochOver() {
				if _, _, err := tr.Step(); err != nil {
					b.Fatal(err)
				}
			}
			tr.NextEpoch()
		}
		return timing{MS: []float64{1e3 * time.Since(began).Seconds()}, CompileMS: 1e3 * tr.CompileTime.Seconds(), Padding: 1 - float64(tr.Tokens)/float64(tr.Padded)}
	})
}

// BenchmarkFineTune times the whole training of MiniLM with nine categories on
// 700 headlines for three epochs, batches of 32, fp32, dropout on; with four of
// six layers frozen too. If BENCH_TORCH names a Python that has torch and
// transformers, fine_tune.py takes turns with it, padded to the longest
// of batches sorted by length, and once padded to 512 for ten steps.
func BenchmarkFineTune(b *testing.B) {
	ours := ourSide(b, "BenchmarkFineTuneServer", fineTuneEnv+"=1")
	python := os.Getenv("BENCH_TORCH")
	peer := func(args ...string) (rate float64) {
		cmd := exec.Command(python, append([]string{"fine_tune.py", encodertest.MiniLM(b), os.Getenv("BENCH_ROWS"), "--rows", fmt.Sprint(benchRows)}, args...)...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var answer struct {
			Peer string  `json:"peer"`
			Rate float64 `json:"rows_per_s"`
		}
		if err := json.Unmarshal(out, &answer); err != nil {
			b.Fatal(err)
		}
		b.Logf("%s: %.2f rows/s with %v", answer.Peer, answer.Rate, args)
		return answer.Rate
	}
	const rows = benchRows * benchEpochs
	cold := ours.ask(b, 0)
	var whole, frozen, sorted []float64
	var last timing
	for b.Loop() {
		last = ours.ask(b, 0)
		whole = append(whole, rows/(last.MS[0]/1e3))
		frozen = append(frozen, rows/(ours.ask(b, 4).MS[0]/1e3))
		if python != "" {
			sorted = append(sorted, peer("--pad", "dynamic", "--batch", "32", "--sort", "--epochs", fmt.Sprint(benchEpochs)))
		}
	}
	b.ReportMetric(rows/(cold.MS[0]/1e3), "rows/s-first")
	b.ReportMetric(100*cold.CompileMS/cold.MS[0], "%compile-first")
	b.ReportMetric(cold.PeakMB, "MB-peak-first")
	b.ReportMetric(median(whole), "rows/s")
	b.ReportMetric(100*last.CompileMS/last.MS[0], "%compile")
	b.ReportMetric(median(frozen), "rows/s-frozen4")
	b.ReportMetric(100*last.Padding, "%padding")
	if python == "" {
		return
	}
	b.ReportMetric(median(whole)/median(sorted), "x-sorted32")
	b.ReportMetric(median(frozen)/median(sorted), "x-sorted32-frozen4")
	b.ReportMetric(median(whole)/peer("--pad", "512", "--batch", "8", "--max-steps", "10"), "x-pad512")
}
