package chart

import (
	"fmt"
	"strconv"
)

// Bar is a value between 0 and 1 with its interval, if it has one. Class is "a"
// to "e".
type Bar struct {
	Class    string
	Value    float64
	Interval *[2]float64
}

// Group is bars that stand together under a name.
type Group struct {
	Name string
	Bars []Bar
}

// Bars draws groups of bars on a scale from 0 to 1. Names are those of the bars of a
// group, each with its class before it.
func Bars(title, desc string, names [][2]string, groups []Group) *Chart {
	const left, right, thick = 4, 40, 13
	c := &Chart{Title: title, Desc: desc, Width: width}
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
		height += 26 + thick*float64(len(g.Bars))
	}
	for i := range 5 {
		v := float64(i) / 4
		c.line("grid", px(v), y, px(v), y+height)
		c.text("tick", "middle", px(v), y+height+14, strconv.FormatFloat(v, 'g', 3, 64))
	}
	for _, g := range groups {
		y += 17
		c.text("group", "start", left, y, g.Name)
		y += 5
		for _, b := range g.Bars {
			c.rect("bar-"+b.Class, px(0), y+1, px(b.Value)-px(0), thick-2)
			end := px(b.Value)
			if i := b.Interval; i != nil {
				c.whisker(px(i[0]), px(i[1]), y+thick/2.0)
				end = max(end, px(i[1]))
			}
			c.text("value", "start", end+5, y+thick-2.5, fmt.Sprintf("%.2f", b.Value))
			y += thick
		}
		y += 4
	}
	c.Height = round(24 + height + 22)
	return c
}

// whisker draws an interval, with a halo so that it is seen on any bar.
func (c *Chart) whisker(low, high, y float64) {
	for _, class := range []string{"halo", "whisker"} {
		c.line(class, low, y, high, y)
		c.line(class, low, y-3.5, low, y+3.5)
		c.line(class, high, y-3.5, high, y+3.5)
	}
}
