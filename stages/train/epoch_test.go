package train

import "testing"

// TestGained: small steps count once they add up, and one that is below min_gain does not.
func TestGained(t *testing.T) {
	l := &loop{stage: &stage{o: &Options{MinGain: 0.01, BestBy: "loss"}}, state: loopState{CountedLoss: 1, BestLoss: 1}}
	for _, c := range []struct {
		loss float64
		want bool
	}{{0.995, false}, {0.989, true}, {1, false}} {
		if got := l.gained(Epoch{ValLoss: c.loss}); got != c.want {
			t.Errorf("a loss of %v after one of 1 counts: %v", c.loss, got)
		}
	}
	l.o.BestBy, l.state.BestF1 = "macro_f1", 0.5
	if !l.gained(Epoch{ValLoss: 2, ValMacroF1: 0.51}) || l.gained(Epoch{ValLoss: 0.1, ValMacroF1: 0.49}) || l.gained(Epoch{ValLoss: 0.995, ValMacroF1: 0.5}) {
		t.Error("by macro-F1 the loss decides where it should not, or not between equals")
	}
}

// TestPatienceEndsCreepingLosses: epochs that gain less than min_gain use patience up,
// though each is the best so far.
func TestPatienceEndsCreepingLosses(t *testing.T) {
	l := &loop{stage: &stage{o: &Options{MinGain: 0.01, BestBy: "loss"}}, state: loopState{CountedLoss: 1, BestLoss: 1}}
	x := Epoch{ValLoss: 0.999}
	if !l.better(x) || l.gained(x) {
		t.Errorf("better %v, counts %v", l.better(x), l.gained(x))
	}
}
