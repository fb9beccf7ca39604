package bert_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// benchTexts is how many headlines are embedded in one round: $BENCH_TEXTS, else 10,000.
func benchTexts() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_TEXTS")); err == nil && n > 0 {
		return n
	}
	return 10_000
}

// headlines are those of a jsonl file that $BENCH_ROWS names, again and again, else made
// up with like lengths.
func headlines() []string {
	var out []string
	if f, err := os.Open(os.Getenv("BENCH_ROWS")); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			var r struct{ Title string }
			if json.Unmarshal(s.Bytes(), &r) == nil {
				out = append(out, r.Title)
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	words := []string{"regeringen", "vill", "brand", "i", "Göteborg", "efter", "olycka", "polisen", "söker", "ny", "match", "stormen", "på", "väg"}
	for len(out) < 700 {
		t := ""
		for range 4 + rng.IntN(8) {
			t += words[rng.IntN(len(words))] + " "
		}
		out = append(out, t)
	}
	return slices.Repeat(out, benchTexts()/len(out)+1)[:benchTexts()]
}

// embedReply is any answer of ONNX Runtime, a process of its own; see testdata/embed_peer.py.
type embedReply struct {
	Peer    string
	MS      float64
	All     []float64 // milliseconds
	Vectors [][]float32
}

// startEmbedPeer returns how the peer is asked.
func startEmbedPeer(b *testing.B, python, folder string, texts []bert.Text) func(line string) embedReply {
	b.Helper()
	ids := make([][]int32, len(texts))
	for i, t := range texts {
		ids[i] = t.IDs
	}
	data, err := json.Marshal(ids)
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "ids.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), python, "testdata/embed_peer.py", folder, file)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	answers := json.NewDecoder(bufio.NewReaderSize(out, 1<<20))
	read := func() (r embedReply) {
		if err := answers.Decode(&r); err != nil {
			b.Fatalf("the peer ended: %v", err)
		}
		return r
	}
	b.Log(read().Peer)
	return func(line string) embedReply {
		fmt.Fprintln(in, line)
		return read()
	}
}

// embedding is what the benchmarks of embeddings share: texts, ours, and the peer if there is
// one.
type embedding struct {
	texts []bert.Text
	ours  *bert.Embedder
	ask   func(string) embedReply // nil without a peer
}

// newEmbedding embeds with $BENCH_ENCODER, a folder, else MiniLM, mean pooling, beside ONNX
// Runtime on the same ids if BENCH_ONNX names a Python that has it. Both compute the same.
func newEmbedding(b *testing.B) embedding {
	b.Helper()
	if !device.HasXLA {
		b.Skip("this build has no XLA")
	}
	folder := os.Getenv("BENCH_ENCODER")
	if folder == "" {
		folder = encodertest.MiniLM(b)
	}
	enc, err := encoder.Load(folder)
	if err != nil {
		b.Fatal(err)
	}
	m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 1, MaxLength: 128, Text: []string{"title"}}, 1)
	if err != nil {
		b.Fatal(err)
	}
	dev, err := device.Open(b.Context(), device.CPU, device.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { dev.Close() })
	var e embedding
	if os.Getenv("BENCH_PROGRAMS") != "" {
		e.ours, err = bert.NewEmbedderByPrograms(m, dev)
	} else {
		e.ours, err = bert.NewEmbedder(m, dev)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.ours.Close)
	e.texts = bert.EncodeTexts(m, headlines(), func(title string) (string, string) { return title, "" })
	tokens := 0
	for _, t := range e.texts {
		tokens += len(t.IDs)
	}
	b.Logf("%d texts of %.1f tokens", len(e.texts), float64(tokens)/float64(len(e.texts)))
	python := os.Getenv("BENCH_ONNX")
	if python == "" {
		return e
	}
	e.ask = startEmbedPeer(b, python, folder, e.texts)
	first, err := e.ours.Embed(b.Context(), e.texts[:32])
	if err != nil {
		b.Fatal(err)
	}
	far := 0.0
	for i, v := range e.ask("vectors 32").Vectors {
		for j, x := range v {
			far = max(far, math.Abs(float64(x-first[i][j])))
		}
	}
	if b.Logf("largest difference to the peer's vectors: %.2g", far); far > 1e-5 {
		b.Fatal("both must compute the same")
	}
	return e
}

// BenchmarkEmbed embeds 10,000 headlines, beside the peer in batches of 32, in order and
// sorted by length. All take turns; the figures are medians. BENCH_PROGRAMS=1 measures what
// the device's programs do.
func BenchmarkEmbed(b *testing.B) {
	e := newEmbedding(b)
	if _, err := e.ours.Embed(b.Context(), e.texts); err != nil { // compiles
		b.Fatal(err)
	}
	var ours, order, sorted []float64
	for b.Loop() {
		began := time.Now()
		if _, err := e.ours.Embed(b.Context(), e.texts); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, 1e3*time.Since(began).Seconds())
		if e.ask != nil {
			order, sorted = append(order, e.ask("order").MS), append(sorted, e.ask("sorted").MS)
		}
	}
	rows := 1e3 * float64(len(e.texts))
	b.ReportMetric(middle(ours)/1e3, "s")
	b.ReportMetric(rows/middle(ours), "rows/s")
	if e.ask != nil {
		b.ReportMetric(rows/middle(order), "rows/s-onnx-order")
		b.ReportMetric(rows/middle(sorted), "rows/s-onnx-sorted")
		b.ReportMetric(middle(order)/middle(ours), "x-onnx-order")
		b.ReportMetric(middle(sorted)/middle(ours), "x-onnx-sorted")
	}
}

// BenchmarkEmbedOne embeds headlines one by one, beside the peer, in turns of 200.
func BenchmarkEmbedOne(b *testing.B) {
	e := newEmbedding(b)
	some := e.texts[:min(200, len(e.texts))]
	var ours, peer []float64
	for b.Loop() {
		for i := range some {
			began := time.Now()
			if _, err := e.ours.Embed(b.Context(), some[i:i+1]); err != nil {
				b.Fatal(err)
			}
			ours = append(ours, 1e3*time.Since(began).Seconds())
		}
		if e.ask != nil {
			peer = append(peer, e.ask(fmt.Sprint("one ", len(some))).All...)
		}
	}
	b.ReportMetric(middle(ours), "p50-ms")
	if e.ask != nil {
		b.ReportMetric(middle(peer), "p50-ms-onnx")
		b.ReportMetric(middle(ours)/middle(peer), "x-p50-onnx")
	}
}

func middle(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
