package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// TestSVG: whatever is drawn is well-formed XML and holds every text as text.
func TestSVG(t *testing.T) {
	const attack = `</text><script>alert(1)</script>"'&`
	for name, c := range map[string]*Chart{
		"nothing": Lines(Caption{}, nil, 0, -1),
		"lines": Lines(Caption{Title: attack, Desc: attack, Axis: attack}, []float64{1, 2, 3}, 0, 2,
			Series{attack, "a", []float64{1, math.NaN(), 1e30}}, Series{attack, "b", []float64{math.Inf(1), 1, 1e30}}),
		"bars": Bars(attack, attack, [][2]string{{"a", attack}}, []Group{{attack, []Bar{{"a", math.NaN(), nil}, {"b", 0.5, &[2]float64{0.2, 2}}}}}),
	} {
		file := c.SVG()
		if strings.Contains(file, `="NaN`) || strings.Contains(file, `Inf`) {
			t.Errorf("%s: %s", name, file)
		}
		texts := 0
		for d := xml.NewDecoder(strings.NewReader(file)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is no XML: %v\n%s", name, err, file)
			}
			if start, ok := token.(xml.StartElement); ok && start.Name.Local == "script" {
				t.Errorf("%s: a text became an element", name)
			}
			if data, ok := token.(xml.CharData); ok && string(data) == attack {
				texts++
			}
		}
		if want := map[string]int{"lines": 5, "bars": 4}[name]; texts != want {
			t.Errorf("%s shows %d of %d texts", name, texts, want)
		}
	}
}

// TestScale: the largest value stays within the box.
func TestScale(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, -3: 1, 0.9: 1, 1.1: 1.2, 7: 8, 1e301: 1} {
		if got := nice(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("nice(%g) = %g, want %g", v, got, want)
		}
	}
}
