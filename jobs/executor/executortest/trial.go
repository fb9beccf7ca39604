package executortest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/executor/trial"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

// tried: a job that tries the place tells what is wrong there, in its own words or through
// the place's log, and leaves nothing.
func (s Subject) tried(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  []string
		want string // of a finding that is bad; empty is none
	}{
		"good":              {},
		"other store":       {env: []string{jobstest.TrialStore + "=" + filepath.Join(t.TempDir(), "other")}, want: "store: it is another than this machine's"},
		"store not reached": {env: []string{jobstest.TrialStore + "=s3://bucket?region=r&endpoint=http://127.0.0.1:1"}, want: "store: not reached from there"},
		"clock":             {env: []string{jobstest.TrialClock + "=-2h"}, want: "behind the store's"},
		"clock, no store":   {env: []string{jobstest.TrialClock + "=2h", jobstest.TrialStore + "=" + filepath.Join(blocked, "store")}, want: "ahead of this machine's"},
		"disk":              {env: []string{jobstest.TrialDisk + "=/proc/self"}, want: "disk: a megabyte cannot be written"},
	} {
		t.Run(name, func(t *testing.T) {
			store := s.openStore(t)
			e := s.remote(t, store, c.env...)
			found, err := try(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			bad := text(found, trial.Bad)
			if c.want == "" && bad != "" || !strings.Contains(bad, c.want) {
				t.Errorf("bad are %q, want %q; all: %q", bad, c.want, text(found, ""))
			}
			if all := text(found, ""); !strings.Contains(all, "device: toy") || !strings.Contains(all, "machine: ") || strings.Contains(all, trial.End+": ") {
				t.Errorf("found %q", all)
			}
			nothingLeft(t, store)
		})
	}
}

// triedAndStopped: a trial that its user stops ends at once, and leaves nothing there.
func (s Subject) triedAndStopped(t *testing.T) {
	store := s.openStore(t)
	e := s.remote(t, store, jobstest.TrialHangs+"=1")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stop := errors.New("stopped")
	go func() {
		awaitWorkers(t, store, 1)
		cancel(stop)
	}()
	if _, err := try(ctx, e); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	if left := workers(store); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	nothingLeft(t, store)
}

func try(ctx context.Context, e *remote.Executor) (found []trial.Finding, err error) {
	err = e.Try(ctx, remote.Trial{Note: func(f trial.Finding) { found = append(found, f) }})
	return found, err
}

// text is what findings of a state say, a line each; empty is every state.
func text(found []trial.Finding, state trial.State) string {
	var b strings.Builder
	for _, f := range found {
		if state == "" || f.State == state {
			b.WriteString(f.What + ": " + f.Text + "\n")
		}
	}
	return b.String()
}

func nothingLeft(t *testing.T, store *storage.Store) {
	t.Helper()
	for _, prefix := range []string{"probe/", "runs/", "jobs/", "leases/"} {
		for info, err := range store.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			t.Errorf("the store has %s", info.Key)
		}
	}
}
