// Package losses draws the losses of a training: a line for the terminal while it runs, and
// a chart by epoch as SVG. It imports no kind.
package losses

import (
	"fmt"
	"math"
	"strings"
)

// Sparkline is a line of the last losses for the terminal: the mean of equal spans.
type Sparkline struct {
	means []float64
	span  int // losses per mean
	sum   float64
	n     int
}

const sparkWidth = 16

// Add takes one more loss.
func (s *Sparkline) Add(loss float64) {
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

func (s Sparkline) String() string {
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

// Epoch is the losses of one epoch.
type Epoch struct {
	Epoch              int
	TrainLoss, ValLoss float64
	Best               bool
}

// Chart draws the losses of train and val by epoch as SVG. It is a stored
// output: other bytes for the same history demand another version of the kind.
func Chart(history []Epoch) []byte {
	const width, height, margin = 640, 320, 48
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img" aria-label="loss by epoch">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	high := 0.0
	for _, e := range history {
		high = max(high, e.TrainLoss, e.ValLoss)
	}
	if high == 0 || math.IsInf(high, 0) || math.IsNaN(high) {
		high = 1
	}
	x := func(i int) float64 {
		if len(history) == 1 {
			return width / 2
		}
		return margin + float64(i)*(width-2*margin)/float64(len(history)-1)
	}
	y := func(v float64) float64 { return height - margin - v/high*(height-2*margin) }
	for i := range 5 {
		v := high * float64(i) / 4
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#444">%.3g</text>`+"\n",
			margin, width-margin, y(v), y(v), margin-6, y(v)+4, v)
	}
	step := max((len(history)+9)/10, 1)
	for i := 0; i < len(history); i += step {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#444">%d</text>`+"\n", x(i), height-margin+18, history[i].Epoch)
	}
	for k, line := range []struct {
		name, color string
		of          func(Epoch) float64
	}{
		{"train", "#1f6fb2", func(e Epoch) float64 { return e.TrainLoss }},
		{"val", "#c2410c", func(e Epoch) float64 { return e.ValLoss }},
	} {
		var points []string
		for i, e := range history {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(i), y(line.of(e))))
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", line.color, strings.Join(points, " "))
		for i, e := range history {
			radius := 2.5
			if e.Best && k == 1 {
				radius = 4.5
			}
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", x(i), y(line.of(e)), radius, line.color)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s loss</text>`+"\n", width-margin-80, margin-20+16*k, line.color, line.name)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="#444">epoch</text>`+"\n</svg>\n", width/2, height-10)
	return []byte(b.String())
}
