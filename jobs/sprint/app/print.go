package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// JSONFlag gives a command the flag -o and sets asJSON by it before the command
// runs.
func (a *App) JSONFlag(cmd *cobra.Command, what string) {
	var format string
	cmd.Flags().StringVarP(&format, "output", "o", "", "json: "+what)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		a.AsJSON = format == "json"
		if !a.AsJSON && format != "" && format != "text" {
			return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s: this command knows json and text", format)}
		}
		return nil
	}
}

// Data is where an answer goes that is data: standard output as it is. On a terminal
// nothing of it may act, so there it is shown as all else.
func (a *App) Data() io.Writer {
	if sanitize.Terminal(a.Stdout.Out) != nil {
		return a.Stdout
	}
	return a.Stdout.Out
}

// WriteLines writes each item as a line of JSON.
func WriteLines[T any](w io.Writer, items []T) error {
	out := json.NewEncoder(w)
	for _, x := range items {
		if err := out.Encode(x); err != nil {
			return err
		}
	}
	return nil
}

// Size writes bytes for people.
func Size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// Short is the beginning of a digest, enough to name it to any command.
func Short(digest string) string {
	return strings.TrimPrefix(digest, "sha256:")[:16]
}

// Would says what a run would do about a stage.
func Would(v *evaluate.Decision) string {
	switch {
	case v.State == runs.Cached:
		return "be cached"
	case v.State == runs.Failed:
		return "fail as before"
	case v.Resumable:
		return "continue"
	}
	return "run"
}

// Warn prints what can be lived with.
func (a *App) Warn(warnings diagnostic.Errors) {
	for _, e := range warnings {
		fmt.Fprintf(a.Stderr, "warning: %v\n", e)
	}
}
