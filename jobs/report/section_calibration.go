package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

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
		for _, name := range slices.Sorted(maps.Keys(by)) {
			n := by[name]
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
	if missing != "" || len(c.Categories) == 0 {
		return nil
	}
	t := &Table{Caption: "Thresholds and temperatures", Columns: []Column{{"category", false}, {"fitted on", false}, {"rows", true}, {"positive", true}, {"threshold", true}, {"temperature", true}, {"calibration error", true}, {"before", true}}}
	for _, name := range slices.Sorted(maps.Keys(c.Categories)) {
		x := c.Categories[name]
		t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: cmp.Or(x.On, "val")}, {Text: count(x.Rows)}, {Text: count(x.Positives)}, {Text: f2(x.Threshold)}, {Text: f2(x.Temperature)}, {Text: f3(x.Error[1])}, {Text: f3(x.Error[0])}})
	}
	out := []Block{{Table: t.cut()}}
	if len(c.Gold) > 0 {
		out = append(out, Block{Text: fmt.Sprintf("%s gold rows were granted for this and must not be scored.", count(len(c.Gold)))})
	}
	return out
}
