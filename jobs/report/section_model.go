package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// trained shows the losses by epoch.
func trained(st Stage) []Section {
	out := Section{Title: "Training"}
	history, missing := document[[]epoch](st, "history")
	if missing == "" && len(history) == 0 {
		missing = "the history has no epoch"
	}
	if missing != "" {
		out.Missing = []string{"No curves: " + missing + "."}
		return []Section{out}
	}
	x, loss, val, f1 := make([]float64, len(history)), make([]float64, len(history)), make([]float64, len(history)), make([]float64, len(history))
	best := -1
	for i, e := range history {
		x[i], loss[i], val[i], f1[i] = float64(e.Epoch), e.TrainLoss, e.ValLoss, e.ValMacroF1
		if e.Best {
			best = i
		}
	}
	last := history[len(history)-1]
	out.Intro = fmt.Sprintf("%s epochs, %s steps.", count(len(history)), count(last.Steps))
	if best >= 0 {
		out.Intro += fmt.Sprintf(" The weights after epoch %d were kept.", history[best].Epoch)
	}
	out.Blocks = append(out.Blocks,
		Block{Chart: lineChart("Loss by epoch", fmt.Sprintf("The loss on train goes from %s to %s, on val from %s to %s.", f3(loss[0]), f3(last.TrainLoss), f3(val[0]), f3(last.ValLoss)),
			"epoch", x, 0, best, series{"train", "a", loss}, series{"val", "b", val})},
		Block{Chart: lineChart("Macro-F1 on val, against weak labels", fmt.Sprintf("Macro-F1 on val goes from %s to %s.", f3(f1[0]), f3(last.ValMacroF1)),
			"epoch", x, 1, best, series{"val", "b", f1})})
	t := &Table{Caption: "Epochs", Columns: []Column{{"epoch", true}, {"steps", true}, {"train loss", true}, {"val loss", true}, {"val macro-F1", true}, {"", false}}}
	for _, e := range history {
		note := Cell{}
		if e.Best {
			note = Cell{Text: "best so far", Mark: Dim}
		}
		t.Rows = append(t.Rows, []Cell{{Text: strconv.Itoa(e.Epoch), Head: true}, {Text: count(e.Steps)}, {Text: fixed(e.TrainLoss, 4)}, {Text: fixed(e.ValLoss, 4)}, {Text: f3(e.ValMacroF1)}, note})
	}
	h := &Table{Caption: "Heads after the last epoch, on val", Columns: []Column{{"category", false}, {"score loss", true}, {"tag loss", true}, {"F1", true}, {"positive", true}, {"tags right", true}}}
	for _, e := range last.Heads {
		h.Rows = append(h.Rows, []Cell{{Text: e.Category, Head: true}, {Text: fixed(e.ScoreLoss, 4)}, {Text: fixed(e.TagLoss, 4)}, {Text: f2(e.F1)}, {Text: count(e.Support)}, {Text: share(e.TagAccuracy, e.TagSupport)}})
	}
	fold := Block{Fold: "Figures by epoch and head", Blocks: []Block{{Table: t.cut()}}}
	if len(h.Rows) > 0 {
		fold.Blocks = append(fold.Blocks, Block{Table: h.cut()})
	}
	out.Blocks = append(out.Blocks, fold)
	return []Section{out}
}

func share(v float64, of int) string {
	if of <= 0 {
		return ""
	}
	return fixed(100*v, 0) + " %"
}

// verified shows how good the model is and whether that is enough.
func verified(st Stage) []Section {
	quality, gate := Section{Title: "Quality"}, Section{Title: "Checks"}
	m, missing := document[metrics](st, "metrics")
	if missing != "" {
		quality.Missing = []string{"No figures: " + missing + "."}
	} else {
		quality = qualitySection(&m)
	}
	c, missing := document[checks](st, "checks")
	if missing != "" {
		gate.Missing = []string{"No checks: " + missing + "."}
	} else {
		gate = checkSection(&c)
	}
	return []Section{quality, gate}
}

