package remote

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/trial"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// stuck is a place whose jobs come to a phase and no further, or end without a word.
type stuck struct {
	at        executor.Status
	refuses   error
	cancelled []executor.Handle
}

func (s *stuck) Submit(_ context.Context, job *executor.Job) (executor.Handle, error) {
	return executor.Handle(job.ID), s.refuses
}

func (s *stuck) Watch(ctx context.Context, _ executor.Handle, report func(executor.Status)) (executor.Status, error) {
	if s.at.Phase != executor.PhaseEnded {
		report(s.at)
		<-ctx.Done()
		return s.at, ctx.Err()
	}
	return s.at, nil
}

func (s *stuck) Cancel(_ context.Context, h executor.Handle, _ time.Duration) error {
	s.cancelled = append(s.cancelled, h)
	return nil
}

func (s *stuck) Logs(_ context.Context, _ executor.Handle, w io.Writer) error {
	_, err := io.WriteString(w, "sprint: no curl, wget or python3 to fetch the program with\n")
	return err
}

// TestTryEnds: a trial that comes to no end is told within its limits, with what to do, and
// its job is cancelled.
func TestTryEnds(t *testing.T) {
	for name, c := range map[string]struct {
		place      stuck
		text, fix  string
		notStarted bool
	}{
		"queue":   {stuck{at: executor.Status{Phase: executor.PhaseQueued, Reason: "Priority"}}, "no machine was given within 50ms: Priority", "try again", false},
		"start":   {stuck{at: executor.Status{Phase: executor.PhaseStarting, Node: "n1", Reason: "pulling"}}, "it has not begun within 50ms: pulling", "executors.place.limits.start", false},
		"ended":   {stuck{at: executor.Status{Phase: executor.PhaseEnded, Known: true, ExitCode: 4}}, "no curl, wget or python3", "", false},
		"refused": {stuck{refuses: stages.Fail(4, "name another", "no such partition")}, "no such partition", "name another", true},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := storage.Open(t.Context(), t.TempDir(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			e := &Executor{
				Name: "place", Provider: &c.place, Store: store, Log: slog.New(slog.DiscardHandler),
				Limits:  executor.Limits{Queue: 50 * time.Millisecond, Start: 50 * time.Millisecond},
				Program: func(context.Context) (executor.Program, error) { return executor.Program{}, nil },
			}
			var bad []trial.Finding
			err = e.Try(t.Context(), Trial{Note: func(f trial.Finding) {
				if f.State == trial.Bad {
					bad = append(bad, f)
				}
			}})
			if err != nil || len(bad) != 1 || !strings.Contains(bad[0].Text, c.text) || !strings.Contains(bad[0].Fix, c.fix) {
				t.Errorf("%v; bad are %+v", err, bad)
			}
			if (len(c.place.cancelled) == 1) == c.notStarted {
				t.Errorf("cancelled are %v", c.place.cancelled)
			}
			for info := range store.List(t.Context(), "probe/") {
				t.Errorf("the store has %s", info.Key)
			}
		})
	}
}
