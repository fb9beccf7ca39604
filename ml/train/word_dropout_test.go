package train

import (
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// TestWordDropout: whole words go, fixed tokens stay, shares are kept, one word is
// spared, and the same draw is made again for the same epoch and example only.
func TestWordDropout(t *testing.T) {
	// 0 and 1 are fixed, 2 hides, 3..9 begin words, 10..12 go on with them.
	h := wordDropout{WordDropout: WordDropout{Rate: 0.5}, mask: 2, inside: make([]bool, 13), fixed: make([]bool, 13)}
	h.fixed[0], h.fixed[1], h.fixed[2] = true, true, true
	h.inside[10], h.inside[11], h.inside[12] = true, true, true
	ids, types := []int32{0, 3, 10, 11, 4, 5, 12, 1, 6, 10, 7, 1}, []int32{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1}
	words := [][]int{{1, 2, 3}, {4}, {5, 6}, {8, 9}, {10}}
	hidden, differ := 0, false
	first, _ := h.apply(ids, types, 7, 0, 0)
	for epoch := range 400 {
		got, gotTypes := h.apply(ids, types, 7, epoch, 3)
		again, _ := h.apply(ids, types, 7, epoch, 3)
		if !slices.Equal(got, again) || !slices.Equal(gotTypes, types) || len(got) != len(ids) {
			t.Fatalf("%v %v %v", got, again, gotTypes)
		}
		differ = differ || !slices.Equal(got, first)
		n := 0
		for _, w := range words {
			all, none := true, true
			for _, i := range w {
				all, none = all && got[i] == 2, none && got[i] == ids[i]
			}
			if !all && !none {
				t.Fatalf("half a word: %v", got)
			}
			if all {
				n++
			}
		}
		if n == len(words) || got[0] != 0 || got[7] != 1 || got[11] != 1 {
			t.Fatalf("%v", got)
		}
		hidden += n
	}
	if share := float64(hidden) / 400 / 5; share < 0.36 || share > 0.44 || !differ { // one in five is spared
		t.Errorf("%g of the words are hidden", share)
	}
	h.Delete, h.Rate = true, 1
	left, leftTypes := h.apply(ids, types, 7, 1, 1)
	if len(left) != len(leftTypes) || len(left) > 6 || len(left) < 4 || left[0] != 0 || left[len(left)-1] != 1 || slices.Contains(left, 2) {
		t.Errorf("%v %v", left, leftTypes)
	}
}

// TestWordDropoutSparesThePrompt: what stands before every text is never hidden, in no family
// of tokenizers; the same words in the text itself are.
func TestWordDropoutSparesThePrompt(t *testing.T) {
	for prompt, dir := range map[string]string{"waa wab: ": encodertest.Tiny(t), "polis en: ": encodertest.XLMRoberta(t)} {
		enc, err := encoder.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 1, MaxLength: 32, Text: []string{"title"}, Prompt: prompt}, 1)
		if err != nil {
			t.Fatal(err)
		}
		d := newWordDropout(WordDropout{Rate: 0.9, Delete: true}, m)
		ids, types := m.Encode(prompt+prompt+prompt, "")
		alone := m.Tokenizer.Encode(nil, strings.TrimSpace(prompt), 0)
		alone = alone[:len(alone)-1]
		if len(alone) < 3 || !slices.Equal(ids[:len(alone)], alone) {
			t.Fatalf("%q: %v begins with %v", prompt, ids, alone)
		}
		hidden := 0
		for example := range 50 {
			left, _ := d.apply(ids, types, 7, 0, example)
			if !slices.Equal(left[:min(len(left), len(alone))], alone) {
				t.Fatalf("%q: %v is left of %v", prompt, left, ids)
			}
			hidden += len(ids) - len(left)
		}
		if hidden < 50 {
			t.Errorf("%q: %d tokens of 50 texts are hidden", prompt, hidden)
		}
	}
}
