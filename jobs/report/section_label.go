package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// labelled shows what the labels are and who made them, and how the rules did.
func labelled(st Stage) []Section {
	labels := Section{Title: "Labels"}
	rules := Section{Title: "Rules", Intro: "A dead rule fired on no row; one that fired on more than half of its category's rows dominates it: the model may have learned that rule alone."}
	l, missing := document[labelReport](st, "label_report")
	if missing != "" {
		labels.Missing = []string{"No label statistics: " + missing + "."}
		return []Section{labels}
	}
	labels.Intro = fmt.Sprintf("Of %s rows %s got a label (%s); on %s no labeller decided. Of several categories: %s.",
		count(l.Rows), count(l.Covered), percent(l.Covered, l.Rows), count(l.Abstained), count(l.Overlap))
	labels.Blocks = append(labels.Blocks, Block{Table: categoryTable(&l)}, Block{Table: sourceTable(&l)})
	if e := l.Encoder; e != nil {
		labels.Blocks = append(labels.Blocks, Block{Text: fmt.Sprintf("The encoder was asked about %s rows and voted on %s; %s were too far from every description, %s too close between two.", count(e.Asked), count(e.Decided), count(e.Far), count(e.Close))})
	}
	if h := l.HTTP; h != nil {
		labels.Blocks = append(labels.Blocks, Block{Text: fmt.Sprintf("%s was asked about %s of %s rows that needed an answer; %s answers were no labels.", h.Model, count(h.Asked), count(h.Rows), count(h.Bad))})
	}
	if o := l.Overlay; o != nil {
		text := fmt.Sprintf("%s corrections by people changed %s rows.", count(o.Corrections), count(o.Rows))
		if o.UnknownRows > 0 {
			text += fmt.Sprintf(" %s name no row of this run, for example %s.", count(o.UnknownRows), strings.Join(o.Unknown[:min(3, len(o.Unknown))], ", "))
		}
		labels.Blocks = append(labels.Blocks, Block{Text: text})
	}
	if t := tagTable(&l); len(t.Rows) > 0 {
		labels.Blocks = append(labels.Blocks, Block{Fold: "Tags of the labels", Blocks: []Block{{Table: t}}})
	}
	if t := ruleTable(&l); len(t.Rows) > 0 {
		rules.Blocks = []Block{{Table: t}}
	} else {
		rules.Missing = []string{"No rule fired, or none labelled these rows."}
	}
	if l.Gold != nil {
		rules.Blocks = append(rules.Blocks, voterTable(&l))
	}
	return []Section{labels, rules}
}

func categoryTable(l *labelReport) *Table {
	t := &Table{Caption: "Labels by category", Columns: []Column{{"category", false}, {"positive", true}, {"of rows", true}, {"undecided", true}, {"in conflict", true}, {"tags in conflict", true}, {"also in", false}}}
	for _, name := range slices.Sorted(maps.Keys(l.Categories)) {
		c := l.Categories[name]
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

func sourceTable(l *labelReport) *Table {
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

func tagTable(l *labelReport) *Table {
	t := &Table{Caption: "Tags by category", Columns: []Column{{"category", false}, {"tag", false}, {"rows", true}, {"of the category", true}}}
	for _, name := range slices.Sorted(maps.Keys(l.Categories)) {
		c := l.Categories[name]
		for _, tag := range slices.SortedFunc(maps.Keys(c.Tags), func(a, b string) int { return cmp.Or(c.Tags[b]-c.Tags[a], cmp.Compare(a, b)) }) {
			t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: tag}, {Text: count(c.Tags[tag])}, {Text: percent(c.Tags[tag], c.Positives)}})
		}
	}
	return t.cut()
}

// A rule dominates if it fired on more than half of the rows of a category that
// has at least as many rows, and other rules.
const dominatingRows = 20

func ruleTable(l *labelReport) *Table {
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
	var all []rule
	for name, c := range l.Categories {
		for id, n := range c.Rules {
			all = append(all, rule{name, id, n})
		}
		for _, id := range dead[name] {
			all = append(all, rule{name, id, 0})
		}
	}
	slices.SortFunc(all, func(a, b rule) int {
		return cmp.Or(cmp.Compare(a.category, b.category), b.fired-a.fired, cmp.Compare(a.id, b.id))
	})
	t := &Table{Caption: "Rules", Columns: []Column{{"category", false}, {"rule", false}, {"rows", true}, {"of the category", true}, {"", false}}}
	for _, r := range all {
		c := l.Categories[r.category]
		note := Cell{}
		switch {
		case r.fired == 0:
			note = Cell{Text: "dead", Mark: Warn}
		case len(c.Rules)+len(dead[r.category]) > 1 && c.Positives >= dominatingRows && 2*r.fired > c.Positives:
			note = Cell{Text: "dominating", Mark: Warn}
		}
		t.Rows = append(t.Rows, []Cell{{Text: r.category}, {Text: r.id, Head: true}, {Text: count(r.fired)}, {Text: percent(r.fired, c.Positives)}, note})
	}
	return t.cut()
}

// voterTable shows how the voters did on the gold part that weighs them.
func voterTable(l *labelReport) Block {
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

// parted shows the sides of the split and what was kept apart.
func parted(st Stage) []Section {
	out := Section{Title: "Data"}
	m := st.Manifest
	if m == nil {
		_, missing := raw(st, "split_report")
		out.Missing = []string{"No sides: " + missing + "."}
		return []Section{out}
	}
	number := func(name string) (int, bool) {
		v, ok := m.Notes[name].(float64)
		return int(clampTo(v, 1e15)), ok
	}
	all := 0
	t := &Table{Caption: "Sides of the split", Columns: []Column{{"side", false}, {"rows", true}, {"of rows", true}, {"for", false}}}
	sides := []struct{ name, use string }{{"train", "training"}, {"val", "early stop and thresholds"}, {"test", "figures against the rules' own labels"}}
	for _, side := range sides {
		n, _ := number(side.name + "_rows")
		all += n
	}
	for _, side := range sides {
		if n, ok := number(side.name + "_rows"); ok {
			t.Rows = append(t.Rows, []Cell{{Text: side.name, Head: true}, {Text: count(n)}, {Text: percent(n, all)}, {Text: side.use}})
		}
	}
	out.Blocks = append(out.Blocks, Block{Table: t})
	if removed, ok := number("gold_rows_removed"); ok {
		out.Blocks = append(out.Blocks, Block{Text: fmt.Sprintf("%s rows met the gold set by identity, title or near-duplicate group and were removed before the split.", count(removed))})
	}
	return []Section{out}
}
