package progress

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
)

// GitHub shows ten errors and ten warnings of a step, and says nothing of the rest.
const (
	mostAnnotations = 10
	longestMessage  = 2000 // runes of an annotation
)

// annotator writes workflow commands that put messages beside the lines of a change on
// GitHub. Messages beyond those that GitHub shows are counted.
type annotator struct {
	out io.Writer
	// workspace is the folder of the checkout, from which GitHub counts paths; empty if
	// that is the working directory.
	workspace string
	written   map[string]int // by level
}

func newAnnotator(out io.Writer, workspace string) *annotator {
	return &annotator{out: out, workspace: workspace, written: map[string]int{}}
}

// annotate writes a message of a level, error or warning. at may be nowhere, title empty.
func (a *annotator) annotate(level string, at diagnostic.Position, title, message string) {
	if a.written[level]++; a.written[level] > mostAnnotations {
		return
	}
	var properties []string
	if at.File != "" && at.File != "-" && at.Line > 0 {
		properties = append(properties, "file="+property(inWorkspace(at.File, a.workspace)), fmt.Sprintf("line=%d", at.Line))
		if at.Col > 0 {
			properties = append(properties, fmt.Sprintf("col=%d", at.Col))
		}
	}
	if title != "" {
		properties = append(properties, "title="+property(title))
	}
	command := level
	if len(properties) > 0 {
		command += " " + strings.Join(properties, ",")
	}
	if n := utf8.RuneCountInString(message); n > longestMessage {
		message = string([]rune(message)[:longestMessage]) + "..."
	}
	fmt.Fprintf(a.out, "::%s::%s\n", command, escaped(message))
}

// rest says how many messages GitHub does not show.
func (a *annotator) rest() {
	for _, level := range []string{"error", "warning"} {
		if n := a.written[level] - mostAnnotations; n > 0 {
			fmt.Fprintf(a.out, "%d more of level %s are in this log only\n", n, level)
		}
	}
}

// AnnotateMistakes writes mistakes as commands that put them beside the lines of a
// change on GitHub. level is error or warning; workspace is the folder of the
// checkout, from which GitHub counts paths, empty if that is the working directory.
func AnnotateMistakes(out io.Writer, level, workspace string, mistakes []Mistake) {
	a := newAnnotator(out, workspace)
	for _, m := range mistakes {
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
		a.annotate(level, diagnostic.Position{File: m.File, Line: m.Line, Col: m.Column}, "", text)
	}
	a.rest()
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

// escaped is a message as workflow commands take it.
func escaped(s string) string {
	return sanitize.Text(strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s))
}

// property escapes a value between the commas of a workflow command.
func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escaped(s))
}
