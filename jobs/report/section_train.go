package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/chart"
	"github.com/sprint-ml/sprint/jobs/report/document"
)

// trainingSections shows the losses by epoch.
func trainingSections(_ *document.Source, st document.Stage) []Section {
	out := Section{Title: "Training"}
	history, missing := document.Decode[[]document.Epoch](st, "history")
	if missing == "" && len(history) == 0 {
		missing = "the history has no epoch"
	}
	if missing != "" {
		out.Missing = []string{"No curves: " + missing + "."}
		return []Section{out}
	}
	if c, missing := document.Decode[document.Fitted](st, "calibration"); missing == "" && c.Heads != nil {
		return []Section{headsSection(st, c, history[len(history)-1])}
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
		Block{Chart: chart.Lines(chart.Caption{
			Title: "Loss by epoch", Axis: "epoch",
			Desc: fmt.Sprintf("The loss on train goes from %s to %s, on val from %s to %s.", f3(loss[0]), f3(last.TrainLoss), f3(val[0]), f3(last.ValLoss)),
		}, x, 0, best, chart.Series{Name: "train", Class: "a", Y: loss}, chart.Series{Name: "val", Class: "b", Y: val})},
		Block{Chart: chart.Lines(chart.Caption{
			Title: "Macro-F1 on val, against weak labels", Axis: "epoch",
			Desc: fmt.Sprintf("Macro-F1 on val goes from %s to %s.", f3(f1[0]), f3(last.ValMacroF1)),
		}, x, 1, best, chart.Series{Name: "val", Class: "b", Y: f1})})
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
	if facts := trainingFacts(st); len(facts) > 0 {
		out.Blocks = append(out.Blocks, Block{Facts: facts})
	}
	out.Blocks = slices.Concat(out.Blocks, calibrationBlocks(st), selectionBlocks(st), []Block{fold})
	return []Section{out}
}

// headsSection shows what the folds of the rows say of heads on a frozen encoder.
func headsSection(st document.Stage, c document.Fitted, e document.Epoch) Section {
	f := c.Heads
	out := Section{Title: "Training", Intro: fmt.Sprintf("The encoder stayed as it is. Heads were fitted on the vectors of %s rows, of which %s are labelled.", count(f.Rows), count(f.Labelled))}
	agreement := "Too few rows are labelled to say how well heads that have not seen a row agree with its label."
	if f.Categories > 0 {
		agreement = fmt.Sprintf("Heads that have not seen a row agree with its label: macro-F1 %s over %s categories.", f3(f.Agreement), count(f.Categories))
	}
	switch {
	case f.RulesAlone:
		agreement += fmt.Sprintf(" That is below %s, so the rules answer alone: this encoder knows too little of the rows' language. Name a better one.", f2(f.Alarm))
	case f.Bonus > 0:
		agreement += fmt.Sprintf(" Where the rules name a category, its logit gains %s.", f2(f.Bonus))
	}
	t := &Table{Caption: "Held-out answers against the labels", Columns: []Column{{"category", false}, {"precision", true}, {"recall", true}, {"F1", true}, {"positive", true}}}
	for _, h := range e.Heads {
		t.Rows = append(t.Rows, []Cell{{Text: h.Category, Head: true}, {Text: f2(h.Precision)}, {Text: f2(h.Recall)}, {Text: f2(h.F1)}, {Text: count(h.Support)}})
	}
	out.Blocks = append(out.Blocks, Block{Text: agreement}, Block{Table: t.cut()})
	if facts := trainingFacts(st); len(facts) > 0 {
		out.Blocks = append(out.Blocks, Block{Facts: facts})
	}
	out.Blocks = slices.Concat(out.Blocks, curveBlocks(st), calibrationBlocks(st))
	return out
}

// curveBlocks show what more labels by hand would bring.
func curveBlocks(st document.Stage) []Block {
	points, ok := document.Note[[]document.CurvePoint](st, "label_curve")
	if !ok || len(points) < 2 {
		return nil
	}
	points = points[:min(len(points), maxCharts)]
	t := &Table{Caption: "Labelled rows against macro-F1", Columns: []Column{{"labelled rows", true}, {"macro-F1", true}, {"more than before", true}}}
	var groups []chart.Group
	said := ""
	for i, p := range points {
		more := Cell{}
		if i > 0 {
			more = Cell{Text: signed(p.MacroF1-points[i-1].MacroF1, 3)}
		}
		t.Rows = append(t.Rows, []Cell{{Text: count(p.Rows), Head: true}, {Text: f3(p.MacroF1)}, more})
		groups = append(groups, chart.Group{Name: count(p.Rows) + " rows", Bars: []chart.Bar{{Class: "a", Value: p.MacroF1}}})
		said += fmt.Sprintf(" %s rows %s.", count(p.Rows), f3(p.MacroF1))
	}
	return []Block{
		{Text: "What more labels by hand would bring: heads taught by some of the labelled rows, drawn at random, answer for rows that they have not seen. Where the last step is small, more rows of this sort bring little."},
		{Chart: chart.Bars("Labelled rows against macro-F1", "Macro-F1 of heads by the number of labelled rows that taught them:"+said, [][2]string{{"a", "heads"}}, groups)},
		{Table: t.cut(), Narrow: true},
	}
}

