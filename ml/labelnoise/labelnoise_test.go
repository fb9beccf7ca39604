package labelnoise

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// corpus makes texts of two topics and flips some labels.
func corpus(n int, flip float64) (texts []string, groups []int, labels, truth []int8) {
	rng := rand.New(rand.NewPCG(5, 6))
	words := [2][]string{strings.Fields("rate bank market share price loan budget profit"), strings.Fields("goal match coach league stadium striker cup referee")}
	for i := range n {
		y := int8(0)
		if rng.IntN(3) == 0 {
			y = 1
		}
		var w []string
		for range 6 {
			w = append(w, words[y][rng.IntN(8)])
		}
		w = append(w, fmt.Sprintf("filler%d", rng.IntN(50)))
		texts, groups, truth = append(texts, strings.Join(w, " ")), append(groups, i), append(truth, y)
		if rng.Float64() < flip {
			y = 1 - y
		}
		labels = append(labels, y)
	}
	return texts, groups, labels, truth
}

// TestIssues: most flipped labels are found, and few others are blamed.
func TestIssues(t *testing.T) {
	texts, groups, labels, truth := corpus(600, 0.08)
	p, ok, err := OutOfFold(t.Context(), texts, groups, [][]int8{labels}, Options{})
	if err != nil || !ok[0] {
		t.Fatal(ok, err)
	}
	flipped, found := 0, 0
	for i := range truth {
		if truth[i] != labels[i] {
			flipped++
		}
	}
	suspects := Issues(p[0], labels)
	for k, s := range suspects {
		if truth[s.Row] != labels[s.Row] {
			found++
		}
		if (labels[s.Row] == Present) == s.Present || k > 0 && s.Doubt > suspects[k-1].Doubt {
			t.Fatalf("%d: %+v", k, s)
		}
	}
	if float64(found) < 0.8*float64(flipped) || float64(found) < 0.9*float64(len(suspects)) {
		t.Errorf("%d flipped, %d found among %d suspects", flipped, found, len(suspects))
	}
	again, _, _ := OutOfFold(t.Context(), texts, groups, [][]int8{labels}, Options{})
	if !reflect.DeepEqual(p, again) {
		t.Error("a second judgement differs")
	}
}

// TestHeldOut: a row that is the only one of its words cannot be told from
// itself, so random labels give no confident classifier.
func TestHeldOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	var texts []string
	var groups []int
	var labels []int8
	for i := range 300 {
		word := func() string { // of four letters: no runs to share with others
			return string([]byte{byte('a' + rng.IntN(26)), byte('a' + rng.IntN(26)), byte('a' + rng.IntN(26)), byte('a' + rng.IntN(26))})
		}
		texts, groups, labels = append(texts, word()+" "+word()), append(groups, i/2), append(labels, int8(rng.IntN(2)))
		if i%2 == 1 {
			texts[i] = texts[i-1] // near-duplicates share a group, and so a fold
		}
	}
	p, _, err := OutOfFold(t.Context(), texts, groups, [][]int8{labels}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range p[0] {
		if x < 0.2 || x > 0.8 {
			t.Fatalf("row %d was seen: %g", i, x)
		}
	}
}

func TestUndecidedAndScarce(t *testing.T) {
	texts, groups, labels, truth := corpus(300, 0)
	scarce := make([]int8, len(labels))
	scarce[0] = Present
	for i := range 50 {
		labels[i] = Undecided
	}
	p, ok, err := OutOfFold(t.Context(), texts, groups, [][]int8{labels, scarce}, Options{})
	if err != nil || !ok[0] || ok[1] || p[1] != nil {
		t.Fatal(ok, err)
	}
	right := 0
	for i := range 50 {
		if (p[0][i] > 0.5) == (truth[i] == Present) {
			right++
		}
	}
	if right < 47 {
		t.Errorf("%d of 50 undecided rows are judged right", right)
	}
	for _, s := range Issues(p[0], labels) {
		if labels[s.Row] == Undecided {
			t.Fatal("an undecided row has no wrong label")
		}
	}
}
