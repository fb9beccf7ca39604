package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Chart is a drawing in units of its box. Desc says in words what it shows; the
// same figures stand in a table beside it.
type Chart struct {
	ID, Title, Desc string
	Width, Height   float64
	Shapes          []Shape
}

// Shape is a rectangle, circle, line or polyline, or a text. Class says what it
// stands for; colours come from the style sheet.
type Shape struct {
	Kind, Class    string
	X, Y           float64 // start, centre or baseline
	W, H           float64 // of a rectangle; end minus start of a line; W is a radius
	Points, Anchor string
	Text           string
}

// chartWidth keeps texts readable on a phone, where a chart is as wide as the
// screen.
const chartWidth = 410

func round(v float64) float64 { return math.Round(v*10) / 10 }

func (c *Chart) rect(class string, x, y, w, h float64) {
	c.Shapes = append(c.Shapes, Shape{Kind: "rect", Class: class, X: round(x), Y: round(y), W: round(max(w, 0)), H: round(max(h, 0))})
}

func (c *Chart) circle(class string, x, y, radius float64) {
	c.Shapes = append(c.Shapes, Shape{Kind: "circle", Class: class, X: round(x), Y: round(y), W: radius})
}

func (c *Chart) line(class string, x, y, x2, y2 float64) {
	c.Shapes = append(c.Shapes, Shape{Kind: "line", Class: class, X: round(x), Y: round(y), W: round(x2), H: round(y2)})
}

func (c *Chart) text(class, anchor string, x, y float64, text string) {
	c.Shapes = append(c.Shapes, Shape{Kind: "text", Class: class, Anchor: anchor, X: round(x), Y: round(y), Text: text})
}

// series is one line of a line chart. Class is "a" or "b".
type series struct {
	name, class string
	y           []float64
}

// lineChart draws series over x, from 0 up to the largest value or to top.
func lineChart(title, desc, axis string, x []float64, top float64, marked int, all ...series) *Chart {
	const left, right, above, below = 42, 66, 14, 36
	c := &Chart{Title: title, Desc: desc, Width: chartWidth, Height: 230}
	if top == 0 {
		for _, s := range all {
			for _, v := range s.y {
				if finite(v) {
					top = max(top, v)
				}
			}
		}
		top = nice(top)
	}
	from, to := x[0], x[len(x)-1]
	px := func(v float64) float64 {
		if to <= from {
			return (left + c.Width - right) / 2
		}
		return left + (v-from)/(to-from)*(c.Width-left-right)
	}
	py := func(v float64) float64 { return c.Height - below - v/top*(c.Height-above-below) }
	for i := range 5 {
		v := top * float64(i) / 4
		c.line("grid", left, py(v), c.Width-right, py(v))
		c.text("tick", "end", left-6, py(v)+4, strconv.FormatFloat(v, 'g', 3, 64))
	}
	step := max((len(x)+7)/8, 1)
	for i := 0; i < len(x); i += step {
		c.text("tick", "middle", px(x[i]), c.Height-below+16, strconv.FormatFloat(x[i], 'g', 6, 64))
	}
	c.text("tick", "middle", (left+c.Width-right)/2, c.Height-4, axis)
	if marked >= 0 && marked < len(x) {
		c.line("best", px(x[marked]), above, px(x[marked]), c.Height-below)
		anchor := "middle"
		if px(x[marked]) > c.Width-right-30 {
			anchor = "end"
		}
		c.text("tick", anchor, px(x[marked]), above-3, "kept")
	}
	ends := make([]float64, len(all))
	for k, s := range all {
		thin := max((len(x)+maxPoints-1)/maxPoints, 1)
		var points []string
		for i, v := range s.y {
			if !finite(v) || i%thin != 0 && i != len(s.y)-1 {
				continue
			}
			points = append(points, fmt.Sprintf("%g,%g", round(px(x[i])), round(py(v))))
			ends[k] = py(v)
			switch {
			case len(x) > 40:
			case s.class == "a":
				c.circle("mark-a", px(x[i]), py(v), 3)
			default:
				c.rect("mark-b", px(x[i])-2.8, py(v)-2.8, 5.6, 5.6)
			}
		}
		c.Shapes = append(c.Shapes, Shape{Kind: "polyline", Class: "line-" + s.class, Points: strings.Join(points, " ")})
	}
	if len(ends) == 2 && math.Abs(ends[0]-ends[1]) < 15 { // names keep apart
		upper, middle := 0, (ends[0]+ends[1])/2
		if ends[1] < ends[0] {
			upper = 1
		}
		ends[upper], ends[1-upper] = middle-7.5, middle+7.5
	}
	for k, s := range all {
		c.text("name-"+s.class, "start", c.Width-right+8, min(ends[k], c.Height-below)+4, s.name)
	}
	return c
}

// bar is a value between 0 and 1 with its interval, if it has one.
type bar struct {
	class     string
	value     float64
	low, high *float64
}

type barGroup struct {
	name string
	bars []bar
}

// barChart draws groups of bars on a scale from 0 to 1. names are those of the
// bars of a group, by class.
func barChart(title, desc string, names [][2]string, groups []barGroup) *Chart {
	const left, right, thick = 4, 40, 13
	c := &Chart{Title: title, Desc: desc, Width: chartWidth}
	x := left + 0.0
	for _, n := range names { // the legend
		c.rect("bar-"+n[0], x, 2, 12, 12)
		c.text("tick", "start", x+17, 12.5, n[1])
		x += 34 + 6.6*float64(len(n[1]))
	}
	y := 24.0
	px := func(v float64) float64 { return left + clamp(v)*(c.Width-left-right) }
	height := 0.0
	for _, g := range groups {
		height += 26 + thick*float64(len(g.bars))
	}
	for i := range 5 {
		v := float64(i) / 4
		c.line("grid", px(v), y, px(v), y+height)
		c.text("tick", "middle", px(v), y+height+14, strconv.FormatFloat(v, 'g', 3, 64))
	}
	for _, g := range groups {
		y += 17
		c.text("group", "start", left, y, g.name)
		y += 5
		for _, b := range g.bars {
			c.rect("bar-"+b.class, px(0), y+1, px(b.value)-px(0), thick-2)
			end := px(b.value)
			if b.low != nil && b.high != nil {
				middle := y + thick/2.0
				for _, class := range []string{"halo", "whisker"} { // seen on any bar
					c.line(class, px(*b.low), middle, px(*b.high), middle)
					c.line(class, px(*b.low), middle-3.5, px(*b.low), middle+3.5)
					c.line(class, px(*b.high), middle-3.5, px(*b.high), middle+3.5)
				}
				end = max(end, px(*b.high))
			}
			c.text("value", "start", end+5, y+thick-2.5, fmt.Sprintf("%.2f", b.value))
			y += thick
		}
		y += 4
	}
	c.Height = round(24 + height + 22)
	return c
}

func clamp(v float64) float64 {
	if !(v > 0) { // no number either
		return 0
	}
	return min(v, 1)
}

func finite(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }

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
