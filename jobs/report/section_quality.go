package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/advice"
	"github.com/sprint-ml/sprint/jobs/report/chart"
	"github.com/sprint-ml/sprint/jobs/report/document"
)

// verificationSections shows how good the model is, whether that is enough, and where it is
// wrong.
func verificationSections(s *document.Source, st document.Stage) []Section {
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
		if !c.Passed {
			gate.Blocks = append(gate.Blocks, adviceBlocks(s, st)...)
		}
	}
	out := []Section{quality, gate, errorSection(st), tagSection(&m, missing)}
	if d := m.MeasuredDetails(); d != nil {
		if d.Choice != nil {
			out = slices.Insert(out, 2, choiceSection(&m, d.Choice))
		}
		if l := languageSection(d.Segments[byLanguage]); l != nil {
			out = slices.Insert(out, 2, *l)
		}
		out = append(out, segmentSection(&m, d))
	}
	return out
}

// adviceBlocks say what the figures behind a failed check mean.
func adviceBlocks(s *document.Source, st document.Stage) []Block {
	e := advice.Evidence{}
	for _, l := range s.OfKind("label") {
		if doc, missing := document.Decode[document.LabelReport](l, "label_report"); missing == "" {
			e.Labels = &doc
		}
	}
	for _, t := range s.OfKind("train") {
		e.Train = t.Name
	}
	if m, missing := document.Decode[document.Metrics](st, "metrics"); missing == "" {
		e.Metrics = &m
	}
	e.Predictions, _ = document.Predictions(st)
	var out []Block
	for _, f := range advice.Of(e) {
		out = append(out, Block{Text: "Advice: " + f.String("")})
	}
	return out
}

func qualitySection(m *document.Metrics) Section {
	out := Section{Title: "Quality"}
	model, _ := m.Measured()
	out.Intro = "F1 by category on the gold set, which never trained: the model beside the keywords, the taxonomy's rules alone."
	if m.Gold == nil {
		out.Intro = "F1 by category on the test side, labelled as the training rows were: where rules labelled them, this says how well the model copies rules, not how right it is."
		out.Missing = []string{"No gold set: name one in verify to measure quality."}
	}
	if ci := model.CI; ci.MacroF1 != nil {
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
		return chart.Bar{Class: class, Value: c.F1, Interval: c.CI.F1}
	}
	for name, c := range sorted(model.PerCategory) {
		if len(groups) < maxCharts {
			groups = append(groups, chart.Group{Name: fmt.Sprintf("%s (%d)", name, c.Support), Bars: []chart.Bar{one("a", c), one("b", kw.PerCategory[name])}})
		}
	}
	return chart.Bars("F1 by category (rows)", fmt.Sprintf("F1 of %d categories: %s for the model and %s for the rules.", len(model.PerCategory), macro(model), macro(kw)),
		[][2]string{{"a", "model"}, {"b", "rules"}}, groups)
}

