package train

import (
	"slices"
	"testing"
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
