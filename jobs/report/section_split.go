package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

// purposes says what a side is for.
var purposes = map[string]string{"train": "training", "val": "early stop and thresholds", "test": "figures against the rules' own labels"}

// splitSections shows the sides of the split, and which rows meet across them.
func splitSections(_ *document.Source, st document.Stage) []Section {
	out := Section{Title: "Data"}
	r, missing := document.Decode[document.SplitReport](st, "split_report")
	if missing != "" {
		return []Section{splitFromNotes(st, missing)}
	}
	how := map[string]string{"draw": "drawn at random", "time": "the oldest train, the newest test"}[r.By]
	out.Intro = fmt.Sprintf("%s rows came in, %s. Near-duplicates stay on one side: %s groups, %s of them of several rows.", count(r.Rows), cmp.Or(how, r.By), count(r.Groups), count(r.Repeated))
	if r.By == "time" && r.Undated > 0 {
		out.Intro += fmt.Sprintf(" %s rows have no time, %s of them were left out for it.", count(r.Undated), count(r.UndatedDropped))
	}
	all, names := 0, map[string]bool{}
	for _, s := range r.Sides {
		all += s.Rows
		for c := range s.Positives {
			names[c] = true
		}
	}
	t := &Table{Caption: "Sides of the split", Columns: []Column{{"side", false}, {"rows", true}, {"of rows", true}, {"groups", true}, {"for", false}, {"first", false}, {"last", false}}}
	p := &Table{Caption: "Positive rows by side", Columns: []Column{{"category", false}}}
	for _, s := range r.Sides {
		t.Rows = append(t.Rows, []Cell{{Text: s.Name, Head: true}, {Text: count(s.Rows)}, {Text: percent(s.Rows, all)}, {Text: count(s.Groups)}, {Text: purposes[s.Name]}, {Text: day(s.First)}, {Text: day(s.Last)}})
		p.Columns = append(p.Columns, Column{s.Name, true})
	}
	for _, c := range slices.Sorted(maps.Keys(names)) {
		row := []Cell{{Text: c, Head: true}}
		for _, s := range r.Sides {
			x := Cell{Text: count(s.Positives[c])}
			if s.Positives[c] == 0 {
				x.Mark = Warn
			}
			row = append(row, x)
		}
		p.Rows = append(p.Rows, row)
	}
	out.Blocks = append(out.Blocks, Block{Table: t.cut()}, Block{Table: p.cut()})
	out.Blocks = append(out.Blocks, leakBlocks(&r)...)
	if len(r.Largest) > 0 {
		g := &Table{Columns: []Column{{"rows", true}, {"side", false}, {"some of the texts", false}}}
		for _, x := range r.Largest {
			g.Rows = append(g.Rows, []Cell{{Text: count(x.Rows)}, {Text: x.Side}, {Text: strings.Join(x.Titles, " · "), Long: true}})
		}
		out.Blocks = append(out.Blocks, Block{Fold: "The largest groups of near-duplicates", Blocks: []Block{{Table: g.cut()}}})
	}
	return []Section{out}
}

// day is the date of a time.
func day(t string) string {
	d, _, _ := strings.Cut(t, "T")
	return d
}

// reasons say why two rows meet.
var reasons = map[string]string{"url": "same address", "id": "same id", "title": "same title", "near": "near-duplicate", "close": "nearly so"}

func leakBlocks(r *document.SplitReport) []Block {
	if len(r.Leaks) == 0 {
		return []Block{{Text: "No row of a side meets one of another side or of the gold set."}}
	}
	t := &Table{Caption: "Rows that meet those of another set", Columns: []Column{{"between", false}, {"because", false}, {"rows", true}, {"", false}}}
	examples := &Table{Columns: []Column{{"between", false}, {"text", false}, {"meets", false}, {"similarity", true}}}
	for _, l := range r.Leaks {
		done := Cell{Text: "dropped", Mark: Good}
		switch {
		case !l.Dropped && l.By == "close":
			done = Cell{Text: "kept", Mark: Dim}
		case !l.Dropped:
			done = Cell{Text: "kept", Mark: Warn}
		}
		between := l.Between[0] + " and " + l.Between[1]
		t.Rows = append(t.Rows, []Cell{{Text: between, Head: true}, {Text: cmp.Or(reasons[l.By], l.By)}, {Text: count(l.Rows)}, done})
		for _, x := range l.Examples {
			examples.Rows = append(examples.Rows, []Cell{{Text: between}, {Text: x.Title, Link: link(x.URL), Long: true}, {Text: x.Other, Link: link(x.OtherURL), Long: true}, {Text: f2(x.Similarity)}})
		}
	}
	out := []Block{{Table: t.cut()}}
	if r.Truncated {
		out = append(out, Block{Text: "There are more pairs that are nearly duplicates than were counted."})
	}
	if len(examples.Rows) > 0 {
		out = append(out, Block{Fold: "Examples of rows that meet", Blocks: []Block{{Table: examples.cut()}}})
	}
	return out
}

// splitFromNotes shows the sides of a split without a report from what it noted.
func splitFromNotes(st document.Stage, missing string) Section {
	out := Section{Title: "Data"}
	number := func(name string) (int, bool) {
		v, ok := document.Note[float64](st, name)
		return int(clampTo(v, 1e15)), ok
	}
	all := 0
	t := &Table{Caption: "Sides of the split", Columns: []Column{{"side", false}, {"rows", true}, {"of rows", true}, {"for", false}}}
	sides := []string{"train", "val", "test"}
	for _, side := range sides {
		n, _ := number(side + "_rows")
		all += n
	}
	for _, side := range sides {
		if n, ok := number(side + "_rows"); ok {
			t.Rows = append(t.Rows, []Cell{{Text: side, Head: true}, {Text: count(n)}, {Text: percent(n, all)}, {Text: purposes[side]}})
		}
	}
	if len(t.Rows) == 0 {
		out.Missing = []string{"No sides: " + missing + "."}
		return out
	}
	out.Missing = []string{"No leak table: " + missing + "."}
	out.Blocks = append(out.Blocks, Block{Table: t})
	if removed, ok := number("gold_rows_removed"); ok {
		out.Blocks = append(out.Blocks, Block{Text: fmt.Sprintf("%s rows met the gold set and were removed before the split.", count(removed))})
	}
	return out
}
