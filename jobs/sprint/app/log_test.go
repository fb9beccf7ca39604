package app

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
)

// TestLogInWords: a warning is one line without time, level and quotes; -q leaves errors.
func TestLogInWords(t *testing.T) {
	for name, c := range map[string]struct {
		a    App
		want string
	}{
		"usual": {App{}, "sprint: warning: could not store the record, run r-1: access\ndenied\n"},
		"quiet": {App{Quiet: true}, ""},
	} {
		var out strings.Builder
		c.a.Stderr = &sanitize.Writer{Out: &out}
		log := c.a.Log().With("run", "r-1")
		log.Warn("could not store the record", "error", errors.New("access\ndenied"))
		log.Info("opened")
		if got, want := out.String(), strings.Replace(c.want, "access\ndenied", "access denied", 1); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if log.Enabled(t.Context(), slog.LevelError) == false {
			t.Errorf("%s: errors are left out", name)
		}
	}
}

// TestNews: what changes is told without a warning, and not with -q.
func TestNews(t *testing.T) {
	for quiet, want := range map[bool]string{false: "sprint: another release answers, model toy@2\n", true: ""} {
		var out strings.Builder
		a := App{Quiet: quiet, Stderr: &sanitize.Writer{Out: &out}}
		a.News().Info("another release answers", "model", "toy@2")
		if out.String() != want {
			t.Errorf("quiet %v: %q, want %q", quiet, out.String(), want)
		}
	}
}