// trainingFacts are facts of a training beside its curves.
func trainingFacts(st document.Stage) []Fact {
	var out []Fact
	add := func(name, text string) { out = append(out, Fact{name, Cell{Text: text}}) }
	if from, ok := document.Note[map[string]float64](st, "with_rules"); ok && len(from) > 0 {
		add("Rules answer too", strings.Join(slices.Sorted(maps.Keys(from)), ", ")+" (there the model leans on their words)")
	}
	for _, x := range [][2]string{{"untuned", "The encoder was not tuned"}, {"resumed", "Resumed"}, {"budget", "Budget"}} {
		if text, ok := document.Note[string](st, x[0]); ok {
			add(x[1], text)
		}
	}
	if p, ok := document.Note[struct {
		All       int     `json:"all"`
		FromCache int     `json:"from_cache"`
		Seconds   float64 `json:"seconds"`
	}](st, "programs"); ok {
		add("Programs compiled", fmt.Sprintf("%d, %d of them from the cache, in %s", p.All, p.FromCache, duration(p.Seconds)))
	}
	return out
}

// selectionBlocks shows by round and category what was done to labels that held-out
// folds judged.
func selectionBlocks(st document.Stage) []Block {
	t := &Table{Columns: []Column{{"round", true}, {"category", false}, {"kept", true}, {"left out", true}, {"replaced", true}, {"decided anew", true}}}
	for round := 1; round <= maxRounds; round++ {
		by, ok := document.Note[map[string]struct {
			Agreed    int  `json:"agreed"`
			Doubted   int  `json:"doubted"`
			Overruled int  `json:"overruled"`
			Decided   int  `json:"decided"`
			Unjudged  bool `json:"unjudged"`
		}](st, fmt.Sprintf("select_round_%d", round))
		if !ok {
			break
		}
		for name, n := range sorted(by) {
			kept := Cell{Text: count(n.Agreed)}
			if n.Unjudged {
				kept = Cell{Text: "not judged", Mark: Dim}
			}
			t.Rows = append(t.Rows, []Cell{{Text: strconv.Itoa(round)}, {Text: name, Head: true}, kept, {Text: count(n.Doubted)}, {Text: count(n.Overruled)}, {Text: count(n.Decided)}})
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Block{{Fold: "Labels that held-out folds judged", Blocks: []Block{{Table: t.cut()}}}}
}

// maxRounds caps the rounds that are looked for.
const maxRounds = 100

// calibrationBlocks shows on which rows thresholds and temperatures were fitted.
func calibrationBlocks(st document.Stage) []Block {
	c, missing := document.Decode[document.Fitted](st, "calibration")
	if missing != "" || len(c.Categories) == 0 && c.Choice == nil {
		return nil
	}
	var out []Block
	if x := c.Choice; x != nil {
		out = append(out, Block{Text: fmt.Sprintf("Probabilities have a temperature of %s, fitted on %s rows of %s: the cross entropy went from %s to %s.", f2(x.Temperature), count(x.Rows), cmp.Or(x.On, "val"), f3(x.LogLoss[0]), f3(x.LogLoss[1]))})
	}
	t := &Table{Caption: "Thresholds and temperatures", Columns: []Column{{"category", false}, {"fitted on", false}, {"rows", true}, {"positive", true}, {"threshold", true}, {"temperature", true}, {"calibration error", true}, {"before", true}}}
	for name, x := range sorted(c.Categories) {
		t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: cmp.Or(x.On, "val")}, {Text: count(x.Rows)}, {Text: count(x.Positives)}, {Text: f2(x.Threshold)}, {Text: f2(x.Temperature)}, {Text: f3(x.Error[1])}, {Text: f3(x.Error[0])}})
	}
	if len(t.Rows) > 0 {
		out = append(out, Block{Table: t.cut()})
	}
	if len(c.Gold) > 0 {
		out = append(out, Block{Text: fmt.Sprintf("%s gold rows were granted for this and must not be scored.", count(len(c.Gold)))})
	}
	return out
}
