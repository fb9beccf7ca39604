package verify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	tax "github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/embeddings"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/stages/train"
	"github.com/sprint-ml/sprint/stages/verify"
)

// embedBench trains heads on the tiny encoder and verifies them, in one store.
type embedBench struct {
	t        *testing.T
	taxonomy stages.Source
	inputs   map[string]any
	gold     string
	titles   []string // of the gold set
}

func newEmbedBench(t *testing.T) *embedBench {
	t.Helper()
	b := &embedBench{t: t, taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(singleTaxonomy)}, inputs: map[string]any{}}
	rng := rand.New(rand.NewPCG(9, 9))
	var train []rows.Row
	for _, name := range []string{"train", "val", "test"} {
		set := oneEach(60, rng, false)
		if name == "train" {
			train = set
		}
		var data bytes.Buffer
		if err := rows.WriteParquet(&data, set, []string{"crime", "sports"}); err != nil {
			t.Fatal(err)
		}
		b.inputs[name] = data.Bytes()
	}
	gold := "id,title,crime,sports\n"
	for _, r := range append(oneEach(40, rng, false), train[:20]...) {
		gold += fmt.Sprintf("%s,%s,%g,%g\n", r.ID, r.Title, r.Labels[0].Score, r.Labels[1].Score)
		b.titles = append(b.titles, r.Title)
	}
	b.gold = filepath.Join(stagetest.WriteFiles(t, map[string]string{"gold.csv": gold}), "gold.csv")
	return b
}

func (b *embedBench) train(first *stagetest.Result, prompt string) *stagetest.Result {
	b.t.Helper()
	c := stagetest.Case{Kind: train.Kind(), Taxonomy: b.taxonomy, CacheDir: encodertest.Cache(), Offline: true, Inputs: b.inputs,
		Options: &train.Options{Encoder: encodertest.Tiny(b.t), Method: "heads", Pooling: "mean", Prompt: prompt, MaxLength: 24, Text: []string{"title"}, MaskAbstain: true, HandWeight: 1, Seed: 1,
			Heads: frozen.Options{Strength: 3, Balance: true, Rounds: 3, Power: 2, Folds: 5, Sure: 0.6, Bonus: 2, Alarm: 0.1}},
		Env: func(e *stages.Env) { e.Device = device.Go }}
	if first != nil {
		c.Store = first.Store
	}
	return stagetest.MustRun(b.t, c)
}

func (b *embedBench) verify(trained *stagetest.Result) (*stagetest.Result, embeddings.Note) {
	b.t.Helper()
	zero := 0.0
	in := map[string]any{"train": b.inputs["train"], "test": b.inputs["test"], "model": trained.Outputs["model"], "thresholds": trained.Outputs["thresholds"]}
	if heads, ok := b.inputs["heads"]; ok {
		in["heads"] = heads
	}
	r := stagetest.MustRun(b.t, stagetest.Case{Kind: verify.Kind(), Taxonomy: b.taxonomy, CacheDir: encodertest.Cache(), Offline: true, Store: trained.Store,
		Inputs:  in,
		Options: &verify.Options{Gold: b.gold, Checks: []verify.Check{{ID: "accuracy", On: "gold", Min: &zero, Severity: "error"}}},
		Env:     func(e *stages.Env) { e.Device = device.Go }})
	note, _ := r.Notes[embeddings.NoteName].(embeddings.Note)
	return r, note
}

// TestEmbedsOnce: verify embeds no text that train embedded, and a second time none at all;
// neither changes a byte of what it says. A prompt makes other texts of all.
func TestEmbedsOnce(t *testing.T) {
	b := newEmbedBench(t)
	trained := b.train(nil, "")
	of := trained.Notes[embeddings.NoteName].(embeddings.Note)
	if of.Space == "" {
		t.Skip("this machine's processor has no name")
	}
	first, note := b.verify(trained)
	computed := note.Computed
	if of.Space != note.Space || of.Computed != of.Texts {
		t.Fatalf("train notes %+v, verify %+v", of, note)
	}
	// New are the texts of test and 40 of gold, and those of which words were hidden, which
	// are fewer: rows of no category have none.
	if plain := 60 + 40; note.Computed <= plain || note.Computed >= 2*plain+20 {
		t.Errorf("the first time, of the texts %+v", note)
	}
	again, note := b.verify(trained)
	if note.Computed != 0 || !strings.Contains(again.Log, "computed=0") {
		t.Errorf("the second time, of the texts %+v", note)
	}
	alone := b.train(nil, "") // a store of its own
	for kept, err := range alone.Store.List(t.Context(), embeddings.Prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if err := alone.Store.WriteFile(t.Context(), kept.Key, []byte("no record")); err != nil {
			t.Fatal(err)
		}
	}
	fresh, note := b.verify(alone)
	if note.Computed != computed+20 { // those that gold has of train
		t.Errorf("without kept vectors, of the texts %+v, with them %d", note, computed)
	}
	for _, name := range []string{"metrics", "checks", "predictions"} {
		if want := fresh.Outputs[name].Digest; first.Outputs[name].Digest != want || again.Outputs[name].Digest != want {
			t.Errorf("kept vectors changed the %s", name)
		}
	}
	b.sameAsPredictor(trained, again)
	b.inputs["heads"] = headsOf(t, trained.Tree(t, "model"))
	both, note := b.verify(trained)
	if of, ok := both.Notes[embeddings.HeadsNoteName].(embeddings.Note); !ok || of.Space != note.Space || of.Computed != 0 {
		t.Errorf("the heads on the same encoder noted %+v, the model %+v", of, note)
	}
	delete(b.inputs, "heads")
	prompted := b.train(trained, "wac wad ")
	if note := prompted.Notes[embeddings.NoteName].(embeddings.Note); note.Computed != note.Texts {
		t.Errorf("a prompt leaves texts as they are: %+v", note)
	}
	if _, note := b.verify(prompted); note.Computed == 0 {
		t.Errorf("verify does not see the prompt: %+v", note)
	}
}

// sameAsPredictor compares the kept answers for gold with those through the encoder.
func (b *embedBench) sameAsPredictor(trained, verified *stagetest.Result) {
	b.t.Helper()
	files := map[string]string{}
	for name, data := range trained.Tree(b.t, "model") {
		files[name] = string(data)
	}
	d, err := device.Open(b.t.Context(), device.Go, device.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer d.Close()
	taxonomy, _ := tax.Parse([]byte(singleTaxonomy))
	m, err := classify.LoadModel(stagetest.WriteFiles(b.t, files), taxonomy, d)
	if err != nil {
		b.t.Fatal(err)
	}
	defer m.Close()
	var texts []classify.Text
	for _, title := range b.titles {
		texts = append(texts, classify.Text{Title: title})
	}
	want, err := m.Predict(b.t.Context(), texts)
	if err != nil {
		b.t.Fatal(err)
	}
	row := 0
	for line := range strings.Lines(string(verified.File(b.t, "predictions"))) {
		var p verify.Prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			b.t.Fatal(err)
		}
		for c, name := range []string{"crime", "sports"} {
			if x := math.Round(float64(want[row].Scores[c])*1e4)/1e4 + 0; p.Categories[name].Score != x {
				b.t.Errorf("row %d: %s is %v by vectors, %v by the encoder", row, name, p.Categories[name].Score, x)
			}
		}
		row++
	}
	if row != len(want) {
		b.t.Errorf("%d answers for %d rows", row, len(want))
	}
}
