//go:build e2e

package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/sprint-ml/sprint/stages/stagetest"
)

// TestQuickstart is the promise of the README's first command: published, then
// cached, then usable.
func TestQuickstart(t *testing.T) {
	store := t.TempDir()
	first := run(t, store, "quickstart/plan.yaml")
	if want := strings.TrimSpace(strings.Repeat("succeeded ", 6)); first.Code != 0 || first.states() != want {
		t.Fatalf("first run: code %d, %s", first.Code, first.states())
	}
	second := run(t, store, "quickstart/plan.yaml")
	if want := strings.TrimSpace(strings.Repeat("cached ", 6)); second.Code != 0 || second.states() != want {
		t.Errorf("second run: code %d, %s", second.Code, second.states())
	}
	if len(second.digests()) == 0 {
		t.Error("cached stages list no outputs")
	}
	page, err := os.ReadFile(filepath.Join(store, "runs", *first.Run, "report.html"))
	if err != nil || strings.Contains(string(page), `class="missing"`) || !strings.Contains(string(page), "Averages over the categories") || len(page) > 300<<10 {
		t.Errorf("the first run's report (%d bytes, %v) lacks something:\n%s", len(page), err, page)
	}
	if _, err := os.Stat(filepath.Join(store, "runs", *second.Run, "report.html")); err == nil {
		t.Error("a run that did nothing wrote a report")
	}
	out, err := exec.Command(sprint(t), "classify", "--store", store, "--model", "quickstart", "--strict", "Striker scores twice in cup final").Output()
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Top    *string
		Source string
		Model  *string
	}
	if err := json.Unmarshal(out, &a); err != nil || a.Top == nil || *a.Top != "sports" || a.Source != "model" || a.Model == nil || *a.Model != "quickstart@1" {
		t.Errorf("classify: %s (%v)", out, err)
	}
}

// TestEditedRule changes one rule: label and what follows run, fetch does not,
// and plan says so before.
func TestEditedRule(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plan.yaml", "taxonomy.yaml", "articles.jsonl", "gold.csv"} {
		data, err := os.ReadFile(filepath.Join("quickstart", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "taxonomy.yaml" {
			data = bytes.Replace(data, []byte("[inflation, prices,"), []byte("[inflation, prices, budget,"), 1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store := t.TempDir()
	if r := run(t, store, "quickstart/plan.yaml", "--until", "split"); r.Code != 0 {
		t.Fatalf("code %d", r.Code)
	}
	out, err := exec.Command(sprint(t), "plan", filepath.Join(dir, "plan.yaml"), "--store", store).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	if !strings.Contains(lines[1], "be cached") || !strings.Contains(lines[2], "prices") || strings.Contains(lines[2], "be cached") {
		t.Errorf("plan after editing the rule prices:\n%s", out)
	}
	r := run(t, store, filepath.Join(dir, "plan.yaml"), "--until", "split")
	if !strings.HasPrefix(r.states(), "cached succeeded succeeded") {
		t.Errorf("after editing a rule: %s", r.states())
	}
}

// awaitSteps waits until a run has told of n steps of its training.
func awaitSteps(t *testing.T, cmd *exec.Cmd, stdout, stderr *stagetest.Buffer, n int) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); strings.Count(stdout.String(), `"loss"`) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("no %d steps were told of:\n%s%s", n, stdout, stderr)
		}
	}
}

