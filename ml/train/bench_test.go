package train

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// benchRows is the size of the fine-tune that is timed.
const benchRows = 700

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

// BenchmarkFineTune times the training of MiniLM with nine categories on 700
// headlines, batches of at most 32 of like length, fp32, after compilation. Set
// GLIBC_TUNABLES=glibc.malloc.hugetlb=1 as the runner does for its worker. With
// BENCH_TORCH naming a Python that has torch and transformers, the peers
// of bench/peer_torch.py run in the same go.
func BenchmarkFineTune(b *testing.B) {
	e, err := encoder.Load(encodertest.MiniLM(b))
	if err != nil {
		b.Fatal(err)
	}
	d := xla(b)
	var categories []bert.Category
	for i := range 9 {
		categories = append(categories, bert.Category{Name: fmt.Sprintf("c%d", i), Tags: []string{"", "a", "b", "c", "d", "e"}})
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: categories, Pooling: bert.Pooler, HeadHidden: 128, MaxLength: 128, Text: []string{"title"}}, 7)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	var train []Example
	for _, t := range titles() {
		x := Example{Score: make([]float32, 9), Tag: make([]int32, 9), Weight: make([]float32, 9)}
		x.IDs, x.Types = m.Encode(t, "")
		for c := range 9 {
			x.Weight[c], x.Tag[c] = 1, int32(rng.IntN(6))
			x.Score[c] = float32(rng.IntN(2)) * 0.8
		}
		train = append(train, x)
	}
	o := options()
	o.BatchSize, o.BatchTokens, o.MaxShapes, o.LearningRate, o.Epochs, o.Dropout = 32, 4096, 8, 2e-5, 3, 0.1
	tr := start(b, m, d, train, train[:32], o)
	epoch := func() {
		for !tr.EpochOver() {
			if _, _, err := tr.Next(); err != nil {
				b.Fatal(err)
			}
		}
		tr.NextEpoch()
		tr.epoch, tr.step = 0, 0 // the schedule begins again
	}
	epoch() // programs are warm after one pass
	var ours time.Duration
	for b.Loop() {
		began := time.Now()
		epoch()
		ours += time.Since(began)
	}
	rate := float64(len(train)*b.N) / ours.Seconds()
	b.Logf("shapes %v", tr.Shapes())
	b.ReportMetric(rate, "rows/s")
	b.ReportMetric(100*(1-float64(tr.Tokens)/float64(tr.Padded)), "%padding")
	b.ReportMetric(tr.CompileTime.Seconds(), "s-compile")
	python := os.Getenv("BENCH_TORCH")
	if python == "" {
		return
	}
	for name, args := range map[string][]string{
		"sorted32": {"--rows", fmt.Sprint(benchRows), "--pad", "dynamic", "--batch", "32", "--sort", "--epochs", "1"},
		"pad512":   {"--rows", fmt.Sprint(benchRows), "--pad", "512", "--batch", "8", "--max-steps", "10"},
	} {
		cmd := exec.Command(python, append([]string{"bench/peer_torch.py", os.Getenv("BENCH_MODEL"), os.Getenv("BENCH_ROWS")}, args...)...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var peer struct {
			Peer string  `json:"peer"`
			Rate float64 `json:"rows_per_s"`
		}
		if err := json.Unmarshal(out, &peer); err != nil {
			b.Fatal(err)
		}
		b.Logf("%s %s: %.1f rows/s, ours %.1f", name, peer.Peer, peer.Rate, rate)
		b.ReportMetric(rate/peer.Rate, "x-"+name)
	}
}
