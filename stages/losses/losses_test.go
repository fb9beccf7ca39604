package losses

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestChartKeepsItsBytes: the chart is a stored output, so a run that is done
// again has to give the bytes that it gave before.
func TestChartKeepsItsBytes(t *testing.T) {
	history := []Epoch{
		{Epoch: 1, TrainLoss: 0.71, ValLoss: 0.64}, {Epoch: 2, TrainLoss: 0.48, ValLoss: 0.39, Best: true}, {Epoch: 3, TrainLoss: 0.33, ValLoss: 0.41},
	}
	for name, c := range map[string]struct {
		history []Epoch
		want    string
	}{"three epochs": {history, "94f31742356025d8f6fceef8fc6d748834e24b11f7462a69a38a9560c533a841"}, "one epoch": {history[:1], "68ef22ea66a7b19130ec88bbf780699d5eff0370126865981720916a1bd17009"}} {
		sum := sha256.Sum256(Chart(c.history))
		if got := hex.EncodeToString(sum[:]); got != c.want {
			t.Errorf("%s: sha256 %s, was %s:\n%s", name, got, c.want, Chart(c.history))
		}
	}
}

func TestCurveHoldsAnything(t *testing.T) {
	for _, h := range [][]Epoch{nil, {{Epoch: 1}}, {{Epoch: 1, TrainLoss: 2, ValLoss: 1}, {Epoch: 2, TrainLoss: 1e30}}} {
		if svg := Chart(h); !bytes.Contains(svg, []byte("</svg>")) || bytes.Contains(svg, []byte("NaN")) {
			t.Errorf("%s", svg)
		}
	}
	var s Sparkline
	for i := range 1000 {
		s.Add(1000 - float64(i))
	}
	if got := []rune(s.String()); len(got) > sparkWidth || got[0] != '█' || got[len(got)-1] != '▁' {
		t.Errorf("%s", s)
	}
}