// TestKilledTraining kills the runner in the middle of the training, again and
// again, and compares every output with that of an undisturbed run.
func TestKilledTraining(t *testing.T) {
	// Twelve steps, of which three runs are killed after two or a little more.
	args := []string{"--set", "train.epochs=3", "--set", "train.checkpoint_steps=2", "--set", "verify.checks=[{id: macro_f1, on: gold, min: 0}]"}
	want := run(t, t.TempDir(), "quickstart/plan.yaml", args...)
	if want.Code != 0 {
		t.Fatalf("undisturbed: code %d", want.Code)
	}
	store := t.TempDir()
	for range 3 {
		cmd, out, stderr := start(t, store, "quickstart/plan.yaml", args...)
		awaitSteps(t, cmd, out, stderr, 2)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	got := run(t, store, "quickstart/plan.yaml", args...)
	if got.Code != 0 {
		t.Fatalf("code %d, %s: %s", got.Code, got.states(), got.Error)
	}
	for name, digest := range want.digests() {
		if got.digests()[name] != digest {
			t.Errorf("%s differs", name)
		}
	}
}

// TestInterrupted stops a training by SIGTERM: 75, and the same command goes on.
func TestInterrupted(t *testing.T) {
	store := t.TempDir()
	args := []string{"--set", "train.epochs=10", "--set", "train.patience=0", "--until", "train"}
	cmd, out, stderr := start(t, store, "quickstart/plan.yaml", args...)
	awaitSteps(t, cmd, out, stderr, 1)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	r := finish(t, cmd, out, stderr)
	if r.Code != 75 || r.Continue == "" {
		t.Fatalf("interrupted: code %d, continue %q\n%s", r.Code, r.Continue, stderr)
	}
	again := run(t, store, "quickstart/plan.yaml", args...)
	if again.Code != 0 || !strings.HasSuffix(again.states(), "succeeded skipped skipped") {
		t.Errorf("continued: code %d, %s", again.Code, again.states())
	}
}

// TestSwedish runs the Swedish example on its sample rows with a small encoder:
// real figures, and an end by the gate or with a release.
func TestSwedish(t *testing.T) {
	r := run(t, t.TempDir(), "swedish-news/plan.yaml", "--set", "fetch.source=files", "--set", "fetch.files.paths=swedish-news/sample.jsonl",
		"--set", "fetch.min_rows=50", "--set", "train.encoder=all-minilm-l6-v2", "--set", "train.epochs=1")
	if r.Code != 0 && r.Code != 5 {
		t.Fatalf("code %d, %s", r.Code, r.states())
	}
	if len(r.Stages[4].Outputs) < 3 {
		t.Errorf("verify committed %v", r.Stages[4].Outputs)
	}
}

// TestNordic runs the example of three languages with an English encoder: rows of each get
// labels from their own rules, and figures of their own, and the heads, which learn little
// from it, leave the answers to the rules.
func TestNordic(t *testing.T) {
	store := t.TempDir()
	r := run(t, store, "nordic-news/plan.yaml", "--set", "train.encoder=all-minilm-l6-v2")
	if r.Code != 5 || !strings.HasPrefix(r.states(), "succeeded succeeded succeeded succeeded failed") {
		t.Fatalf("code %d, %s", r.Code, r.states())
	}
	data, err := os.ReadFile(filepath.Join(store, "runs", *r.Run, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		Figures struct {
			Languages []struct {
				Language string
				Rows     int
				MicroF1  float64 `json:"micro_f1"`
			}
		}
	}
	if err := json.Unmarshal(data, &result); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, l := range result.Figures.Languages {
		found = append(found, fmt.Sprint(l.Language, " ", l.Rows))
		if l.MicroF1 < 0.2 || l.MicroF1 > 0.6 {
			t.Errorf("%s: micro-F1 %v, the rules reach a third", l.Language, l.MicroF1)
		}
	}
	if want := []string{"fi 20", "no 20", "sv 20"}; !slices.Equal(found, want) {
		t.Errorf("languages %v, want %v", found, want)
	}
	page, err := os.ReadFile(filepath.Join(store, "runs", *r.Run, "report.html"))
	if err != nil || !bytes.Contains(page, []byte("Micro-F1 by language")) {
		t.Errorf("the report shows no figures by language: %v", err)
	}
	listed, err := exec.Command(sprint(t), "runs", "--store", store, "-o", "json").Output()
	if err != nil || !bytes.Contains(listed, []byte(`"language":"no","rows":20`)) {
		t.Errorf("runs: %s (%v)", listed, err)
	}
}

// TestDescriptions lets categories start from their descriptions alone: not one rule, and
// heads that learn from their own answers.
func TestDescriptions(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"articles.jsonl", "gold.csv"} {
		data, err := os.ReadFile(filepath.Join("quickstart", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("quickstart/taxonomy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tax struct {
		Labels     string
		Categories []struct {
			Name, Doc string
			Tags      []string
		}
	}
	if err := yaml.Unmarshal(text, &tax); err != nil {
		t.Fatal(err)
	}
	tax.Labels = "single"
	if text, err = yaml.Marshal(tax); err != nil || strings.Contains(string(text), "rules") {
		t.Fatalf("%s (%v)", text, err)
	}
	const plan = `name: descriptions
taxonomy: taxonomy.yaml
stages:
  - {name: fetch, with: {source: files, files: {paths: [articles.jsonl]}}}
  - {name: label, with: {source: encoder, encoder: {model: all-minilm-l6-v2}}}
  - {name: split, with: {seed: 7, gold: gold.csv}}
  - {name: train, with: {encoder: all-minilm-l6-v2, method: heads}}
  - {name: verify, with: {gold: gold.csv, checks: [{id: macro_f1, set: gold, min: 0.8}]}}
`
	for name, content := range map[string]string{"taxonomy.yaml": string(text), "plan.yaml": plan} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := run(t, t.TempDir(), filepath.Join(dir, "plan.yaml")); r.Code != 0 {
		t.Errorf("code %d, %s", r.Code, r.states())
	}
}

// TestDemandedGPU refuses to train on anything else.
func TestDemandedGPU(t *testing.T) {
	if _, err := os.Stat("/dev/nvidia0"); err == nil {
		t.Log("this machine has a GPU: nothing to refuse")
		return
	}
	r := run(t, t.TempDir(), "quickstart/plan.yaml", "--device", "cuda")
	if r.Code != 4 {
		t.Errorf("code %d, %s", r.Code, r.states())
	}
}
