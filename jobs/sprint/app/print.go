package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// JSONFlag gives a command the flag -o and sets asJSON by it before the command
// runs.
func (a *App) JSONFlag(cmd *cobra.Command, what string) {
	a.FormatFlag(cmd, "json: "+what, "json")
}

// FormatFlag gives a command the flag -o with these words beside text, and returns
// where the one that was given stands, empty for text. It sets AsJSON too.
func (a *App) FormatFlag(cmd *cobra.Command, what string, words ...string) *string {
	var format string
	cmd.Flags().StringVarP(&format, "output", "o", "", what)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if format == "text" {
			format = ""
		}
		if format != "" && !slices.Contains(words, format) {
			known := append(slices.Clone(words), "text")
			return &diagnostic.UsageError{Message: fmt.Sprintf("-o %s: this command knows %s and %s", format, strings.Join(known[:len(known)-1], ", "), "text"), Hint: diagnostic.Meant(format, known)}
		}
		a.AsJSON = format == "json"
		return nil
	}
	return &format
}

// Data is where an answer goes that is data: standard output as it is. On a terminal
// nothing of it may act, so there it is shown as all else.
func (a *App) Data() io.Writer {
	if sanitize.Terminal(a.Stdout.Out) != nil {
		return a.Stdout
	}
	return &dataWriter{a}
}

// JSON is where an answer goes that is JSON: standard output. Where a CI takes commands from it,
// a text in it that looks like one is written in another way that means the same.
func (a *App) JSON() io.Writer {
	if a.Stdout.GitHub {
		return a.Stdout
	}
	return a.Data()
}

// ForGitHub makes what is printed harmless in the log of a workflow, wherever it runs.
func (a *App) ForGitHub() {
	a.Stdout.ForGitHub()
	a.Stderr.ForGitHub()
}

// dataWriter is standard output as it is, and remembers that a write failed.
type dataWriter struct{ a *App }

func (w *dataWriter) Write(b []byte) (int, error) {
	n, err := w.a.Stdout.Out.Write(b)
	if err != nil {
		w.a.unwritten = err
	}
	return n, err
}

// Unread reports whether an error is that whoever read standard output has enough.
func (a *App) Unread(err error) bool {
	return errors.Is(err, syscall.EPIPE) && (errors.Is(err, a.Stdout.Failed()) || errors.Is(err, a.unwritten))
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

// Short is the beginning of a digest, enough to name it to any command. What a record has in
// place of one may be shorter.
func Short(digest string) string {
	digits := strings.TrimPrefix(digest, "sha256:")
	return digits[:min(16, len(digits))]
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
