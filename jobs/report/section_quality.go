package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/chart"
	"github.com/sprint-ml/sprint/jobs/report/document"
)

// verificationSections shows how good the model is, whether that is enough, and where it is
// wrong.
func verificationSections(st document.Stage) []Section {
	quality, gate := Section{Title: "Quality"}, Section{Title: "Checks"}
	m, missing := document.Decode[document.Metrics](st, "metrics")
	if missing != "" {
		quality.Missing = []string{"No figures: " + missing + "."}
		if len(st.Documents) == 0 {
			return []Section{quality}
		}
	} else {
		quality = qualitySection(&m)
	}
	if c, missing := document.Decode[document.Checks](st, "checks"); missing != "" {
		gate.Missing = []string{"No checks: " + missing + "."}
	} else {
		t, _ := document.Decode[document.Timings](st, "timings")
		gate = checkSection(&c, t.Checks)
	}
	out := []Section{quality, gate, errorSection(st), tagSection(&m, missing)}
	if d := m.MeasuredDetails(); d != nil {
		out = append(out, segmentSection(&m, d))
	}
	return out
}

func qualitySection(m *document.Metrics) Section {
	out := Section{Title: "Quality"}
	model, _ := m.Measured()
	out.Intro = "F1 by category on the gold set, labelled by hand and never trained on: the model beside the rules that taught it."
	if m.Gold == nil {
		out.Intro = "F1 by category on the test side, whose labels the rules made: this says how well the model copies them, not how right it is."
		out.Missing = []string{"No gold set: name one in verify to measure quality."}
	}
	if ci := model.CI; ci != nil {
		out.Intro += fmt.Sprintf(" Whiskers and figures in brackets are %.0f %% intervals: how far a figure would move on other rows like these (bootstrap, %s draws).", 100*clampTo(ci.Level, 1), count(ci.Resamples))
	} else {
		out.Intro += " This run's verify recorded no intervals."
	}
	if len(model.PerCategory) > 0 {
		out.Blocks = append(out.Blocks, Block{Chart: categoryChart(m)})
	}
	out.Blocks = append(out.Blocks, Block{Chart: averageChart(m)}, Block{Table: scoreTable(m)}, Block{Facts: qualityFacts(m)})
	return out
}

func categoryChart(m *document.Metrics) *chart.Chart {
	model, _ := m.Measured()
	kw := m.Baselines["keywords"]
	var groups []chart.Group
	one := func(class string, c document.CategoryScore) chart.Bar {
		return chart.Bar{Class: class, Value: c.F1, Low: c.F1CI().Low(), High: c.F1CI().High()}
	}
	for _, name := range slices.Sorted(maps.Keys(model.PerCategory)) {
		if c := model.PerCategory[name]; len(groups) < maxCharts {
			groups = append(groups, chart.Group{Name: fmt.Sprintf("%s (%d)", name, c.Support), Bars: []chart.Bar{one("a", c), one("b", kw.PerCategory[name])}})
		}
	}
	return chart.Bars("F1 by category (rows)", fmt.Sprintf("F1 of %d categories. Macro-F1 is %s for the model and %s for the rules.", len(model.PerCategory), f3(model.MacroF1), f3(kw.MacroF1)),
		[][2]string{{"a", "model"}, {"b", "rules"}}, groups)
}

// averageChart draws the averages of the model beside those that it is held against.
func averageChart(m *document.Metrics) *chart.Chart {
	model, _ := m.Measured()
	kw, majority := m.Baselines["keywords"], m.Baselines["majority"]
	group := func(name string, of func(document.Scores) (float64, *document.Interval)) chart.Group {
		g := chart.Group{Name: name}
		add := func(class string, s document.Scores) {
			v, ci := of(s)
			g.Bars = append(g.Bars, chart.Bar{Class: class, Value: v, Low: ci.Low(), High: ci.High()})
		}
		add("a", model)
		if m.Masked != nil {
			add("c", *m.Masked)
		}
		add("b", kw)
		add("d", majority)
		return g
	}
	names := [][2]string{{"a", "model"}, {"b", "rules"}, {"d", "majority"}}
	if m.Masked != nil {
		names = slices.Insert(names, 1, [2]string{"c", "rule words hidden"})
	}
	return chart.Bars("Averages over the categories", fmt.Sprintf("Macro-F1 of the model is %s, of the rules %s, of the more frequent value %s.", f3(model.MacroF1), f3(kw.MacroF1), f3(majority.MacroF1)),
		names, []chart.Group{
			group("macro-F1", func(s document.Scores) (float64, *document.Interval) { return s.MacroF1, s.MacroCI() }),
			group("micro-F1", func(s document.Scores) (float64, *document.Interval) { return s.MicroF1, s.MicroCI() }),
		})
}

