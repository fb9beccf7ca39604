//go:build e2e

package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// outsideTexts is how many texts are answered in all ways.
const outsideTexts = 2000

// How far answers may lie apart, and those that are rounded to four digits.
const (
	outsideLimit = 1e-5
	roundedLimit = 5e-5 + outsideLimit
)

// asked is a text as a row of JSON lines.
type asked struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Language    string `json:"language,omitempty"`
}

// TestOutside: the same texts are answered by the library in Go, `classify` by either backend,
// `serve`, the release's own model.py, and ONNX Runtime in Python on its model.onnx; all say
// the same, what rules add included.
func TestOutside(t *testing.T) {
	python := exchangePython(t)
	store := t.TempDir()
	for labels, n := range map[string]int{"single": outsideTexts, "multi": outsideTexts / 10} {
		t.Run(labels, func(t *testing.T) {
			dir := quickstart(t, labels)
			// An encoder of noise knows nothing: its heads shall answer all the same.
			release := outsideRelease(t, store, filepath.Join(dir, "plan.yaml"), "train.encoder="+encodertest.Swedish(t, "gelu"),
				"train.heads.alarm=0", "train.method=heads", "publish.onnx=true", "publish.name="+labels)
			outside(t, python, release, outsideAsked(n))
		})
	}
}

// TestOutsideKinds: model.py answers as `classify` does by a release of every kind, texts too
// whose tokens stand apart.
func TestOutsideKinds(t *testing.T) {
	python := exchangePython(t)
	store := t.TempDir()
	swedish := "train.encoder=" + encodertest.Swedish(t, "gelu")
	for name, c := range map[string]struct {
		labels string // of quickstart's taxonomy; of nordic-news if it is empty
		sets   []string
		prune  bool
	}{
		"heads":          {"single", []string{"train.heads.alarm=0", "train.method=heads"}, false},
		"both":           {"single", []string{"train.heads.alarm=0", "train.method=both", swedish, "train.tune.min_rows=0", "train.tune.min_words=0"}, false},
		"finetuned":      {"multi", []string{"train.method=finetune", "train.epochs=1", swedish, "train.text=[title, description]", "train.calibrate.temperature=category"}, false},
		"half":           {"multi", []string{"train.heads.alarm=0", "train.method=heads", "train.dtype=fp16", swedish}, false},
		"unigram":        {"multi", []string{"train.heads.alarm=0", "train.method=heads", "train.encoder=" + encodertest.XLMRoberta(t), "train.max_length=32", `train.prompt="query: "`}, false},
		"pruned":         {"single", []string{"train.heads.alarm=0", "train.method=heads", swedish}, true},
		"pruned unigram": {"single", []string{"train.heads.alarm=0", "train.method=heads", "train.encoder=" + encodertest.XLMRoberta(t), "train.max_length=32", `train.prompt="query: "`}, true},
		"rules decide":   {"multi", []string{"train.method=finetune", "train.epochs=1", swedish, "train.with_rules=always"}, false},
		"languages":      {"", []string{"train.heads.alarm=0", "train.method=heads", swedish}, false},
		"by rules only":  {"single", []string{"train.method=heads", swedish}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.labels != "" {
				dir = quickstart(t, c.labels)
			} else if err := os.CopyFS(dir, os.DirFS("nordic-news")); err != nil {
				t.Fatal(err)
			}
			plan := filepath.Join(dir, "plan.yaml")
			if c.prune {
				edit(t, plan, "  - name: verify\n", "  - name: prune\n    with: {vocabulary: seen}\n  - name: verify\n")
			}
			release := outsideRelease(t, store, plan, append(c.sets, "publish.name="+strings.ReplaceAll(name, " ", "-"))...)
			outside(t, python, release, outsideAsked(outsideTexts/20))
		})
	}
}

// edit replaces what a file must have.
func edit(t *testing.T, path, old, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(data, []byte(old), []byte(text), 1)
	if old != text && bytes.Equal(changed, data) {
		t.Fatalf("%s has no %q", path, old)
	}
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

// quickstart is a folder with the example, whose rows have one label, or several.
func quickstart(t *testing.T, labels string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("quickstart")); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "taxonomy.yaml"), "labels: single", "labels: "+labels)
	return dir
}

