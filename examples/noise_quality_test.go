//go:build quality

package examples

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
)

// seedsAreNoise holds that `sprint diff` calls noise what is noise: the heads of the
// quickstart are trained on the same rows with seven seeds, and each of the 21 pairs is
// compared. An interval of 95 % may be wrong of one pair in 20. It is that of the rows which
// measure: which rows train is no noise to it, and seeds of split are told apart more often.
func seedsAreNoise(t *testing.T, store string) {
	t.Helper()
	var made []string
	for seed := 1; seed <= 7; seed++ {
		r := run(t, store, "quickstart/plan.yaml", "--set", "train.method=heads", "--set", fmt.Sprintf("train.seed=%d", seed))
		if r.Run == nil || r.Code != 0 && r.Code != 5 {
			t.Fatalf("seed %d: code %d", seed, r.Code)
		}
		made = append(made, *r.Run)
	}
	type change struct {
		Word   string
		Change float64
	}
	words := map[string]int{}
	largest := 0.0
	same := true
	for i, old := range made {
		for _, now := range made[i+1:] {
			out, err := exec.Command(sprint(t), "diff", old, now, "--store", store, "-o", "json").Output()
			if err != nil {
				t.Fatalf("diff %s %s: %v", old, now, err)
			}
			var d struct {
				Scores *struct {
					MacroF1 change `json:"macro_f1"`
				}
			}
			if err := json.Unmarshal(out, &d); err != nil || d.Scores == nil {
				t.Fatalf("diff %s %s: %v: %.300s", old, now, err, out)
			}
			m := d.Scores.MacroF1
			words[m.Word]++
			largest = max(largest, m.Change, -m.Change)
			same = same && m.Change == 0
		}
	}
	pairs := len(made) * (len(made) - 1) / 2
	fmt.Printf("%-34s %d of %d pairs of seeds are noise, the largest change of macro-F1 %.3f\n", "quickstart, heads", words["noise"], pairs, largest)
	if same {
		t.Fatal("all seeds gave the same figures: nothing was compared")
	}
	if 20*words["noise"] < 19*pairs {
		t.Errorf("of %d pairs of seeds %v: fewer than 19 of 20 are noise", pairs, words)
	}
}
