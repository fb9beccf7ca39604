package remote

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// keeper is a place that keeps a log.
type keeper struct {
	executor.Provider
	log string
}

func (k *keeper) Logs(_ context.Context, _ executor.Handle, w io.Writer) error {
	_, err := io.WriteString(w, k.log)
	return err
}

// TestEndsWithoutAWord: what a place says of a worker that left none is a failure with a
// code, a class and a next step, and shows the end of its log.
func TestEndsWithoutAWord(t *testing.T) {
	ended := func(code int) executor.Status {
		return executor.Status{Phase: executor.PhaseEnded, Known: true, ExitCode: code}
	}
	for name, c := range map[string]struct {
		status executor.Status
		log    string
		code   stages.Code
		lost   bool
		hint   string
	}{
		"the store is not reached":   {ended(4), "sprint worker: cannot open the store: dial tcp: i/o timeout", 4, false, "doctor --executor place"},
		"a secret is missing":        {ended(4), "sprint: the variable AWS_SECRET_ACCESS_KEY is not set", 4, false, "doctor --executor place"},
		"the disk is full":           {ended(4), "sprint: the program cannot be fetched: No space left on device", 4, false, "doctor --executor place"},
		"another program came":       {ended(9), "what was fetched is not the program", 9, false, "doctor --executor place"},
		"older glibc":                {ended(1), "/x/p: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /x/p)", 4, false, "newer glibc"},
		"no glibc":                   {ended(127), "sh: exec: line 1: /x/p: not found", 4, false, "with glibc"},
		"another platform":           {ended(126), "sh: 1: /x/p: Exec format error", 4, false, "another platform"},
		"noexec":                     {ended(126), "sh: 1: exec: /x/p: Permission denied", 4, false, "noexec"},
		"its log speaks of glibc":    {ended(0), "version `GLIBC_2.38' not found", 1, false, ""},
		"image":                      {executor.Status{Phase: executor.PhaseEnded, Hopeless: true, Hint: "change image"}, "", 4, false, "change image"},
		"deleted by hand":            {executor.Status{Phase: executor.PhaseEnded, Gone: true}, "", 1, true, "last checkpoint"},
		"machine gone":               {executor.Status{Phase: executor.PhaseEnded, Lost: true}, "", 1, true, "last checkpoint"},
		"taken":                      {executor.Status{Phase: executor.PhaseEnded, Preempted: true}, "", 1, true, "last checkpoint"},
		"the place's own time limit": {executor.Status{Phase: executor.PhaseEnded, TimedOut: true}, "", 1, false, "time limit of place"},
		"asked to end":               {ended(75), "", 1, true, "last checkpoint"},
		"signal":                     {ended(128 + 15), "", 1, true, "last checkpoint"},
		"memory":                     {executor.Status{Phase: executor.PhaseEnded, OutOfMemory: true}, "", 8, true, "resources.memory"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Executor{Name: "place", Provider: &keeper{log: c.log}, Log: slog.New(slog.DiscardHandler)}
			f := &followed{Executor: e, a: &runs.Attempt{Stage: "train"}, job: &executor.Job{ID: "x"}}
			err := f.placeError(c.status, "the worker ended")
			if o := executor.FromError(err); executor.Code(err) != c.code || (o.State == runs.Lost) != c.lost || !strings.Contains(executor.Hint(err), c.hint) || !strings.HasSuffix(err.Error(), c.log) {
				t.Errorf("%v, code %d, %s, hint %q", err, executor.Code(err), o.State, executor.Hint(err))
			}
		})
	}
}