// averageChart draws the averages of the model beside those that it is held against.
func averageChart(m *document.Metrics) *chart.Chart {
	model, _ := m.Measured()
	kw, majority := m.Baselines["keywords"], m.Baselines["majority"]
	heads, tuned := m.Baselines["heads"]
	group := func(name string, of func(document.Scores) (float64, *document.Interval)) chart.Group {
		g := chart.Group{Name: name}
		add := func(class string, s document.Scores) {
			v, ci := of(s)
			g.Bars = append(g.Bars, chart.Bar{Class: class, Value: v, Interval: ci})
		}
		add("a", model)
		if tuned {
			add("e", heads)
		}
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
	if tuned {
		names = slices.Insert(names, 1, [2]string{"e", "heads, before tuning"})
	}
	groups := []chart.Group{group("micro-F1", document.Scores.Micro)}
	if model.Averaged() {
		groups = slices.Insert(groups, 0, group("macro-F1", document.Scores.Macro))
	}
	return chart.Bars("Averages over the categories", fmt.Sprintf("%s for the model, %s for the rules, %s for the more frequent value.", macro(model), macro(kw), macro(majority)), names, groups)
}

func scoreTable(m *document.Metrics) *Table {
	model, _ := m.Measured()
	kw, majority := m.Baselines["keywords"], m.Baselines["majority"]
	beside := []document.Scores{kw} // with their intervals
	columns := []Column{{"category", false}, {"rows", true}, {"precision", true}, {"recall", true}, {"F1", true}, {"rules F1", true}, {"majority F1", true}, {"threshold", true}, {"tags right", true}}
	if heads, tuned := m.Baselines["heads"]; tuned {
		beside = []document.Scores{heads, kw}
		columns = slices.Insert(columns, 5, Column{"heads F1", true})
	}
	t := &Table{Caption: "Figures by category", Columns: columns}
	for name, c := range sorted(model.PerCategory) {
		few := None
		if slices.Contains(model.Unsupported, name) {
			few = Dim
		}
		cells := []Cell{{Text: name, Head: true}, {Text: count(c.Support), Mark: few}, {Text: f2(c.Precision)}, {Text: f2(c.Recall)}, {Text: f2(c.F1) + brackets(c.CI.F1)}}
		for _, other := range beside {
			x := other.PerCategory[name]
			cells = append(cells, Cell{Text: f2(x.F1) + brackets(x.CI.F1)})
		}
		t.Rows = append(t.Rows, append(cells, Cell{Text: f2(majority.PerCategory[name].F1)}, Cell{Text: f2(c.Threshold)}, Cell{Text: share(c.TagAccuracy, c.TagSupport)}))
	}
	t = t.cut()
	row := func(name string, of func(document.Scores) (float64, *document.Interval)) {
		cells := []Cell{{Text: name, Head: true}, {}, {}, {}}
		for _, s := range slices.Insert(slices.Clone(beside), 0, model) {
			v, ci := of(s)
			cells = append(cells, Cell{Text: f3(v) + brackets(ci)})
		}
		v, _ := of(majority)
		t.Rows = append(t.Rows, append(cells, Cell{Text: f3(v)}, Cell{}, Cell{}))
	}
	if model.Averaged() {
		row("macro-F1", document.Scores.Macro)
	}
	row("micro-F1", document.Scores.Micro)
	if model.Accuracy != nil {
		row("accuracy", func(s document.Scores) (float64, *document.Interval) {
			if s.Accuracy == nil {
				return 0, nil
			}
			return *s.Accuracy, s.CI.Accuracy
		})
	}
	return t
}

func qualityFacts(m *document.Metrics) []Fact {
	var facts []Fact
	add := func(name, text string, mark Mark) { facts = append(facts, Fact{name, Cell{Text: text, Mark: mark}}) }
	model, _ := m.Measured()
	d := m.MeasuredDetails()
	if d != nil && model.Averaged() {
		for over, gain := range sorted(d.Gains) {
			g := gain.MacroF1
			text := fmt.Sprintf("%s%s macro-F1, paired on the same rows", signed(g.Value, 3), brackets(g.CI))
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
		if d != nil && m.Masked.Averaged() {
			text = fmt.Sprintf("%s, %s%s less than with them", macro(*m.Masked), f3(d.MaskedGap.MacroF1.Value), brackets(d.MaskedGap.MacroF1.CI))
		}
		add("With the rules' words hidden", text, None)
	}
	if d != nil && d.NoRuleFired.Rows > 0 {
		n := d.NoRuleFired
		add("Where no rule fired", fmt.Sprintf("micro-F1 %s%s on %s rows", f3(n.MicroF1), brackets(n.CI.MicroF1), count(n.Rows)), None)
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
		add("On the test side", fmt.Sprintf("%s, micro-F1 %s on %s rows, labelled as the training rows were", macro(m.Test), f3(m.Test.MicroF1), count(m.Test.Rows)), None)
	}
	if m.Train.Rows > 0 {
		var parts []string
		for name, n := range sorted(m.Train.Positives) {
			parts = append(parts, fmt.Sprintf("%s %s", name, count(n)))
		}
		add("Trained on", fmt.Sprintf("%s rows: %s", count(m.Train.Rows), strings.Join(parts[:min(len(parts), 30)], ", ")), None)
	}
	for on, x := range sorted(m.Drift) {
		add("Drift of "+on+" against "+x.Against, fmt.Sprintf("labels %s, lengths %s (population stability index; above 0.25 is a lot)", f3(x.Labels), f3(x.Lengths)), None)
	}
	return facts
}

// macro says the macro average, or why there is none.
func macro(s document.Scores) string {
	if !s.Averaged() {
		return "no macro-F1 (too few rows of every category)"
	}
	return "macro-F1 " + f3(s.MacroF1)
}

func checkSection(c *document.Checks, here []document.Check) Section {
	out := Section{Title: "Checks", Intro: "All demands hold: the model may be published."}
	if !c.Passed {
		out.Intro = "A demand does not hold: the model is not published."
	}
	t := &Table{Caption: "Demands of the plan", Columns: []Column{{"", false}, {"check", false}, {"on", false}, {"observed", true}, {"demanded", true}, {"where", false}}}
	var folds []Block
	for _, x := range slices.Concat(c.Checks, here) {
		mark := Cell{Text: x.Outcome(), Mark: map[string]Mark{document.Pass: Good, document.Warn: Warn, document.Fail: Bad}[x.Outcome()]}
		name := x.ID
		if x.Category != "" {
			name += " of " + x.Category
		}
		if x.Over != "" {
			name += " over " + x.Over
		}
		observed := strconv.FormatFloat(x.Observed, 'g', 4, 64) + brackets(x.CI)
		if x.Void != "" {
			observed = ""
		}
		t.Rows = append(t.Rows, []Cell{mark, {Text: name, Head: true}, {Text: x.On}, {Text: observed}, {Text: demand(x)}, {Text: cmp.Or(x.Void, x.Where)}})
		if len(x.Samples) > 0 {
			samples := &Table{Columns: []Column{{"text", false}, {"expected", false}, {"answered", false}}}
			for _, r := range x.Samples {
				samples.Rows = append(samples.Rows, []Cell{{Text: r.Title, Link: link(r.ID), Head: true, Long: true}, {Text: r.Expected}, {Text: r.Answered}})
			}
			folds = append(folds, Block{Fold: fmt.Sprintf("Rows that explain %s on %s", name, x.On), Blocks: []Block{{Table: samples.cut()}}})
		}
	}
	out.Blocks = append([]Block{{Table: t.cut()}}, folds[:min(len(folds), maxRows)]...)
	return out
}

// demand is what a check asks for, in signs.
func demand(x document.Check) string {
	var out []string
	add := func(sign string, v *float64) {
		if v != nil {
			out = append(out, sign+strconv.FormatFloat(*v, 'g', 4, 64))
		}
	}
	add("≥ ", x.Min)
	add("≤ ", x.Max)
	add("interval > ", x.Lower)
	return strings.Join(out, ", ")
}
