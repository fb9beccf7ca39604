package report

import (
	"fmt"

	"github.com/sprint-ml/sprint/jobs/report/chart"
	"github.com/sprint-ml/sprint/jobs/report/document"
)

// byLanguage is what verify calls the parts of a set by language.
const byLanguage = "language"

// languageSection shows how the model does in each language; nil where there is one, or
// nobody knows.
func languageSection(parts []document.Segment) *Section {
	if len(parts) < 2 {
		return nil
	}
	out := Section{Title: "By language", Intro: "Micro-F1 of the rows in each language: the model beside the rules. Languages are those of the column language, else what the letters of a text say."}
	t := &Table{Caption: "Figures by language", Columns: []Column{{"language", false}, {"rows", true}, {"micro-F1", true}, {"rules micro-F1", true}, {"macro-F1", true}, {"training rows", true}}}
	var groups []chart.Group
	said := ""
	for _, s := range parts {
		model, rules, macro, train := Cell{}, Cell{}, Cell{Text: "too few rows", Mark: Dim}, Cell{}
		g := chart.Group{Name: fmt.Sprintf("%s (%d)", s.Name, s.Rows)}
		if s.Decided > 0 {
			model = Cell{Text: f2(s.MicroF1)}
			g.Bars = append(g.Bars, chart.Bar{Class: "a", Value: s.MicroF1})
			said += fmt.Sprintf(" %s %s.", s.Name, f3(s.MicroF1))
		}
		if s.KeywordsMicroF1 != nil {
			rules = Cell{Text: f2(*s.KeywordsMicroF1)}
			g.Bars = append(g.Bars, chart.Bar{Class: "b", Value: *s.KeywordsMicroF1})
		}
		if s.MacroF1 != nil {
			macro = Cell{Text: f2(*s.MacroF1)}
		}
		if s.TrainRows != nil {
			train = Cell{Text: count(*s.TrainRows)}
			if *s.TrainRows == 0 {
				train.Mark = Warn
			}
		}
		t.Rows = append(t.Rows, []Cell{{Text: s.Name, Head: true}, {Text: count(s.Rows)}, model, rules, macro, train})
		if len(groups) < maxCharts {
			groups = append(groups, g)
		}
	}
	out.Blocks = []Block{{Chart: chart.Bars("Micro-F1 by language (rows)", "Micro-F1 by language:"+said, [][2]string{{"a", "model"}, {"b", "rules"}}, groups)}, {Table: t.cut(), Narrow: true}}
	return &out
}
