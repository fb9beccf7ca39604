package rows

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Gold is a hand-labelled set: never trained on, only measured against.
type Gold struct {
	// Rows hold Score 0 or 1 and the tag per category, in the order of those asked for. Rows
	// of equal labels have them in common: nobody changes them.
	Rows []Row
	// Odd is what looks wrong and can be lived with.
	Odd Mistakes
}

// ReadGold reads a gold set: rows with a title, which url, id or the title name, and
// labels in one of three forms:
//
//   - a column label: categories as LabelForm has them, "sports" or "crime/theft;politics".
//     A row whose cell is empty, or says none, is of no category;
//   - a column of each category's name with 0 or 1, or no, yes, false and true, and
//     perhaps its tag in <category>_tag;
//   - the same in <category>_score.
//
// Columns of all categories go before a column label. Nil categories take rows alone,
// without labels. A file that is not of its format gives an error that wraps ErrFormat;
// what is wrong with rows, columns and cells comes together, as Mistakes.
func ReadGold(r io.Reader, layout Layout, categories []Category) (*Gold, error) {
	g := &Gold{}
	var err error
	if g.Odd, err = EachGold(r, layout, categories, func(row *Row) { g.Rows = append(g.Rows, *row) }); err != nil {
		return nil, err
	}
	return g, nil
}

// EachGold visits the rows of a gold set as ReadGold reads them, those before a mistake
// too. A row is the visitor's to keep, and its labels not to change. odd is what Gold.Odd is.
func EachGold(r io.Reader, layout Layout, categories []Category, visit func(*Row)) (odd Mistakes, err error) {
	f, err := newLabelledFile(layout, categories, false)
	if err != nil {
		return nil, err
	}
	header := func(names []string) {
		if !slices.Contains(names, "title") {
			f.fail(Mistake{Message: fmt.Sprintf("no column is called title; the columns are %s", brief(names)), Hint: "say which one it is: columns: {title: NAME}"})
		}
	}
	number, positive := 0, false
	err = f.each(r, header, func(*table.Record) {}, func(rec *table.Record, built *Row) error {
		row := *built
		if row.Problem != "" {
			f.fail(Mistake{Row: f.number, Message: row.Problem})
			return nil
		}
		row.Labels, row.LabelSource, row.Label = nil, "gold", ""
		if categories != nil {
			labels, ok := f.goldLabels(rec)
			if !ok {
				return nil
			}
			row.Labels = f.sets.same(labels)
			f.alone(labels)
		}
		positive = positive || slices.ContainsFunc(row.Labels, func(l Label) bool { return l.Score > 0 })
		number++
		visit(&row)
		return f.builder.budget.Keep(row.size())
	})
	switch odd = f.odd; {
	case err != nil:
		return nil, err
	case number == 0:
		return nil, Mistakes{{Message: "it has no rows", Hint: "write rows that are labelled by hand; `sprint schema --kind gold` shows how"}}
	case categories != nil && !positive:
		odd = append(odd, Mistake{Message: fmt.Sprintf("none of its %d rows is of a category: no F1 can be measured on it", number)})
	}
	return odd, nil
}

// goldLabels are those of a record, each of which is given.
func (f *labelledFile) goldLabels(rec *table.Record) (labels []Label, ok bool) {
	labels, ok = f.labels(rec)
	if f.form.label != "" {
		if ok && labels == nil {
			labels = make([]Label, len(f.categories))
		}
		return labels, ok
	}
	for i := range f.categories {
		column := f.form.value[i]
		cell := rec.Get(column)
		score, given, err := score(cell)
		wrong := ""
		switch {
		case err != nil: // it is told
		case !given:
			wrong = fmt.Sprintf("column %s is empty, want 0 or 1", column)
		case score != 0 && score != 1:
			wrong = fmt.Sprintf("column %s holds %q, want 0 or 1", column, cell.String())
		}
		if wrong != "" {
			f.fail(Mistake{Row: f.number, Column: column, Cell: cell.String(), Message: wrong})
			ok = false
		}
	}
	return labels, ok
}

// alone refuses a row of several categories where rows have one. Such a row would be
// measured as right whatever it is answered, or never.
func (f *labelledFile) alone(labels []Label) {
	var of []string
	last := 0
	for i, l := range labels {
		if l.Score > 0 && f.categories[i].Alone {
			of, last = append(of, f.categories[i].Name), i
		}
	}
	if len(of) < 2 {
		return
	}
	column := cmp.Or(f.form.label, f.form.value[last])
	f.fail(Mistake{Row: f.number, Column: column, Message: fmt.Sprintf("it is of %s, and rows have one category or none", strings.Join(of, " and ")),
		Hint: "the taxonomy says `labels: single`: choose one of them here, or say `labels: multi` there"})
}

// OpenGold reads the gold set that a stage's options name, in the format that its name
// tells; layout and categories are as for ReadGold. A set that cannot be read is a Failure
// of CodeStage.
func OpenGold(ctx context.Context, files stages.Files, path string, layout Layout, categories []Category) (*Gold, error) {
	r, err := files.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return readGoldFile(r, path, layout, categories, stages.CodeStage)
}

// OpenPlannedGold reads a local gold set where a plan is checked, before any stage
// runs. A set that is missing or cannot be read is a Failure of CodePlan.
func OpenPlannedGold(path string, layout Layout, categories []Category) (*Gold, error) {
	r, err := plainfile.Open(path)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "a gold set is a csv, jsonl or parquet file", "cannot read the gold set: %w", err)
	}
	return readGoldFile(r, path, layout, categories, stages.CodePlan)
}

// readGoldFile reads and closes r.
func readGoldFile(r io.ReadCloser, path string, layout Layout, categories []Category, unreadable stages.Code) (*Gold, error) {
	defer r.Close()
	layout.Format, _ = FormatOf(path)
	g, err := ReadGold(r, layout, categories)
	if err != nil {
		return nil, stages.Fail(unreadable, HintOf(err, "a gold set has a title, and labels in one column label or in a 0/1 column of each category"), "gold set %s: %w", path, err)
	}
	return g, nil
}

// header gives our names of a file's columns. One that is there twice is a mistake.
func (f *labelledFile) header(names []string) []string {
	read := func(n string) bool {
		return f.names[n] != "" || IsColumn(n) || f.known(n) && !slices.Contains(plainColumns, n)
	}
	if n := twice(names, read); n != "" {
		f.fail(Mistake{Column: n, Message: "two columns are called " + n, Hint: "rename one in the file's header, so that the other one counts"})
	}
	ours, _ := f.ours(names)
	return ours
}
