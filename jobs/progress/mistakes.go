package progress

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
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
	return Mistake{File: e.Pos.File, Line: e.Pos.Line, Column: e.Pos.Col, Path: e.Path, Message: e.Message, Hint: e.Hint}
}

// AnnotateMistakes writes mistakes as commands that put them beside the lines of a
// change on GitHub. level is error or warning; workspace is the folder of the
// checkout, from which GitHub counts paths, empty if that is the working directory.
func AnnotateMistakes(out io.Writer, level, workspace string, mistakes []Mistake) {
	for _, m := range mistakes {
		where := ""
		if m.File != "" && m.File != "-" && m.Line > 0 {
			where = fmt.Sprintf(" file=%s,line=%d", property(inWorkspace(m.File, workspace)), m.Line)
			if m.Column > 0 {
				where += fmt.Sprintf(",col=%d", m.Column)
			}
		}
		text := m.Message
		if m.Path != "" {
			text = m.Path + ": " + text
		}
		if m.File != "" && m.Line == 0 {
			text = m.File + ": " + text
		}
		if m.Hint != "" {
			text += "\n" + m.Hint
		}
		fmt.Fprintf(out, "::%s%s::%s\n", level, where, annotation(text))
	}
}

// inWorkspace is the path of a file below a folder; one that is not there stays.
func inWorkspace(file, workspace string) string {
	abs, err := filepath.Abs(file)
	if err != nil || workspace == "" {
		return filepath.ToSlash(file)
	}
	if rel, err := filepath.Rel(workspace, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(file)
}

// property escapes a value between the commas of a workflow command.
func property(s string) string {
	return sanitize.Text(strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s))
}