func qualitySection(m *metrics) Section {
	out := Section{Title: "Quality"}
	model, _ := m.measured()
	kw, majority := m.Baselines["keywords"], m.Baselines["majority"]
	out.Intro = "F1 by category on the gold set, labelled by hand and never trained on: the model beside the rules that taught it."
	if m.Gold == nil {
		out.Intro = "F1 by category on the test side, whose labels the rules made: this says how well the model copies them, not how right it is."
		out.Missing = []string{"No gold set: name one in verify to measure quality."}
	}
	names := slices.Sorted(maps.Keys(model.PerCategory))
	var groups []barGroup
	t := &Table{Caption: "Figures by category", Columns: []Column{{"category", false}, {"rows", true}, {"precision", true}, {"recall", true}, {"F1", true}, {"rules F1", true}, {"majority F1", true}, {"threshold", true}, {"tags right", true}}}
	for _, name := range names {
		c := model.PerCategory[name]
		few := None
		if slices.Contains(model.Unsupported, name) {
			few = Dim
		}
		if len(groups) < maxCharts {
			groups = append(groups, barGroup{fmt.Sprintf("%s (%d)", name, c.Support), []bar{{class: "a", value: c.F1}, {class: "b", value: kw.PerCategory[name].F1}}})
		}
		t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: count(c.Support), Mark: few}, {Text: f2(c.Precision)}, {Text: f2(c.Recall)}, {Text: f2(c.F1)}, {Text: f2(kw.PerCategory[name].F1)}, {Text: f2(majority.PerCategory[name].F1)}, {Text: f2(c.Threshold)}, {Text: share(c.TagAccuracy, c.TagSupport)}})
	}
	t = t.cut()
	for _, total := range []struct {
		name string
		of   func(scores) float64
	}{{"macro-F1", func(s scores) float64 { return s.MacroF1 }}, {"micro-F1", func(s scores) float64 { return s.MicroF1 }}} {
		t.Rows = append(t.Rows, []Cell{{Text: total.name, Head: true}, {}, {}, {}, {Text: f3(total.of(model))}, {Text: f3(total.of(kw))}, {Text: f3(total.of(majority))}, {}, {}})
	}
	if len(groups) > 0 {
		out.Blocks = append(out.Blocks, Block{Chart: barChart("F1 by category",
			fmt.Sprintf("F1 of %d categories. Macro-F1 is %s for the model and %s for the rules.", len(names), f3(model.MacroF1), f3(kw.MacroF1)),
			[][2]string{{"a", "model"}, {"b", "rules"}}, groups)})
	}
	out.Blocks = append(out.Blocks, Block{Chart: overall(m)}, Block{Table: t})
	var facts []Fact
	if m.Masked != nil {
		facts = append(facts, Fact{"With the rules' words hidden", Cell{Text: fmt.Sprintf("macro-F1 %s: what the model knows beside the rules' words", f3(m.Masked.MacroF1))}})
	}
	if len(model.Unsupported) > 0 {
		facts = append(facts, Fact{"Left out of macro-F1", Cell{Text: strings.Join(model.Unsupported, ", ") + ": too few rows"}})
	}
	leak := Cell{Text: "none", Mark: Good}
	if m.Leaked > 0 {
		leak = Cell{Text: fmt.Sprintf("%d: the figures flatter", m.Leaked), Mark: Bad}
	}
	if m.Gold != nil {
		facts = append(facts, Fact{"Gold rows that trained", leak},
			Fact{"On the test side", Cell{Text: fmt.Sprintf("%s, micro-F1 %s on %s rows that the rules labelled", macro(m.Test), f3(m.Test.MicroF1), count(m.Test.Rows))}})
	}
	out.Blocks = append(out.Blocks, Block{Facts: facts})
	return out
}

// overall draws the averages of the model beside those that it is held against.
func overall(m *metrics) *Chart {
	model, _ := m.measured()
	average := func(name string, of func(scores) float64) barGroup {
		g := barGroup{name: name, bars: []bar{{class: "a", value: of(model)}}}
		if m.Masked != nil {
			g.bars = append(g.bars, bar{class: "c", value: of(*m.Masked)})
		}
		return barGroup{name, append(g.bars, bar{class: "b", value: of(m.Baselines["keywords"])}, bar{class: "d", value: of(m.Baselines["majority"])})}
	}
	names := [][2]string{{"a", "model"}, {"b", "rules"}, {"d", "majority"}}
	if m.Masked != nil {
		names = slices.Insert(names, 1, [2]string{"c", "rule words hidden"})
	}
	return barChart("Averages over the categories", fmt.Sprintf("Macro-F1 of the model is %s, of the rules %s, of the more frequent value %s.", f3(model.MacroF1), f3(m.Baselines["keywords"].MacroF1), f3(m.Baselines["majority"].MacroF1)),
		names, []barGroup{
			average("macro-F1", func(s scores) float64 { return s.MacroF1 }),
			average("micro-F1", func(s scores) float64 { return s.MicroF1 }),
		})
}

// macro says the macro average, or why there is none.
func macro(s scores) string {
	if len(s.PerCategory) > 0 && len(s.Unsupported) == len(s.PerCategory) {
		return "no macro-F1 (too few rows of every category)"
	}
	return "macro-F1 " + f3(s.MacroF1)
}

func checkSection(c *checks) Section {
	out := Section{Title: "Checks", Intro: "All demands hold: the model may be published."}
	if !c.Passed {
		out.Intro = "A demand does not hold: the model is not published."
	}
	t := &Table{Caption: "Demands of the plan", Columns: []Column{{"", false}, {"check", false}, {"on", false}, {"observed", true}, {"demanded", true}}}
	for _, x := range c.Checks {
		mark := Cell{Text: "pass", Mark: Good}
		switch {
		case !x.Passed && x.Severity == "warn":
			mark = Cell{Text: "warn", Mark: Warn}
		case !x.Passed:
			mark = Cell{Text: "FAIL", Mark: Bad}
		}
		name := x.ID
		if x.Category != "" {
			name += " of " + x.Category
		}
		if x.Over != "" {
			name += " over " + x.Over
		}
		var demand []string
		if x.Min != nil {
			demand = append(demand, "≥ "+strconv.FormatFloat(*x.Min, 'g', 4, 64))
		}
		if x.Max != nil {
			demand = append(demand, "≤ "+strconv.FormatFloat(*x.Max, 'g', 4, 64))
		}
		t.Rows = append(t.Rows, []Cell{mark, {Text: name, Head: true}, {Text: x.On}, {Text: fixed(x.Observed, 4)}, {Text: strings.Join(demand, ", ")}})
	}
	out.Blocks = append(out.Blocks, Block{Table: t.cut()})
	return out
}
