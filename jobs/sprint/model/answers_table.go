package model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/rows"
)

// tableSink shows answers to a person: a line for each text, the categories over their
// threshold behind it, strongest first.
type tableSink struct {
	out    *sanitize.Writer
	width  int // of the terminal
	colour bool
	texts  int
	by     map[string]bool // models and sources that answered
}

// textShare is the part of the width that the text has.
const textShare = 0.55

func (s *tableSink) Answer(r rows.Row, a *classify.Answer, problem string) error {
	text := cmp.Or(r.TitleRaw, r.Title, r.ID)
	wide := max(20, int(float64(s.width)*textShare))
	line := fmt.Sprintf("%-*s  ", wide, table.Cut(sanitize.Text(text), wide))
	rest := max(20, s.width-wide-2)
	s.texts++
	switch {
	case a == nil:
		s.paint("31", line, table.Cut(sanitize.Text(problem), rest))
	case len(a.Categories) == 0:
		s.paint("2", line, "none")
	default:
		s.paint("", line, table.Cut(sanitize.Text(describe(a)), rest))
	}
	if a != nil {
		s.by[answeredBy(a)] = true
	}
	return s.out.Failed()
}

// paint prints a line whose second part has a colour.
func (s *tableSink) paint(colour, line, answer string) {
	if colour == "" || !s.colour {
		fmt.Fprintln(s.out, line+answer)
		return
	}
	s.out.Painted(line + "\x1b[" + colour + "m" + answer + "\x1b[0m\n")
}

// Whole implements answers.Sink.
func (s *tableSink) Whole() bool { return true }

// Flush implements answers.Sink.
func (s *tableSink) Flush() error { return s.out.Failed() }

// End says who answered.
func (s *tableSink) End() error {
	if s.texts > 0 && len(s.by) > 0 {
		fmt.Fprintf(s.out, "answered by %s; in a pipe, or with -o json, as JSON\n", strings.Join(slices.Sorted(maps.Keys(s.by)), " and "))
	}
	return s.out.Failed()
}

func answeredBy(a *classify.Answer) string {
	if a.Model != nil {
		return *a.Model
	}
	return a.Source
}

// describe lists categories with score and tag.
func describe(a *classify.Answer) string {
	names := slices.SortedFunc(maps.Keys(a.Categories), func(x, y string) int {
		return cmp.Or(cmp.Compare(a.Categories[y].Score, a.Categories[x].Score), cmp.Compare(x, y))
	})
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = fmt.Sprintf("%s %.2f", n, a.Categories[n].Score)
		if p := a.Categories[n].Probability; p != nil {
			parts[i] = fmt.Sprintf("%s %.0f %%", n, *p*100)
		}
		if tag := a.Categories[n].Tag; tag != "" {
			parts[i] += " (" + tag + ")"
		}
	}
	return strings.Join(parts, ", ")
}
