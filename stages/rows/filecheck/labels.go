package filecheck

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// shownCells is how many different cells of a file are told.
const shownCells = 5

// wrongCell is a cell of a column label that means nothing.
type wrongCell struct {
	cell    string
	line    int // of its first row
	count   int
	problem *stages.Problem
}

// labelSurvey collects what a sample's labels say.
type labelSurvey struct {
	read       stages.LabelColumns
	wrong      []*wrongCell
	byCell     map[string]*wrongCell // nil is a cell that is right
	labelled   bool
	categories []string
}

func (s *labelSurvey) visit(row *rows.Row, categories []string, line func() int) {
	s.categories = categories
	if row.Label == "" {
		return
	}
	s.labelled = true
	w, known := s.byCell[row.Label]
	if !known {
		if p := s.read.Check(row.Label); p != nil {
			w = &wrongCell{cell: row.Label, line: line(), problem: p}
			s.wrong = append(s.wrong, w)
		}
		s.byCell[row.Label] = w
	}
	if w != nil {
		w.count++
	}
}

// Labels tells which labels of a sample of a file of rows mean nothing to the stage that
// reads them. option names the file in the plan.
func Labels(f io.ReaderAt, size int64, option, path string, layout rows.Layout, read stages.LabelColumns) []stages.FileProblem {
	s := &labelSurvey{read: read, byCell: map[string]*wrongCell{}}
	sample, err := takeSample(f, size, layout, s.visit)
	if err != nil || sample.Stats.Read == sample.Stats.Bad() {
		return nil // it is told as the file's
	}
	if read.Missing(s.categories) == nil {
		return nil // the column label is not read
	}
	if !s.labelled {
		p := read.Missing(s.categories)
		if !sample.Whole { // the rest may be labelled
			return nil
		}
		return []stages.FileProblem{{Option: option, Message: path + ": " + p.Message, Hint: p.Hint}}
	}
	at := places{path: path, format: layout.Format}
	if size > maxChecked {
		at.read = true // too large to show the line
	}
	slices.SortStableFunc(s.wrong, func(x, y *wrongCell) int { return cmp.Or(y.count-x.count, cmp.Compare(x.cell, y.cell)) })
	var out []stages.FileProblem
	for i, w := range s.wrong {
		if i == shownCells {
			out = append(out, stages.FileProblem{File: path, Message: fmt.Sprintf("%d more words of the column label are no category", len(s.wrong)-i), Hint: w.problem.Hint})
			break
		}
		p := at.cell(w.line, cmp.Or(layout.Columns["label"], "label"), w.cell)
		looked := "looked at"
		if sample.Whole {
			looked = "of the file"
		}
		p.Message = fmt.Sprintf("%s; %d of the %d rows %s say so", w.problem.Message, w.count, sample.Stats.Read, looked)
		p.Hint = w.problem.Hint
		out = append(out, p)
	}
	return out
}
