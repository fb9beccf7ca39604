package prune_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/prune"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// model is the folder of a classifier on a small XLM-RoBERTa.
func model(t *testing.T) map[string][]byte {
	t.Helper()
	enc, err := encoder.Load(encodertest.XLMRoberta(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 32, Text: []string{"title"}, Prompt: "o: "}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func table(t *testing.T, titles ...string) []byte {
	t.Helper()
	var set []rows.Row
	for i, title := range titles {
		set = append(set, rows.Row{ID: strconv.Itoa(i), Title: title, Labels: []rows.Label{{Abstain: true}}})
	}
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, set, []string{"x"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func attempt(t *testing.T, vocabulary string) stagetest.Case {
	return stagetest.Case{Kind: prune.Kind(), Options: &prune.Options{Vocabulary: vocabulary}, Inputs: map[string]any{
		"model": model(t), "train": table(t, "polisen i stockholm"), "val": table(t, "en match"), "test": table(t, "match i stockholm", "brand i en skog"),
	}}
}

// TestPrune: what train and val use stays and the rest goes; what that costs is counted on
// test, whose own words keep nothing. The same rows make the same bytes.
func TestPrune(t *testing.T) {
	c := attempt(t, "seen")
	r := stagetest.MustRun(t, c)
	var doc prune.Vocabulary
	if err := json.Unmarshal(r.File(t, "vocabulary"), &doc); err != nil {
		t.Fatal(err)
	}
	h := doc.HeldOut
	if doc.After.IDs >= doc.Before.IDs || doc.After.Bytes >= doc.Before.Bytes || doc.After.Embeddings != int64(4*32*doc.After.IDs) || h == nil {
		t.Fatalf("%+v", doc)
	}
	if h.Rows != 2 || h.RowsChanged != 1 || h.TokensGone < 1 || h.TokensGone > 2 || h.TokensAfter <= h.Tokens {
		t.Errorf("%+v", h)
	}
	note := fmt.Sprintf("%d of %d pieces", doc.After.IDs, doc.Before.IDs)
	if text, _ := r.Notes["vocabulary"].(string); !strings.HasPrefix(text, note) || !strings.Contains(text, "50.0 % of the texts are cut otherwise") {
		t.Errorf("noted %q", text)
	}
	files := r.Tree(t, "model")
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := bert.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for piece, stays := range map[string]bool{"▁polisen": true, "▁match": true, "▁skog": false, "o": true, "<mask>": true} {
		if _, ok := m.Tokenizer.ID(piece); ok != stays {
			t.Errorf("%s is there: %v", piece, ok)
		}
	}
	again := stagetest.MustRun(t, attempt(t, "seen"))
	if again.Outputs["model"].Digest != r.Outputs["model"].Digest {
		t.Error("the same rows make another model")
	}
}

// TestWhole: the whole vocabulary is the same model, to the byte.
func TestWhole(t *testing.T) {
	r := stagetest.MustRun(t, attempt(t, "whole"))
	for name, data := range model(t) {
		if !slices.Equal(r.Tree(t, "model")[name], data) {
			t.Errorf("%s changed", name)
		}
	}
}
