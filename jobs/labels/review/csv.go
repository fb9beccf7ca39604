package review

import (
	"encoding/csv"
	"io"
	"strings"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/stages/rows"
)

// WriteCSV writes the csv that people edit.
func (s *Set) WriteCSV(w io.Writer, doubts []*Doubt) error {
	out := csv.NewWriter(w)
	head := []string{"url", "id", "title", "reasons", "suggested", "label_source", "rules"}
	for _, c := range s.Categories {
		head = append(head, c, c+"_tag")
	}
	if err := out.Write(append(head, "reviewer", "note")); err != nil {
		return err
	}
	for _, d := range doubts {
		r := s.Rows[d.Row]
		rec := []string{sanitize.Cell(r.URL), sanitize.Cell(r.ID), sanitize.Cell(r.Title), strings.Join(d.reasons, "; "), strings.Join(d.suggested, " "), r.LabelSource, strings.Join(r.Rules, " ")}
		for c := range s.Categories {
			l := rows.Label{Abstain: true}
			if r.Labels != nil {
				l = r.Labels[c]
			}
			rec = append(rec, rows.ScoreText(l), l.Tag)
		}
		if err := out.Write(append(rec, "", "")); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
