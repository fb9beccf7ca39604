package train

import (
	"fmt"
	"testing"
)

func TestBalance(t *testing.T) {
	var examples []Example
	var texts []string
	for i := range 100 {
		e := Example{Score: []float32{0, 0}, Weight: []float32{1, 1}, Tag: []int32{0, 1}, TagWeight: []float32{0, 1}}
		if i < 2 {
			e.Score[0] = 1 // 2 %: sqrt(0.2/0.02) = 3.2 times
		}
		if i >= 50 {
			e.Score[1] = 1
		}
		if i >= 95 {
			e.Tag[1] = 2 // 5 of 50, 25 would be even: sqrt(5) = 2.2 times
		}
		examples, texts = append(examples, e), append(texts, fmt.Sprint(i))
	}
	out, named := Balance(examples, texts, 1)
	count := map[string]int{}
	for _, n := range named {
		count[n]++
	}
	if len(out) != len(named) || count["0"] < 3 || count["0"] > 4 || count["1"] < 3 || count["1"] > 4 || count["20"] != 1 || count["70"] != 1 || count["99"] < 2 || count["99"] > 3 {
		t.Errorf("%d examples, %v", len(out), count)
	}
	again, _ := Balance(examples, texts, 1)
	if len(again) != len(out) {
		t.Error("not the same in every run")
	}
}
