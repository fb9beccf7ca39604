package progress

import (
	"cmp"
	"errors"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Mistake is a mistake in a plan, or in a text that it names, for editors and CI.
type Mistake struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"` // from 1; 0 is unknown
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"` // of the value, stages.train.with.epochs
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Mistakes are those that an error tells of; any other error is one without a place.
func Mistakes(err error) []Mistake {
	out := []Mistake{}
	var all diagnostic.Errors
	var one *diagnostic.Error
	var source stages.SourceProblems
	switch {
	case err == nil:
	case errors.As(err, &all):
		for _, e := range all {
			out = append(out, mistakeOf(e))
		}
	case errors.As(err, &one):
		out = append(out, mistakeOf(one))
	case errors.As(err, &source):
		for _, p := range source {
			out = append(out, Mistake{File: p.File, Line: p.Line, Column: p.Col, Message: p.Message, Hint: p.Hint})
		}
	default:
		message, hint, _ := strings.Cut(err.Error(), "\n       ")
		out = append(out, Mistake{Message: message, Hint: cmp.Or(executor.Hint(err), hint)})
	}
	return out
}

func mistakeOf(e *diagnostic.Error) Mistake {
	at := e.Place()
	return Mistake{File: at.File, Line: at.Line, Column: at.Col, Path: e.Path, Message: e.Message, Hint: e.Hint}
}
