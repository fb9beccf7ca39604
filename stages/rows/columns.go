package rows

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages/rows/parquet"
)

// leadColumns and tailColumns stand before and after the labels. The first four
// and the labels are a contract with readers of older files.
var (
	leadColumns = []string{"title", "description", "url", "source"}
	tailColumns = []string{"id", "title_raw", "seen_at", "language", "label_source", "rules", "conflicts"}
)

// Schema says which columns a table has beside those of every table.
type Schema struct {
	// Categories are those of the labels; nil for rows without labels.
	Categories []string
	// Label says that rows have the text of a column label.
	Label bool
	// Probable says that each category has a column of probabilities.
	Probable bool
}

func (s Schema) columns() []parquet.Column {
	var out []parquet.Column
	for _, c := range leadColumns {
		out = append(out, parquet.Column{Name: c})
	}
	for _, c := range s.Categories {
		out = append(out, parquet.Column{Name: c + "_score", Number: true}, parquet.Column{Name: c + "_tag"})
		if s.Probable {
			out = append(out, parquet.Column{Name: c + "_probability", Number: true})
		}
	}
	for _, c := range tailColumns {
		out = append(out, parquet.Column{Name: c})
	}
	if s.Label {
		out = append(out, parquet.Column{Name: "label"})
	}
	return out
}

// Writer writes rows with the columns title, description, url, source (UTF-8), then per
// category <category>_score (double, null where the labeller abstained) and
// <category>_tag (UTF-8, empty for none), then id, title_raw, seen_at, language,
// label_source, rules and conflicts (joined by ";"), and label where the schema has it.
// <category>_probability (double, null where there is none) stands behind the tag where
// the schema has it.
// Equal rows give equal bytes.
type Writer struct {
	out    *parquet.Writer
	schema Schema
	rows   int
}

// NewWriter begins a Parquet file of rows.
func NewWriter(w io.Writer, schema Schema) (*Writer, error) {
	if err := checkCategories(schema.Categories, schema.Probable); err != nil {
		return nil, err
	}
	return &Writer{out: parquet.NewWriter(w, schema.columns()), schema: schema}, nil
}

// Write writes a row. Labels are nil, or one for each category.
func (w *Writer) Write(r *Row) error { return w.WriteProbable(r, nil) }

// WriteProbable writes a row with probabilities, one for each category, nil for none.
func (w *Writer) WriteProbable(r *Row, probabilities []*float64) error {
	if r.Labels != nil && len(r.Labels) != len(w.schema.Categories) {
		return fmt.Errorf("row %d has %d labels, the table has %d categories", w.rows, len(r.Labels), len(w.schema.Categories))
	}
	w.rows++
	w.out.Text(r.Title, r.Description, r.URL, r.Source)
	for c := range w.schema.Categories {
		l := Label{Abstain: true}
		if r.Labels != nil {
			l = r.Labels[c]
		}
		if l.Abstain {
			w.out.Null()
		} else {
			w.out.Number(l.Score)
		}
		w.out.Text(l.Tag)
		switch {
		case !w.schema.Probable:
		case probabilities == nil || probabilities[c] == nil:
			w.out.Null()
		default:
			w.out.Number(*probabilities[c])
		}
	}
	w.out.Text(r.ID, r.TitleRaw, r.SeenAt, r.Language, r.LabelSource, strings.Join(r.Rules, ";"), strings.Join(r.Conflicts, ";"))
	if w.schema.Label {
		w.out.Text(r.Label)
	}
	return w.out.End()
}

// Close ends the file; what it is written to stays open.
func (w *Writer) Close() error { return w.out.Close() }

// WriteParquet writes rows to a file, as Writer does. It has the column label if a row
// has such a text.
func WriteParquet(w io.Writer, rows []Row, categories []string) error {
	out, err := NewWriter(w, Schema{Categories: categories, Label: slices.ContainsFunc(rows, func(r Row) bool { return r.Label != "" })})
	if err != nil {
		return err
	}
	for i := range rows {
		if err := out.Write(&rows[i]); err != nil {
			return err
		}
	}
	return out.Close()
}

func checkCategories(categories []string, probable bool) error {
	seen := map[string]bool{}
	for _, c := range slices.Concat(leadColumns, tailColumns) {
		seen[c] = true
	}
	for _, c := range categories {
		names := []string{c + "_score", c + "_tag"}
		if probable {
			names = append(names, c+"_probability")
		}
		for _, n := range names {
			if c == "" || seen[n] {
				return fmt.Errorf("category %q gives the column %s twice", c, n)
			}
			seen[n] = true
		}
	}
	return nil
}
