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

// Gold is a hand-labelled set: never trained on, only measured against. Its rows hold
// Score 0 or 1 and the tag per category.
type Gold Table

// plainColumns are the columns of a gold file that are no categories.
var plainColumns = []string{"url", "id", "title", "description", "source", "domain", "language", "seen_at", "seendate", "title_raw", "label_source", "rules", "split", "note", "notes", "comment"}

// ReadGold reads a gold set: rows with a title, a url or an id, and per category
// a 0/1 column of its name and a text column <category>_tag. categories are
// those that must be there; nil takes what the file has. A file that is not of
// its format gives an error that wraps ErrFormat; a missing column, a column of
// an unknown category, a row without title or identity and a label that is not
// 0 or 1 give an error that names it.
func ReadGold(r io.Reader, format string, categories []string) (*Gold, error) {
	g := &Gold{Categories: categories}
	limits := usual(&Budget{})
	b := newBuilder(nil, limits.Budget)
	var bad error // of the columns
	check := func(names []string) {
		if categories == nil {
			g.Categories = goldCategories(names)
		}
		bad = checkGold(names, g.Categories, categories != nil)
	}
	err := each(r, format, limits, b.columns, check, func(rec *table.Record, problem string) error {
		b.stats.Read++
		if problem != "" {
			return fmt.Errorf("gold row %d: %s", b.stats.Read, problem)
		}
		if format == JSONL && len(g.Rows) == 0 {
			check(recordColumns(rec))
		}
		if bad != nil {
			return bad
		}
		built, err := b.build(rec)
		if err != nil {
			return err
		}
		row := *built
		if row.Problem != "" {
			return fmt.Errorf("gold row %d: %s", b.stats.Read, row.Problem)
		}
		row.Labels = make([]Label, len(g.Categories))
		for i, c := range g.Categories {
			f, given, err := score(rec.Get(c))
			switch text := rec.Get(c).String(); {
			case err != nil || given && f != 0 && f != 1:
				return fmt.Errorf("gold row %d (%s): column %s holds %q, want 0 or 1", b.stats.Read, row.Title, c, text)
			case !given:
				return fmt.Errorf("gold row %d (%s): column %s is empty, want 0 or 1", b.stats.Read, row.Title, c)
			}
			row.Labels[i] = Label{Score: f, Tag: strings.TrimSpace(rec.Get(c + "_tag").String())}
		}
		row.LabelSource = "gold"
		g.Rows = append(g.Rows, row)
		return limits.Budget.Hold(row.size())
	})
	g.Stats = b.stats
	if err = cmp.Or(err, bad); err != nil {
		return nil, err
	}
	if len(g.Rows) == 0 {
		return nil, fmt.Errorf("the gold set has no rows")
	}
	return g, nil
}

func recordColumns(rec *table.Record) []string {
	var names []string
	for i, n := range rec.Names() {
		if rec.At(i).Present() && i != atMended {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// goldCategories are the columns that have a tag column beside them.
func goldCategories(names []string) []string {
	there := map[string]bool{}
	for _, n := range names {
		there[n] = true
	}
	out := []string{}
	for _, n := range names {
		if there[n+"_tag"] && !slices.Contains(plainColumns, n) {
			out = append(out, n)
		}
	}
	return out
}

func checkGold(names, categories []string, strict bool) error {
	if !slices.Contains(names, "title") {
		return fmt.Errorf("the gold set has no column title; it has %s", strings.Join(names, ", "))
	}
	if !slices.Contains(names, "url") && !slices.Contains(names, "id") {
		return fmt.Errorf("the gold set has neither a column url nor id; it has %s", strings.Join(names, ", "))
	}
	for _, c := range categories {
		if !slices.Contains(names, c) {
			return fmt.Errorf("the gold set has no column %s; the taxonomy's categories are %s", c, strings.Join(categories, ", "))
		}
	}
	if !strict {
		return nil
	}
	for _, c := range goldCategories(names) {
		if !slices.Contains(categories, c) {
			return fmt.Errorf("the gold set's column %s is no category of the taxonomy; those are %s", c, strings.Join(categories, ", "))
		}
	}
	return nil
}

// OpenGold reads the gold set that a stage's options name; categories are as for
// ReadGold. A set that cannot be read is a Failure of CodeStage.
func OpenGold(ctx context.Context, files stages.Files, path string, categories []string) (*Gold, error) {
	r, err := files.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return readGoldFile(r, path, categories, stages.CodeStage)
}

// OpenPlannedGold reads a local gold set where a plan is checked, before any stage
// runs. A set that is missing or cannot be read is a Failure of CodePlan.
func OpenPlannedGold(path string, categories []string) (*Gold, error) {
	r, err := plainfile.Open(path)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "a gold set is a csv, jsonl or parquet file", "cannot read the gold set: %w", err)
	}
	return readGoldFile(r, path, categories, stages.CodePlan)
}

// readGoldFile reads and closes r.
func readGoldFile(r io.ReadCloser, path string, categories []string, unreadable stages.Code) (*Gold, error) {
	defer r.Close()
	format, _ := FormatOf(path)
	g, err := ReadGold(r, format, categories)
	if err != nil {
		return nil, stages.Fail(unreadable, "a gold set has url or id, title, and per category a 0/1 column and a column <category>_tag", "gold set %s: %w", path, err)
	}
	return g, nil
}
