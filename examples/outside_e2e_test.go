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
)

// outsideTexts is how many texts are answered in all ways.
const outsideTexts = 2000

// How far answers may lie apart, and those that are rounded to four digits.
const (
	outsideLimit = 1e-5
	roundedLimit = 5e-5 + outsideLimit
)

// TestOutside: the same texts are answered by the library in Go, `classify` by either backend,
// `serve`, the release's own model.py, and ONNX Runtime in Python on its model.onnx; all say
// the same, what rules add included.
func TestOutside(t *testing.T) {
	python := exchangePython(t)
	store := t.TempDir()
	for labels, n := range map[string]int{"single": outsideTexts, "multi": outsideTexts / 10} {
		t.Run(labels, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("quickstart")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "taxonomy.yaml")
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, bytes.Replace(text, []byte("labels: single"), []byte("labels: "+labels), 1), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			// An encoder of noise knows nothing: its heads shall answer all the same.
			r := run(t, store, filepath.Join(dir, "plan.yaml"), "--set", "verify.checks=[{id: macro_f1, on: gold, min: 0}]", "--set", "train.encoder="+encodertest.Swedish(t, "gelu"),
				"--set", "train.heads.alarm=0", "--set", "train.method=heads", "--set", "publish.onnx=true", "--set", "publish.name="+labels)
			if r.Code != 0 {
				t.Fatalf("code %d, %s: %s", r.Code, r.states(), r.Error)
			}
			release := filepath.Join(t.TempDir(), "release")
			if out, err := exec.Command(sprint(t), "artifacts", "get", "--store", store, labels+"@latest", release).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			outside(t, python, release, n)
		})
	}
}

// numbers are the scores of a text, and the tags by their names.
type numbers struct {
	scores []float64
	tags   []string
}

// outside compares all ways to ask a release about n texts.
func outside(t *testing.T, python, release string, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 1))
	words := strings.Fields("storm closes the harbour striker scores late goals bank shares fall parliament votes on bill scientists find fossil fire dam bursts its banks under energy polisen söker vittnen efter rån i Göteborg 2026 – 日本")
	texts := make([]string, n)
	for i := range texts {
		var text []string
		for range 3 + rng.IntN(12) {
			text = append(text, words[rng.IntN(len(words))])
		}
		texts[i] = strings.Join(text, " ")
	}
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
		in = append(in, classify.Text{Title: x})
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
		own[p.Model.Scores[0]] = true
	}
	if most-least < 0.5 || ruled < len(texts)/4 || len(own) < len(texts)/2 {
		t.Errorf("scores are from %v to %v, rules took part in %d of %d, and the model alone has %d scores: little is compared", least, most, ruled, len(texts), len(own))
	}
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
	compare("model.py with ONNX Runtime", outsideLimit, theirs)
	for _, backend := range []string{"device", "onnx"} {
		compare("classify by "+backend, roundedLimit, byClassify(t, release, backend, texts, c))
	}
	compare("serve", roundedLimit, byServe(t, release, texts, c))
}

// byModelPy are the answers of the release's own code: in numpy, and by ONNX Runtime.
func byModelPy(t *testing.T, python, release string, texts []string, c *classify.Classifier) (ours, theirs []numbers) {
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
	var answers [2][][3]json.RawMessage
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

func byClassify(t *testing.T, release, backend string, texts []string, c *classify.Classifier) (all []numbers) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sprint(t), "classify", "--model", release, "--backend", backend, "--strict", "--all", "--cache", encodertest.Cache(), "--input", "-", "--format", "text")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(strings.Join(texts, "\n")), &stderr
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

func byServe(t *testing.T, release string, texts []string, c *classify.Classifier) (all []numbers) {
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
		var rows []map[string]string
		for _, x := range part {
			rows = append(rows, map[string]string{"title": x})
		}
		body, err := json.Marshal(map[string]any{"instances": rows})
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
