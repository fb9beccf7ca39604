package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	return []Section{labels, ruleSection(s, &l)}
}

func categoryTable(l *document.LabelReport) *Table {
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
	for _, name := range slices.Sorted(maps.Keys(l.Categories)) {
		c := l.Categories[name]
		for _, tag := range slices.SortedFunc(maps.Keys(c.Tags), func(a, b string) int { return cmp.Or(c.Tags[b]-c.Tags[a], cmp.Compare(a, b)) }) {
			t.Rows = append(t.Rows, []Cell{{Text: name, Head: true}, {Text: tag}, {Text: count(c.Tags[tag])}, {Text: percent(c.Tags[tag], c.Positives)}})
		}
	}
	return t.cut()
}
