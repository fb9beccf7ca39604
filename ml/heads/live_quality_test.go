//go:build quality

package heads

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// TestLiveRecipe compares heads on news with what a reference implementation makes of the same
// vectors, labels and folds: `just heads-parity PYTHON RECIPE DATA ENCODER`.
func TestLiveRecipe(t *testing.T) {
	python, recipe, data, e5 := os.Getenv("HEADS_PYTHON"), os.Getenv("HEADS_RECIPE"), os.Getenv("HEADS_DATA"), os.Getenv("HEADS_ENCODER")
	if python == "" || recipe == "" || data == "" || e5 == "" {
		t.Fatal("HEADS_PYTHON, HEADS_RECIPE, HEADS_DATA and HEADS_ENCODER name a Python with numpy, the reference implementation, the folder of bbc and gdelt-sv, and that of multilingual-e5-small: `just heads-parity PYTHON RECIPE DATA ENCODER`")
	}
	examples := "../../examples"
	for _, set := range []struct{ name, taxonomy, rows, encoder, prompt string }{
		{"bbc", "bbc", filepath.Join(data, "bbc"), encodertest.MiniLM(t), ""},
		{"quickstart", "quickstart", filepath.Join(examples, "quickstart"), encodertest.MiniLM(t), ""},
		{"swedish", "swedish-news", filepath.Join(data, "gdelt-sv"), e5, "query: "},
	} {
		t.Run(set.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(examples, set.taxonomy, "taxonomy.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			tax, problems := taxonomy.Parse(text)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			gold := goldTexts(t, filepath.Join(set.rows, "gold.csv"))
			known := map[string]bool{}
			for _, g := range gold {
				known[g.Title] = true
			}
			train := articles(t, filepath.Join(set.rows, "articles.jsonl"), known)
			c := recipeCase{Single: tax.Single, Labels: ruleLabels(tax, train), Named: ruleLabels(tax, gold)}
			c.Vectors, c.Ask = vectors(t, set.encoder, set.prompt, train, gold)
			random := rand.New(rand.NewPCG(7, 7))
			for range train {
				c.Fold = append(c.Fold, random.IntN(5))
			}
			question, err := json.Marshal(&c)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), python, "testdata/live.py", recipe)
			cmd.Stdin, cmd.Stderr = bytes.NewReader(question), os.Stderr
			answer, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			// The cut of a category whose answers nobody agrees with is infinite, in Python's words.
			answer = bytes.ReplaceAll(answer, []byte("Infinity"), []byte("1e999"))
			answer = bytes.ReplaceAll(answer, []byte("1e999"), fmt.Appendf(nil, "%g", math.MaxFloat64))
			if err := json.Unmarshal(answer, &c); err != nil {
				t.Fatal(err)
			}
			for k, x := range c.Cuts {
				if x == math.MaxFloat64 {
					c.Cuts[k] = math.Inf(1)
				}
			}
			c.compare(t)
			fmt.Printf("%-12s %d rows, %d of gold: probabilities within %g, answers equal: %v\n", set.name, len(train), len(gold), probabilityLimit, !t.Failed())
		})
	}
}

type textRow struct{ ID, URL, Title, Description string }

// articles are the rows of a file whose titles are not in gold, each title once.
func articles(t *testing.T, path string, known map[string]bool) (out []textRow) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r textRow
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if !known[r.Title] && !seen[r.Title] {
			seen[r.Title], out = true, append(out, r)
		}
	}
	return out
}

func goldTexts(t *testing.T, path string) (out []textRow) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table[1:] {
		r := textRow{Title: row[1]}
		if table[0][2] == "description" {
			r.Description = row[2]
		}
		out = append(out, r)
	}
	return out
}

// ruleLabels are the categories that rules name: one or none where a row has one.
func ruleLabels(tax *taxonomy.Taxonomy, set []textRow) (out [][]float64) {
	matcher := keywords.New(tax)
	var hits keywords.Result
	for _, r := range set {
		label := make([]float64, len(tax.Categories))
		matcher.Match(&hits, r.Title, r.Description)
		for c, score := range hits.Scores {
			if !tax.Single && score > 0 {
				label[c] = 1
			}
		}
		if c := matcher.Choose(&hits); tax.Single && c >= 0 {
			label[c] = 1
		}
		out = append(out, label)
	}
	return out
}

// vectors embeds texts as train does.
func vectors(t *testing.T, dir, prompt string, sets ...[]textRow) (train, gold [][]float32) {
	t.Helper()
	e, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, Linear: true, MaxLength: 96, Text: []string{"title", "description"}, Prompt: prompt}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := device.Open(t.Context(), device.Auto, device.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	embedder, err := bert.NewEmbedder(m, dev)
	if err != nil {
		t.Fatal(err)
	}
	defer embedder.Close()
	var out [2][][]float32
	for i, set := range sets {
		if out[i], err = embedder.Embed(t.Context(), bert.EncodeTexts(m, set, func(r textRow) (string, string) { return r.Title, r.Description })); err != nil {
			t.Fatal(err)
		}
	}
	return out[0], out[1]
}