func scoreTable(m *document.Metrics) *Table {
	model, _ := m.Measured()
	kw, majority := m.Baselines["keywords"], m.Baselines["majority"]
	t := &Table{Caption: "Figures by category", Columns: []Column{{"category", false}, {"rows", true}, {"precision", true}, {"recall", true}, {"F1", true}, {"rules F1", true}, {"majority F1", true}, {"threshold", true}, {"tags right", true}}}
	for _, name := range slices.Sorted(maps.Keys(model.PerCategory)) {
		c, k := model.PerCategory[name], kw.PerCategory[name]
		few := None
		if slices.Contains(model.Unsupported, name) {
			few = Dim
		}
		t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: count(c.Support), Mark: few}, {Text: f2(c.Precision)}, {Text: f2(c.Recall)}, {Text: f2(c.F1) + brackets(c.F1CI())}, {Text: f2(k.F1) + brackets(k.F1CI())},
			{Text: f2(majority.PerCategory[name].F1)}, {Text: f2(c.Threshold)}, {Text: share(c.TagAccuracy, c.TagSupport)}})
	}
	t = t.cut()
	row := func(name string, of func(document.Scores) (float64, *document.Interval)) {
		cells := []Cell{{Text: name, Head: true}, {}, {}, {}}
		for _, s := range []document.Scores{model, kw} {
			v, ci := of(s)
			cells = append(cells, Cell{Text: f3(v) + brackets(ci)})
		}
		v, _ := of(majority)
		t.Rows = append(t.Rows, append(cells, Cell{Text: f3(v)}, Cell{}, Cell{}))
	}
	row("macro-F1", func(s document.Scores) (float64, *document.Interval) { return s.MacroF1, s.MacroCI() })
	row("micro-F1", func(s document.Scores) (float64, *document.Interval) { return s.MicroF1, s.MicroCI() })
	return t
}

func qualityFacts(m *document.Metrics) []Fact {
	var facts []Fact
	add := func(name, text string, mark Mark) { facts = append(facts, Fact{name, Cell{Text: text, Mark: mark}}) }
	model, _ := m.Measured()
	d := m.MeasuredDetails()
	if d != nil {
		for _, over := range slices.Sorted(maps.Keys(d.Gains)) {
			g := d.Gains[over].MacroF1
			text := fmt.Sprintf("%s%s macro-F1, paired on the same rows", signed(g.Value), brackets(g.CI))
			switch {
			case g.CI == nil:
				add("Gain over "+over, text, None)
			case g.CI[0] > 0:
				add("Gain over "+over, text+": more than chance", Good)
			default:
				add("Gain over "+over, text+": chance could have made it", Warn)
			}
		}
	}
	if m.Masked != nil {
		text := fmt.Sprintf("%s: what the model knows beside the rules' words", macro(*m.Masked))
		if d != nil {
			text = fmt.Sprintf("%s, %s%s less than with them", macro(*m.Masked), f3(d.MaskedGap.MacroF1.Value), brackets(d.MaskedGap.MacroF1.CI))
		}
		add("With the rules' words hidden", text, None)
	}
	if d != nil && d.NoRuleFired.Rows > 0 {
		n := d.NoRuleFired
		add("Where no rule fired", fmt.Sprintf("micro-F1 %s%s on %s rows", f3(n.MicroF1), brackets(n.MicroCI()), count(n.Rows)), None)
	}
	if len(model.Unsupported) > 0 {
		add("Left out of macro-F1", strings.Join(model.Unsupported, ", ")+": too few rows", None)
	}
	if m.Gold != nil {
		leak, mark := "none", Good
		if m.Leaked > 0 {
			leak, mark = fmt.Sprintf("%d: the figures flatter", m.Leaked), Bad
		}
		add("Gold rows that trained", leak, mark)
		add("On the test side", fmt.Sprintf("%s, micro-F1 %s on %s rows that the rules labelled", macro(m.Test), f3(m.Test.MicroF1), count(m.Test.Rows)), None)
	}
	if m.Train.Rows > 0 {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(m.Train.Positives)) {
			parts = append(parts, fmt.Sprintf("%s %s", name, count(m.Train.Positives[name])))
		}
		add("Trained on", fmt.Sprintf("%s rows: %s", count(m.Train.Rows), strings.Join(parts[:min(len(parts), 30)], ", ")), None)
	}
	for _, on := range slices.Sorted(maps.Keys(m.Drift)) {
		x := m.Drift[on]
		add("Drift of "+on+" against "+x.Against, fmt.Sprintf("labels %s, lengths %s (population stability index; above 0.25 is a lot)", f3(x.Labels), f3(x.Lengths)), None)
	}
	return facts
}

// macro says the macro average, or why there is none.
func macro(s document.Scores) string {
	if len(s.PerCategory) > 0 && len(s.Unsupported) == len(s.PerCategory) {
		return "no macro-F1 (too few rows of every category)"
	}
	return "macro-F1 " + f3(s.MacroF1)
}
