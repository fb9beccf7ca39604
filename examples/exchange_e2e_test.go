//go:build e2e

package examples

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// How far Python's answers may lie from ours in float32.
const exchangeLimit = 2e-5

// releasedLimit is exchangeLimit for scores that are rounded to four digits.
const releasedLimit = 1e-4

// TestExchange trains and publishes models, one of them of one label per row, and loads them in Python, where
// they must answer the same. $EXCHANGE_PYTHON names a Python that has
// numpy, safetensors and tokenizers; without one pip makes it. With
// $EXCHANGE_TRANSFORMERS its transformers load the releases, as `just exchange`
// does.
func TestExchange(t *testing.T) {
	python := exchangePython(t)
	store := t.TempDir()
	quick := []string{"--set", "verify.checks=[{id: macro_f1, on: gold, min: 0}]"}
	for _, c := range []struct {
		name   string
		labels string // of taxonomy.yaml
		args   []string
	}{
		{"minilm", "multi", []string{"--set", "train.epochs=1", "--set", "train.pooling=mean"}},
		// Without abstaining there are rows of none, which the softmax knows then.
		{"single", "single", []string{"--set", "train.epochs=1", "--set", "label.abstain=false"}},
		{"heads", "multi", nil},
		{"single_heads", "single", []string{"--set", "label.abstain=false"}},
		{"swedish", "multi", []string{"--set", "train.epochs=1", "--set", "train.encoder=" + encodertest.Swedish(t, "gelu"), "--set", "train.pooling=pooler"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := slices.Concat(quick, c.args, []string{"--set", "publish.name=" + c.name})
			dir := quickstart(t, c.labels)
			if r := run(t, store, filepath.Join(dir, "plan.yaml"), args...); r.Code != 0 {
				t.Fatalf("code %d, %s", r.Code, r.states())
			}
			release := filepath.Join(t.TempDir(), "release")
			if out, err := exec.Command(sprint(t), "artifacts", "get", "--store", store, c.name+"@latest", release).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			exchange(t, python, release)
		})
	}
}

// exchange compares Python's answers for a release with ours.
func exchange(t *testing.T, python, release string) {
	t.Helper()
	type text struct {
		First  string `json:"first"`
		Second string `json:"second"`
	}
	texts := []text{
		{"Hosts put seven past debutants on opening night", ""}, {"Peace envoys meet in Geneva", "Talks on a ceasefire go into their third day."},
		{"Två personer till sjukhus efter en olycka på E4 i Älvsbyn", ""}, {"RÅN I GÖTEBORG – polisen söker vittnen", "Räddningstjänsten larmades"},
		{"", ""}, {"日本 🔥 naïve ﬁ İstanbul [MASK]", ""}, {string(bytes.Repeat([]byte("skogsbrand och storm "), 200)), "och snö"},
	}
	var in bytes.Buffer
	for _, x := range texts {
		if err := json.NewEncoder(&in).Encode(x); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"testdata/exchange.py", release}
	if os.Getenv("EXCHANGE_TRANSFORMERS") != "" {
		args = append(args, "--transformers")
	}
	cmd := exec.Command(python, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	m, err := bert.Load(release)
	if err != nil {
		t.Fatal(err)
	}
	d, err := device.Open(t.Context(), device.Auto, device.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	encoded := make([]bert.Text, len(texts))
	for i, x := range texts {
		if encoded[i].IDs, encoded[i].Types = m.Encode(x.First, ""); x.Second != "" {
			encoded[i].IDs, encoded[i].Types = m.Tokenizer.EncodePair(nil, nil, x.First, x.Second, m.Spec.MaxLength)
		}
	}
	pooled, err := bert.Pooled(m, d, encoded, false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := bert.NewPredictor(m, d)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	answers, err := p.Predict(t.Context(), encoded)
	if err != nil {
		t.Fatal(err)
	}
	vectors, scores, released := 0.0, 0.0, 0.0
	far := func(worst *float64, a, b []float32) {
		if len(a) != len(b) {
			*worst = math.Inf(1)
		}
		for i := range min(len(a), len(b)) {
			if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= *worst) {
				*worst = d
			}
		}
	}
	lines := json.NewDecoder(bytes.NewReader(out))
	for i := range texts {
		var theirs struct {
			IDs            []int32
			Pooled, Scores []float32
			Tags           []int32
			Top            *int // of a model of one label per row
		}
		if err := lines.Decode(&theirs); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(theirs.IDs, encoded[i].IDs) {
			t.Errorf("text %d: ids %v, ours are %v", i, theirs.IDs, encoded[i].IDs)
		}
		if !slices.Equal(theirs.Tags, answers[i].Tags) {
			t.Errorf("text %d: tags %v, ours are %v", i, theirs.Tags, answers[i].Tags)
		}
		if top, _ := answers[i].Top(); m.Spec.Single && (theirs.Top == nil || *theirs.Top != top) {
			t.Errorf("text %d: category %v, ours is %d", i, theirs.Top, top)
		}
		far(&vectors, theirs.Pooled, pooled[i])
		far(&scores, theirs.Scores, answers[i].Scores)
		if texts[i].Second == "" && texts[i].First != "" { // the model reads titles alone
			far(&released, byRelease(t, python, release, texts[i].First, m.Spec.Categories), answers[i].Scores)
		}
	}
	if !(released <= releasedLimit) {
		t.Errorf("scores of the release's own model.py differ by %.3g", released)
	}
	t.Logf("largest difference of vectors %.1e, of scores %.1e; %.0e is allowed", vectors, scores, exchangeLimit)
	if !(vectors <= exchangeLimit && scores <= exchangeLimit) {
		t.Errorf("vectors differ by %.3g, scores by %.3g", vectors, scores)
	}
}

// byRelease are the scores that the model.py of a release gives for a title.
func byRelease(t *testing.T, python, release, title string, categories []bert.Category) []float32 {
	t.Helper()
	out, err := exec.Command(python, filepath.Join(release, "model.py"), "--alone", title).Output()
	if err != nil {
		t.Fatalf("model.py: %v", err)
	}
	var answer struct {
		Categories map[string]struct{ Score float32 }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	var scores []float32
	for _, c := range categories {
		scores = append(scores, answer.Categories[c.Name].Score)
	}
	return scores
}

// exchangePython is a Python with small wheels alone.
func exchangePython(t *testing.T) string {
	t.Helper()
	if python := os.Getenv("EXCHANGE_PYTHON"); python != "" {
		return python
	}
	venv := filepath.Join(encodertest.Cache(), "exchange-2")
	python := filepath.Join(venv, "bin", "python3")
	for _, argv := range [][]string{
		{"python3", "-m", "venv", venv},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:", "safetensors==0.8.0", "tokenizers==0.23.3", "numpy>=2,<3", "onnx==1.23.2", "onnxruntime==1.32.0"},
	} {
		if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: %v\n%s", argv, err, out)
			}
			t.Skipf("%v: %v\n%s", argv, err, out)
		}
	}
	return python
}
