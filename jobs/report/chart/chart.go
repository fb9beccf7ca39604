// Package chart draws lines and bars as SVG: chart.go holds the drawing and its
// SVG, line.go and bars.go the two sorts. It imports nothing of ours.
package chart

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Chart is a drawing in units of its box. Desc says in words what it shows; ID
// is unique within the page that holds the drawing.
type Chart struct {
	ID, Title, Desc string
	Width, Height   float64
	Shapes          []Shape
}

// Shape is a rectangle, circle, line or polyline, or a text. Class says what it
// stands for; colours come from Style.
type Shape struct {
	Kind, Class    string
	X, Y           float64 // start, centre or baseline
	W, H           float64 // of a rectangle; the end of a line; W is a radius
	Points, Anchor string
	Text           string
}

// Style is the style sheet of the classes. Its colours are variables of the page
// that holds the drawing: paper, ink, soft, line, whisker, a and b.
//
//go:embed style.css
var Style string

// width keeps texts readable on a phone, where a chart is as wide as the screen.
const width = 410

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

// SVG is the drawing as an element of a page that holds Style. All texts in it
// are escaped.
func (c *Chart) SVG() string {
	var b strings.Builder
	id := escaped(c.ID)
	fmt.Fprintf(&b, "<svg viewBox=\"0 0 %v %v\" role=\"img\" aria-labelledby=\"%s-t %s-d\">\n<title id=\"%s-t\">%s</title><desc id=\"%s-d\">%s</desc>\n",
		c.Width, c.Height, id, id, id, escaped(c.Title), id, escaped(c.Desc))
	for _, s := range c.Shapes {
		class := escaped(s.Class)
		switch s.Kind {
		case "rect":
			fmt.Fprintf(&b, "<rect class=\"%s\" x=\"%v\" y=\"%v\" width=\"%v\" height=\"%v\"/>\n", class, s.X, s.Y, s.W, s.H)
		case "circle":
			fmt.Fprintf(&b, "<circle class=\"%s\" cx=\"%v\" cy=\"%v\" r=\"%v\"/>\n", class, s.X, s.Y, s.W)
		case "line":
			fmt.Fprintf(&b, "<line class=\"%s\" x1=\"%v\" y1=\"%v\" x2=\"%v\" y2=\"%v\"/>\n", class, s.X, s.Y, s.W, s.H)
		case "polyline":
			fmt.Fprintf(&b, "<polyline class=\"%s\" points=\"%s\"/>\n", class, escaped(s.Points))
		default:
			fmt.Fprintf(&b, "<text class=\"%s\" x=\"%v\" y=\"%v\" text-anchor=\"%s\">%s</text>\n", class, s.X, s.Y, escaped(s.Anchor), escaped(s.Text))
		}
	}
	b.WriteString("</svg>")
	return b.String()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

func clamp(v float64) float64 {
	if !(v > 0) { // no number either
		return 0
	}
	return min(v, 1)
}

func finite(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }
