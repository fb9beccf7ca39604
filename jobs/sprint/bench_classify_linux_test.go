package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
)

// released is the program, built, in a folder whose store has the quickstart's release.
func released(b *testing.B) (dir, bin string) {
	b.Helper()
	dir = b.TempDir()
	bin = filepath.Join(dir, "sprint")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	if err := os.CopyFS(dir, os.DirFS("../../examples/quickstart")); err != nil {
		b.Fatal(err)
	}
	b.Setenv("SPRINT_CACHE", encodertest.Cache())
	measured(b, dir, bin, "run", "-q")
	return dir, bin
}

// benchTitles are those of the jsonl file that $BENCH_ROWS names, else the quickstart's, as
// many as asked: a title that comes again begins at another of its words.
func benchTitles(b *testing.B, n int) []string {
	b.Helper()
	file := os.Getenv("BENCH_ROWS")
	if file == "" {
		file = "../../examples/quickstart/articles.jsonl"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var titles [][]string
	for line := range bytes.Lines(text) {
		var r struct{ Title string }
		if err := json.Unmarshal(line, &r); err != nil {
			b.Fatal(err)
		}
		if words := strings.Fields(r.Title); len(words) > 0 {
			titles = append(titles, words)
		}
	}
	out := make([]string, n)
	for i := range out {
		words := titles[i%len(titles)]
		first := i / len(titles) % len(words)
		out[i] = strings.Join(slices.Concat(words[first:], words[:first]), " ")
	}
	return out
}

func writeTitles(b *testing.B, path string, titles []string) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for _, title := range titles {
		line, err := json.Marshal(map[string]string{"title": title})
		if err != nil {
			b.Fatal(err)
		}
		w.Write(append(line, '\n'))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkClassifyMany times `sprint classify` of 10,000 headlines, as a whole process from
// file to file, beside ONNX Runtime alone: the same classifier in this process, its ids ready,
// in batches of 32, in order and sorted by length. They take turns; the figures are medians.
func BenchmarkClassifyMany(b *testing.B) {
	if !ort.Available {
		b.Skip(ort.WhyNot)
	}
	const rows, batch = 10_000, 32
	dir, bin := released(b)
	titles := benchTitles(b, rows)
	writeTitles(b, filepath.Join(dir, "rows.jsonl"), titles)
	measured(b, dir, bin, "artifacts", "get", "quickstart@latest", "release")
	m, err := bert.Load(filepath.Join(dir, "release"))
	if err != nil {
		b.Fatal(err)
	}
	library, err := ort.Open(b.Context(), ort.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		b.Fatal(err)
	}
	peer, err := ort.NewPredictor(library, m, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer peer.Close()
	inOrder := bert.EncodeTexts(m, titles, func(title string) (string, string) { return title, "" })
	sorted := slices.SortedStableFunc(slices.Values(inOrder), func(x, y bert.Text) int { return len(x.IDs) - len(y.IDs) })
	byPeer := func(texts []bert.Text) float64 {
		began := time.Now()
		for some := range slices.Chunk(texts, batch) {
			if _, err := peer.Predict(b.Context(), some); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began).Seconds()
	}
	byPeer(inOrder[:batch])
	var ours, order, byLength []float64
	for b.Loop() {
		_, took, _ := measured(b, dir, bin, "classify", "--model", "quickstart", "--input", "rows.jsonl", "--output", "answers.jsonl")
		ours, order, byLength = append(ours, took.Seconds()), append(order, byPeer(inOrder)), append(byLength, byPeer(sorted))
	}
	answers, err := os.ReadFile(filepath.Join(dir, "answers.jsonl"))
	if n := bytes.Count(answers, []byte(`"source":"model"`)); err != nil || n < rows {
		b.Fatalf("the model answered %d of %d rows, %v", n, rows, err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rows/middle(ours), "rows/s")
	b.ReportMetric(rows/middle(order), "rows/s-onnx-order")
	b.ReportMetric(rows/middle(byLength), "rows/s-onnx-sorted")
	b.ReportMetric(middle(order)/middle(ours), "x-onnx-order")
	b.ReportMetric(middle(byLength)/middle(ours), "x-onnx-sorted")
}

// BenchmarkClassifyCold times `sprint classify "text"` from start to answer, as a whole process,
// beside transformers on PyTorch if BENCH_TORCH names a Python that has them; see
// testdata/cold_peer.py. They take turns; the figures are medians and, at -least, least times.
func BenchmarkClassifyCold(b *testing.B) {
	const text = "Storm closes the harbour"
	dir, bin := released(b)
	peer, err := filepath.Abs("testdata/cold_peer.py")
	if err != nil {
		b.Fatal(err)
	}
	python := os.Getenv("BENCH_TORCH")
	encoder := encodertest.MiniLM(b)
	var ours, theirs []float64
	turn := func() {
		printed, took, _ := measured(b, dir, bin, "classify", "--model", "quickstart", text)
		if !strings.Contains(printed, `"source":"model"`) {
			b.Fatal(printed)
		}
		ours = append(ours, took.Seconds())
		if python != "" {
			_, took, _ = measured(b, dir, python, peer, encoder, text)
			theirs = append(theirs, took.Seconds())
		}
	}
	turn() // reads files from the disk
	ours, theirs = nil, nil
	for b.Loop() {
		turn()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(ours), "s")
	b.ReportMetric(slices.Min(ours), "s-least")
	if python != "" {
		b.ReportMetric(middle(theirs), "s-transformers")
		b.ReportMetric(middle(theirs)/middle(ours), "x-transformers")
		b.ReportMetric(slices.Min(theirs)/slices.Min(ours), "x-transformers-least")
	}
}

// BenchmarkClassifyKeywords times `sprint classify` of a million headlines by keywords alone, as
// a whole process from file to file: the release folder has no model. The marks are 20 s and
// 300 MB.
func BenchmarkClassifyKeywords(b *testing.B) {
	const rows = 1_000_000
	dir, bin := released(b)
	writeTitles(b, filepath.Join(dir, "rows.jsonl"), benchTitles(b, rows))
	measured(b, dir, bin, "artifacts", "get", "quickstart@latest", "release")
	for _, name := range append(encoder.FileNames(), "manifest.json") {
		if err := os.RemoveAll(filepath.Join(dir, "release", name)); err != nil {
			b.Fatal(err)
		}
	}
	var took []float64
	var most int64
	for b.Loop() {
		printed, d, rss := measured(b, dir, bin, "classify", "--model", "./release", "--input", "rows.jsonl", "--output", "answers.jsonl")
		if !strings.Contains(printed, "keywords answer") {
			b.Fatalf("keywords did not answer: %.500s", printed)
		}
		took, most = append(took, d.Seconds()), max(most, rss)
	}
	answers, err := os.ReadFile(filepath.Join(dir, "answers.jsonl"))
	if n := bytes.Count(answers, []byte(`"source":"keywords"`)); err != nil || n < rows {
		b.Fatalf("keywords answered %d of %d rows, %v", n, rows, err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(took), "s")
	b.ReportMetric(slices.Min(took), "s-least")
	b.ReportMetric(float64(most)/1e6, "MB")
}

func middle(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
