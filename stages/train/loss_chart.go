package train

import (
	"math"
	"strings"

	"github.com/sprint-ml/sprint/stages/chart"
)

// sparkline is a line of the last losses for the terminal: the mean of equal spans.
type sparkline struct {
	means []float64
	span  int // losses per mean
	sum   float64
	n     int
}

const sparkWidth = 16

func (s *sparkline) add(loss float64) {
	s.span = max(s.span, 1)
	if s.sum, s.n = s.sum+loss, s.n+1; s.n < s.span {
		return
	}
	s.means, s.sum, s.n = append(s.means, s.sum/float64(s.n)), 0, 0
	if len(s.means) == 2*sparkWidth {
		for i := range sparkWidth {
			s.means[i] = (s.means[2*i] + s.means[2*i+1]) / 2
		}
		s.means, s.span = s.means[:sparkWidth], 2*s.span
	}
}

func (s sparkline) String() string {
	v := s.means[max(len(s.means)-sparkWidth, 0):]
	if len(v) < 2 {
		return ""
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range v {
		low, high = min(low, x), max(high, x)
	}
	var b strings.Builder
	for _, x := range v {
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[int(7*(x-low)/math.Max(high-low, 1e-12)+0.5)])
	}
	return b.String()
}

// lossChart draws the losses of train and val by epoch as SVG.
func lossChart(history []Epoch) []byte {
	epochs, train, val := make([]float64, len(history)), make([]float64, len(history)), make([]float64, len(history))
	kept := -1
	for i, e := range history {
		epochs[i], train[i], val[i] = float64(e.Epoch), e.TrainLoss, e.ValLoss
		if e.Best {
			kept = i
		}
	}
	return chart.Lines(chart.Caption{Title: "Loss by epoch", Desc: "The loss on train and on val after each epoch.", Axis: "epoch"}, epochs, 0, kept,
		chart.Series{Name: "train", Class: "a", Y: train}, chart.Series{Name: "val", Class: "b", Y: val}).File()
}
