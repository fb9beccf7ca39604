package report

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

// segmentSection shows where the model does worse than on the whole.
func segmentSection(m *document.Metrics, d *document.Details) Section {
	model, _ := m.Measured()
	out := Section{Title: "Where it is weak", Intro: fmt.Sprintf("Micro-F1 by site and by length of the headline; on the whole set it is %s. Small parts swing by chance.", f3(model.MicroF1))}
	for _, by := range slices.Sorted(maps.Keys(d.Segments)) {
		t := &Table{Caption: "By " + by, Columns: []Column{{by, false}, {"rows", true}, {"micro-F1", true}, {"against all", true}}}
		for _, s := range d.Segments[by] {
			value, apart := Cell{}, Cell{}
			if s.Decided > 0 {
				value, apart = Cell{Text: f2(s.MicroF1)}, Cell{Text: signed2(s.MicroF1 - model.MicroF1)}
				if s.MicroF1 < model.MicroF1-0.1 && s.Rows >= 20 {
					apart.Mark = Warn
				}
			}
			if len(t.Rows) == maxSegments {
				t.More++
				continue
			}
			t.Rows = append(t.Rows, []Cell{{Text: s.Name, Head: true}, {Text: count(s.Rows)}, value, apart})
		}
		if len(t.Rows) > 0 {
			out.Blocks = append(out.Blocks, Block{Table: t, Narrow: true})
		}
	}
	c := &Table{Caption: "Calibration: is a score of 0.8 right in 8 of 10 cases?", Columns: []Column{{"category", false}, {"expected calibration error", true}, {"rows", true}}}
	for _, name := range slices.Sorted(maps.Keys(d.Calibration)) {
		x := d.Calibration[name]
		c.Rows = append(c.Rows, []Cell{{Text: name, Head: true}, {Text: f3(x.ECE)}, {Text: count(x.Rows)}})
	}
	if len(c.Rows) > 0 {
		out.Blocks = append(out.Blocks, Block{Table: c.cut()})
	}
	return out
}
