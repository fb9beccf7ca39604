package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/report/document"
)

// ruleSection shows what each rule did to the labels, and how right it is where
// people know.
func ruleSection(s *document.Source, l *document.LabelReport) Section {
	out := Section{Title: "Rules", Intro: "A dead rule fired on no row; one that fired on more than half of its category's rows dominates it: the model may have learned that rule alone."}
	var gold map[string][2]int
	if verify := s.OfKind("verify"); len(verify) > 0 {
		switch rows, missing := document.Predictions(verify[0]); {
		case missing != "":
			out.Missing = append(out.Missing, "No precision of rules: "+missing+".")
		case rows[0].On == "test":
			out.Missing = append(out.Missing, "No precision of rules: it takes a gold set, the test side is labelled by the rules.")
		default:
			gold = precision(verify[0], rows)
			out.Intro += " Precision is over the gold rows on which a rule fired."
		}
	}
	all, noted := ruleTable(l, gold)
	if len(all.Rows) == 0 {
		out.Missing = []string{"No rule fired, or none labelled these rows."}
		return out
	}
	out.Blocks = []Block{{Table: all}}
	if n := len(all.Rows) + all.More; n > many {
		out.Blocks = []Block{{Text: "No rule is dead, dominating or mostly wrong."}, {Fold: fmt.Sprintf("All %s rules", count(n)), Blocks: out.Blocks}}
		if len(noted.Rows) > 0 {
			out.Blocks[0] = Block{Table: noted}
		}
	}
	if l.Gold != nil {
		out.Blocks = append(out.Blocks, voterTable(l))
	}
	return out
}

// precision counts by rule, as category:rule, the rows of known truth on which
// it fired and those on which it was right: that are of its category or, if the
// rule speaks against it, that are not.
func precision(st document.Stage, all []document.Prediction) map[string][2]int {
	var rules map[string]struct {
		Weight *float64 `json:"weight"`
	}
	external(st.Preimage(), "rules", &rules)
	out := map[string][2]int{}
	for i := range all {
		for _, name := range all[i].Rules {
			category, id, ok := strings.Cut(name, ":")
			j, known := all[i].Categories[category]
			if !ok || !known || j.Unknown {
				continue
			}
			against := false
			if w := rules[category+"/"+id].Weight; w != nil {
				against = *w < 0
			}
			n := out[name]
			n[0]++
			if j.Truth != against {
				n[1]++
			}
			out[name] = n
		}
	}
	return out
}

// A rule dominates if it fired on more than half of the rows of a category that
// has at least as many rows, and other rules.
const dominatingRows = 20

// enoughGold is how many rows of known truth show that a rule is wrong; many is
// the number of rules of which those worth a look come first.
const (
	enoughGold = 5
	many       = 30
)

func ruleTable(l *document.LabelReport, gold map[string][2]int) (all, noted *Table) {
	type rule struct {
		category, id string
		fired        int
	}
	dead := map[string][]string{}
	for _, name := range l.DeadRules {
		if category, id, ok := strings.Cut(name, ":"); ok {
			dead[category] = append(dead[category], id)
		}
	}
	var rules []rule
	for name, c := range l.Categories {
		for id, n := range c.Rules {
			rules = append(rules, rule{name, id, n})
		}
		for _, id := range dead[name] {
			rules = append(rules, rule{name, id, 0})
		}
	}
	slices.SortFunc(rules, func(a, b rule) int {
		return cmp.Or(cmp.Compare(a.category, b.category), b.fired-a.fired, cmp.Compare(a.id, b.id))
	})
	columns := []Column{{"category", false}, {"rule", false}, {"rows", true}, {"of the category", true}}
	if gold != nil {
		columns = append(columns, Column{"gold rows", true}, Column{"precision on gold", true})
	}
	all = &Table{Caption: "All rules", Columns: append(columns, Column{"", false})}
	noted = &Table{Caption: "Rules to look at", Columns: all.Columns}
	for _, r := range rules {
		c, g := l.Categories[r.category], gold[r.category+":"+r.id]
		note := Cell{}
		switch {
		case r.fired == 0:
			note = Cell{Text: "dead", Mark: Warn}
		case g[0] >= enoughGold && 2*g[1] < g[0]:
			note = Cell{Text: "wrong more often than right", Mark: Bad}
		case len(c.Rules)+len(dead[r.category]) > 1 && c.Positives >= dominatingRows && 2*r.fired > c.Positives:
			note = Cell{Text: "dominating", Mark: Warn}
		}
		row := []Cell{{Text: r.category}, {Text: r.id, Head: true}, {Text: count(r.fired)}, {Text: percent(r.fired, c.Positives)}}
		if gold != nil {
			row = append(row, Cell{Text: count(g[0])}, Cell{Text: percent(g[1], g[0])})
		}
		row = append(row, note)
		all.Rows = append(all.Rows, row)
		if note.Text != "" {
			noted.Rows = append(noted.Rows, row)
		}
	}
	return all.cut(), noted.cut()
}

// voterTable shows how the voters did on the gold part that weighs them.
func voterTable(l *document.LabelReport) Block {
	t := &Table{Caption: "Weights from the gold part", Columns: []Column{{"voter", false}, {"votes", true}, {"right", true}, {"precision", true}, {"weight", true}}}
	for _, name := range slices.Sorted(maps.Keys(l.Gold.Voters)) {
		v := l.Gold.Voters[name]
		weight := Cell{Text: strconv.FormatFloat(v.Weight, 'f', 2, 64)}
		if v.Weight == 0 {
			weight = Cell{Text: "silenced", Mark: Warn}
		}
		t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: count(v.Votes)}, {Text: count(v.Right)}, {Text: percent(v.Right, v.Votes)}, weight})
	}
	return Block{Fold: fmt.Sprintf("How the labellers did on %s gold rows set aside to weigh them", count(l.Gold.Rows)), Blocks: []Block{{Table: t.cut()}}}
}

// external decodes one value from outside the store; what does not fit leaves
// into as it is.
func external(p key.Preimage, name string, into any) {
	if b, err := json.Marshal(p.External[name]); err == nil {
		_ = json.Unmarshal(b, into)
	}
}
