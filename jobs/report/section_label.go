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

// labelSections shows what the labels are and who made them, and how the rules did.
func labelSections(s *document.Source, st document.Stage) []Section {
	labels := Section{Title: "Labels"}
	l, missing := document.Decode[document.LabelReport](st, "label_report")
	if missing != "" {
		labels.Missing = []string{"No label statistics: " + missing + "."}
		return []Section{labels}
	}
	labels.Intro = fmt.Sprintf("Of %s rows %s got a label (%s); on %s no labeller decided. Of several categories: %s.",
		count(l.Rows), count(l.Covered), percent(l.Covered, l.Rows), count(l.Abstained), count(l.Overlap))
	labels.Blocks = append(labels.Blocks, Block{Table: categoryTable(&l)}, Block{Table: sourceTable(&l)})
	if e := l.Encoder; e != nil {
		labels.Blocks = append(labels.Blocks, Block{Text: fmt.Sprintf("The encoder was asked about %s rows and named a category of %s; it was not sure enough of %s, and %s are of none.", count(e.Asked), count(e.Decided), count(e.Unsure), count(e.None))})
	}
	if h := l.HTTP; h != nil {
		labels.Blocks = append(labels.Blocks, Block{Text: fmt.Sprintf("%s was asked about %s of %s rows that needed an answer; %s answers were no labels.", h.Model, count(h.Asked), count(h.Rows), count(h.Bad))})
		if a := h.Agreement; a != nil {
			labels.Blocks = append(labels.Blocks, Block{Text: fmt.Sprintf("Of %s rows on which the other labellers agree its answers say otherwise on %s (%s): its votes weigh %.2f of what the plan states.", count(a.Rows), count(a.Rows-a.Right), percent(a.Rows-a.Right, a.Rows), a.Weight)})
		}
	}
	if o := l.Overlay; o != nil {
		text := fmt.Sprintf("%s corrections by people changed %s rows.", count(o.Corrections), count(o.Rows))
		if o.Added > 0 {
			text += fmt.Sprintf(" %s of these rows are none that the sources gave: they joined the others.", count(o.Added))
		}
		if o.UnknownRows > 0 {
			text += fmt.Sprintf(" %s name no row of this run, for example %s.", count(o.UnknownRows), strings.Join(o.Unknown[:min(3, len(o.Unknown))], ", "))
		}
		labels.Blocks = append(labels.Blocks, Block{Text: text})
	}
	if t := tagTable(&l); len(t.Rows) > 0 {
		labels.Blocks = append(labels.Blocks, Block{Fold: "Tags of the labels", Blocks: []Block{{Table: t}}})
	}
	return []Section{labels, ruleSection(s, &l)}
}

func categoryTable(l *document.LabelReport) *Table {
	t := &Table{Caption: "Labels by category", Columns: []Column{{"category", false}, {"positive", true}, {"of rows", true}, {"undecided", true}, {"in conflict", true}, {"tags in conflict", true}, {"also in", false}}}
	for name, c := range sorted(l.Categories) {
		var also []string
		for _, o := range slices.SortedFunc(maps.Keys(c.Overlap), func(a, b string) int { return cmp.Or(c.Overlap[b]-c.Overlap[a], cmp.Compare(a, b)) }) {
			also = append(also, fmt.Sprintf("%s %d", o, c.Overlap[o]))
		}
		positives := Cell{Text: count(c.Positives)}
		if c.Positives == 0 {
			positives.Mark = Bad
		}
		t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, positives, {Text: percent(c.Positives, l.Rows)}, {Text: count(c.Undecided)}, {Text: count(c.Conflicts)}, {Text: count(c.TagConflicts)}, {Text: strings.Join(also, ", ")}})
	}
	return t.cut()
}

func sourceTable(l *document.LabelReport) *Table {
	t := &Table{Caption: "Who decided", Columns: []Column{{"source", false}, {"rows", true}, {"of rows", true}, {"decisions", true}, {"positive", true}}}
	for _, name := range slices.SortedFunc(maps.Keys(l.Sources), func(a, b string) int {
		return cmp.Or(l.Sources[b].Rows-l.Sources[a].Rows, cmp.Compare(a, b))
	}) {
		s := l.Sources[name]
		t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: count(s.Rows)}, {Text: percent(s.Rows, l.Rows)}, {Text: count(s.Labels)}, {Text: count(s.Positives)}})
	}
	if l.Abstained > 0 {
		t.Rows = append(t.Rows, []Cell{{Text: "(nobody)", Head: true, Mark: Dim}, {Text: count(l.Abstained)}, {Text: percent(l.Abstained, l.Rows)}, {}, {}})
	}
	return t.cut()
}

func tagTable(l *document.LabelReport) *Table {
	t := &Table{Caption: "Tags by category", Columns: []Column{{"category", false}, {"tag", false}, {"rows", true}, {"of the category", true}}}
	for name, c := range sorted(l.Categories) {
		for _, tag := range slices.SortedFunc(maps.Keys(c.Tags), func(a, b string) int { return cmp.Or(c.Tags[b]-c.Tags[a], cmp.Compare(a, b)) }) {
			t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: tag}, {Text: count(c.Tags[tag])}, {Text: percent(c.Tags[tag], c.Positives)}})
		}
	}
	return t.cut()
}

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
	for name, v := range sorted(l.Gold.Voters) {
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
