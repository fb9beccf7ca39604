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

// WriteParquet writes rows with the columns title, description, url, source
// (UTF-8), then per category <category>_score (double, null where the labeller
// abstained) and <category>_tag (UTF-8, empty for none), then id, title_raw,
// seen_at, language, label_source, rules and conflicts (joined by ";"). Equal rows
// give equal bytes.
func WriteParquet(w io.Writer, rows []Row, categories []string) error {
	if err := checkCategories(categories); err != nil {
		return err
	}
	out := parquet.NewWriter(w, columns(categories))
	for i := range rows {
		r := &rows[i]
		if r.Labels != nil && len(r.Labels) != len(categories) {
			return fmt.Errorf("row %d has %d labels, the table has %d categories", i, len(r.Labels), len(categories))
		}
		out.Text(r.Title, r.Description, r.URL, r.Source)
		for c := range categories {
			l := Label{Abstain: true}
			if r.Labels != nil {
				l = r.Labels[c]
			}
			if l.Abstain {
				out.Null()
			} else {
				out.Number(l.Score)
			}
			out.Text(l.Tag)
		}
		out.Text(r.ID, r.TitleRaw, r.SeenAt, r.Language, r.LabelSource, strings.Join(r.Rules, ";"), strings.Join(r.Conflicts, ";"))
		if err := out.End(); err != nil {
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
