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

func columns(categories []string) []parquet.Column {
	var out []parquet.Column
	for _, c := range leadColumns {
		out = append(out, parquet.Column{Name: c})
	}
	for _, c := range categories {
		out = append(out, parquet.Column{Name: c + "_score", Number: true}, parquet.Column{Name: c + "_tag"})
	}
	for _, c := range tailColumns {
		out = append(out, parquet.Column{Name: c})
	}
	return out
}

// Writer writes rows with the columns title, description, url, source (UTF-8), then per
// category <category>_score (double, null where the labeller abstained) and
// <category>_tag (UTF-8, empty for none), then id, title_raw, seen_at, language,
// label_source, rules and conflicts (joined by ";"). Equal rows give equal bytes.
type Writer struct {
	out        *parquet.Writer
	categories int
	rows       int
}

// NewWriter begins a Parquet file of rows with labels of these categories.
func NewWriter(w io.Writer, categories []string) (*Writer, error) {
	if err := checkCategories(categories); err != nil {
		return nil, err
	}
	return &Writer{out: parquet.NewWriter(w, columns(categories)), categories: len(categories)}, nil
}

// Write writes a row. Labels are nil, or one for each category.
func (w *Writer) Write(r *Row) error {
	if r.Labels != nil && len(r.Labels) != w.categories {
		return fmt.Errorf("row %d has %d labels, the table has %d categories", w.rows, len(r.Labels), w.categories)
	}
	w.rows++
	w.out.Text(r.Title, r.Description, r.URL, r.Source)
	for c := range w.categories {
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
	}
	w.out.Text(r.ID, r.TitleRaw, r.SeenAt, r.Language, r.LabelSource, strings.Join(r.Rules, ";"), strings.Join(r.Conflicts, ";"))
	return w.out.End()
}

// Close ends the file; what it is written to stays open.
func (w *Writer) Close() error { return w.out.Close() }

// WriteParquet writes rows to a file, as Writer does.
func WriteParquet(w io.Writer, rows []Row, categories []string) error {
	out, err := NewWriter(w, categories)
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

func checkCategories(categories []string) error {
	seen := map[string]bool{}
	for _, c := range slices.Concat(leadColumns, tailColumns) {
		seen[c] = true
	}
	for _, c := range categories {
		for _, n := range []string{c + "_score", c + "_tag"} {
			if c == "" || seen[n] {
				return fmt.Errorf("category %q gives the column %s twice", c, n)
			}
			seen[n] = true
		}
	}
	return nil
}