// outsideRelease is the folder of the release that a plan publishes, whatever it is worth.
func outsideRelease(t *testing.T, store, plan string, sets ...string) string {
	t.Helper()
	args := []string{"--set", "verify.checks=[{id: macro_f1, on: gold, min: 0}]"}
	for _, s := range sets {
		args = append(args, "--set", s)
	}
	r := run(t, store, plan, args...)
	if r.Code != 0 {
		t.Fatalf("code %d, %s: %s", r.Code, r.states(), r.Error)
	}
	name := strings.TrimPrefix(sets[len(sets)-1], "publish.name=")
	release := filepath.Join(t.TempDir(), "release")
	if out, err := exec.Command(sprint(t), "artifacts", "get", "--store", store, name+"@latest", release).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return release
}

// outsideAsked draws texts. Each tenth has its tokens apart as an index of news writes them.
func outsideAsked(n int) []asked {
	rng := rand.New(rand.NewPCG(3, 1))
	words := strings.Fields("storm closes the harbour striker scores late goals bank shares fall parliament votes on bill scientists find fossil fire dam bursts its banks under energy polisen söker vittnen efter rån i Göteborg 2026 – 日本 straffen landslaget regeringen Storting USA : s a - kassa ( ny ) , . \" ' minister eduskunta")
	draw := func() string {
		var text []string
		for range 3 + rng.IntN(12) {
			text = append(text, words[rng.IntN(len(words))])
		}
		return strings.Join(text, " ")
	}
	texts := make([]asked, n)
	for i := range texts {
		texts[i] = asked{draw(), draw(), []string{"sv", "nb", "fi", "en-GB"}[i%4]}
		switch i % 10 {
		case 0:
			texts[i].Title = "e\u0301\u200b \t " + texts[i].Title + "  \u00a0!"
		case 1:
			texts[i].Description = ""
		case 2:
			texts[i].Description = "  "
		}
	}
	return texts
}

// numbers are the scores of a text, and the tags by their names.
type numbers struct {
	scores []float64
	tags   []string
}

// outside compares all ways to ask a release about texts; those of ONNX where it has a
// model.onnx.
func outside(t *testing.T, python, release string, texts []asked) {
	t.Helper()
	c, err := classify.OpenFolder(release)
	if err != nil {
		t.Fatal(err)
	}
	d, err := device.Open(t.Context(), device.Auto, device.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := c.Load(release, d); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var in []classify.Text
	for _, x := range texts {
		in = append(in, classify.Text{Title: titles.Normalize(x.Title), Description: x.Description, Language: x.Language})
	}
	predictions, err := c.Model.Predict(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]numbers, len(texts))
	least, most, ruled, own := 1.0, -1.0, 0, map[float32]bool{}
	for i, p := range predictions {
		for k, s := range p.Scores {
			want[i].scores = append(want[i].scores, float64(s))
			want[i].tags = append(want[i].tags, c.Taxonomy.Categories[k].Tags[p.Tags[k]])
		}
		least, most = min(least, slices.Min(want[i].scores)), max(most, slices.Max(want[i].scores))
		if slices.Contains(p.Named, true) {
			ruled++
		}
		if p.Model != nil {
			p = *p.Model
		}
		own[p.Scores[0]] = true
	}
	// Rules that answer in the model's place leave few scores, and one epoch brings them little apart.
	_, err = os.Stat(filepath.Join(release, "model.onnx"))
	whole := err == nil
	if few := len(texts) / 2; most-least < 0.03 || whole && (most-least < 0.5 || ruled < len(texts)/4 || len(own) < few) {
		t.Errorf("scores are from %v to %v, rules took part in %d of %d, and the model alone has %d scores: little is compared", least, most, ruled, len(texts), len(own))
	}
	t.Logf("scores are from %.3f to %.3f, rules took part in %d of %d", least, most, ruled, len(texts))
	compare := func(way string, limit float64, got []numbers) {
		t.Helper()
		far, tags := 0.0, 0
		for i, w := range want {
			if i >= len(got) || len(got[i].scores) != len(w.scores) {
				t.Errorf("%s: no answer %d", way, i)
				return
			}
			for k := range w.scores {
				if d := math.Abs(got[i].scores[k] - w.scores[k]); !(d <= far) {
					far = d
				}
				if got[i].tags[k] != w.tags[k] {
					tags++
				}
			}
		}
		t.Logf("%s: scores differ by %.1e, %d tags", way, far, tags)
		if !(far <= limit) || tags > 0 {
			t.Errorf("%s: scores differ by %.2e, %d tags are others", way, far, tags)
		}
	}
	ours, theirs := byModelPy(t, python, release, texts, c)
	compare("model.py", outsideLimit, ours)
	if whole {
		compare("model.py with ONNX Runtime", outsideLimit, theirs)
	}
	for _, backend := range []string{"device", "onnx"} {
		compare("classify by "+backend, roundedLimit, byClassify(t, release, backend, texts, c))
	}
	compare("serve", roundedLimit, byServe(t, release, texts, c))
}

