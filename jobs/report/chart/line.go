package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Series is one line of a line chart. Class is "a" or "b".
type Series struct {
	Name, Class string
	Y           []float64
}

// Caption is what a line chart says in words: its title, what it shows, and the
// name of its x axis.
type Caption struct{ Title, Desc, Axis string }

// The margins of a line chart, and the most points of a line.
const (
	left, right, above, below = 42, 66, 14, 36
	maxPoints                 = 300
)

// Lines draws series over x, from 0 up to the largest value, or to top if it is
// not 0. The x at the index kept is marked; -1 marks none.
func Lines(caption Caption, x []float64, top float64, kept int, all ...Series) *Chart {
	c := &Chart{Title: caption.Title, Desc: caption.Desc, Width: width, Height: 230}
	p := &plot{Chart: c, x: x, top: top}
	if top == 0 {
		p.top = highest(all)
	}
	p.axes(caption.Axis)
	if kept >= 0 && kept < len(x) {
		p.mark(kept, "kept")
	}
	ends := make([]float64, len(all))
	for k, s := range all {
		ends[k] = p.series(s)
	}
	spread(ends)
	for k, s := range all {
		c.text("name-"+s.Class, "start", c.Width-right+8, min(ends[k], c.Height-below)+4, s.Name)
	}
	return c
}

// plot maps values to the box of a line chart.
type plot struct {
	*Chart
	x   []float64
	top float64
}

func (p *plot) px(v float64) float64 {
	from, to := p.x[0], p.x[len(p.x)-1]
	if to <= from {
		return (left + p.Width - right) / 2
	}
	return left + (v-from)/(to-from)*(p.Width-left-right)
}

func (p *plot) py(v float64) float64 {
	return p.Height - below - v/p.top*(p.Height-above-below)
}

func (p *plot) axes(name string) {
	for i := range 5 {
		v := p.top * float64(i) / 4
		p.line("grid", left, p.py(v), p.Width-right, p.py(v))
		p.text("tick", "end", left-6, p.py(v)+4, strconv.FormatFloat(v, 'g', 3, 64))
	}
	step := max((len(p.x)+7)/8, 1)
	for i := 0; i < len(p.x); i += step {
		p.text("tick", "middle", p.px(p.x[i]), p.Height-below+16, strconv.FormatFloat(p.x[i], 'g', 6, 64))
	}
	p.text("tick", "middle", (left+p.Width-right)/2, p.Height-4, name)
}

// mark draws a line at an index of x, with a word above it.
func (p *plot) mark(at int, word string) {
	x := p.px(p.x[at])
	p.line("best", x, above, x, p.Height-below)
	anchor := "middle"
	if x > p.Width-right-30 {
		anchor = "end"
	}
	p.text("tick", anchor, x, above-3, word)
}

// series draws a line and returns the height of its end. Few points are marked
// one by one; of many every n-th is drawn, and the last.
func (p *plot) series(s Series) (end float64) {
	thin := max((len(p.x)+maxPoints-1)/maxPoints, 1)
	var points []string
	for i, v := range s.Y {
		if !finite(v) || i%thin != 0 && i != len(s.Y)-1 {
			continue
		}
		x, y := p.px(p.x[i]), p.py(v)
		points = append(points, fmt.Sprintf("%g,%g", round(x), round(y)))
		end = y
		switch {
		case len(p.x) > 40:
		case s.Class == "a":
			p.circle("mark-a", x, y, 3)
		default:
			p.rect("mark-b", x-2.8, y-2.8, 5.6, 5.6)
		}
	}
	p.Shapes = append(p.Shapes, Shape{Kind: "polyline", Class: "line-" + s.Class, Points: strings.Join(points, " ")})
	return end
}

// spread moves two heights apart, so that the names there do not overlap.
func spread(ends []float64) {
	if len(ends) != 2 || math.Abs(ends[0]-ends[1]) >= 15 {
		return
	}
	upper, middle := 0, (ends[0]+ends[1])/2
	if ends[1] < ends[0] {
		upper = 1
	}
	ends[upper], ends[1-upper] = middle-7.5, middle+7.5
}

// highest is a round number that no value of the series is above.
func highest(all []Series) float64 {
	top := 0.0
	for _, s := range all {
		for _, v := range s.Y {
			if finite(v) {
				top = max(top, v)
			}
		}
	}
	return nice(top)
}

// nice is the next round number above v.
func nice(v float64) float64 {
	if !(v > 0) || v > 1e300 {
		return 1
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10} {
		if m*base >= v {
			return m * base
		}
	}
	return 10 * base
}