// byModelPy are the answers of the release's own code: in numpy, and by ONNX Runtime.
func byModelPy(t *testing.T, python, release string, texts []asked, c *classify.Classifier) (ours, theirs []numbers) {
	t.Helper()
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-B", "testdata/outside.py", release)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var answers [][][3]json.RawMessage
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	var both [2][]numbers
	for i := range answers {
		for _, a := range answers[i] {
			var n numbers
			var tags []int
			if err := json.Unmarshal(a[0], &n.scores); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(a[2], &tags); err != nil {
				t.Fatal(err)
			}
			for k, tag := range tags {
				n.tags = append(n.tags, c.Taxonomy.Categories[k].Tags[tag])
			}
			both[i] = append(both[i], n)
		}
	}
	return both[0], both[1]
}

// answered is an answer as outside programs read it.
type answered struct {
	Categories map[string]struct {
		Score float64
		Tag   string
	}
	Source string
}

func (a answered) numbers(t *testing.T, c *classify.Classifier) (n numbers) {
	t.Helper()
	if a.Source != "model" || len(a.Categories) != len(c.Taxonomy.Categories) {
		t.Fatalf("%+v is no answer of the model about all categories", a)
	}
	for _, category := range c.Taxonomy.Categories {
		x := a.Categories[category.Name]
		n.scores, n.tags = append(n.scores, x.Score), append(n.tags, x.Tag)
	}
	return n
}

func byClassify(t *testing.T, release, backend string, texts []asked, c *classify.Classifier) (all []numbers) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sprint(t), "classify", "--model", release, "--backend", backend, "--strict", "--all", "--cache", encodertest.Cache(), "--input", "-", "--format", "jsonl")
	var in, stderr bytes.Buffer
	for _, x := range texts {
		if err := json.NewEncoder(&in).Encode(x); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("classify: %v: %s", err, &stderr)
	}
	for lines := json.NewDecoder(bytes.NewReader(out)); ; {
		var a answered
		if err := lines.Decode(&a); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, a.numbers(t, c))
	}
}

func byServe(t *testing.T, release string, texts []asked, c *classify.Classifier) (all []numbers) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sprint(t), "serve", "--model", release, "--strict", "--cache", encodertest.Cache(), "--listen", "127.0.0.1:0")
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }()
	line, err := bufio.NewReader(said).ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("serve says %q: %v", line, err)
	}
	for part := range slices.Chunk(texts, 500) {
		body, err := json.Marshal(map[string]any{"instances": part})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := http.Post(address+"/v1/classify?all=true", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Predictions []answered }
		err = json.NewDecoder(reply.Body).Decode(&got)
		reply.Body.Close()
		if err != nil || reply.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", reply.Status, err)
		}
		for _, a := range got.Predictions {
			all = append(all, a.numbers(t, c))
		}
	}
	return all
}
