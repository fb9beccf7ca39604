package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// NewestWithLogs is the newest run that tried a stage; a follower takes one
// that has not tried any yet.
func NewestWithLogs(ctx context.Context, store *storage.Store, follow bool) (string, error) {
	ids, err := runs.List(ctx, store, 100)
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		if follow {
			if alive, _, err := (&runs.Liveness{Store: store, Run: id}).Alive(ctx); err == nil && alive {
				return id, nil
			}
		}
		tries, err := runs.Attempts(ctx, store, id)
		if err != nil {
			return "", err
		}
		if len(tries) > 0 {
			return id, nil
		}
	}
	return "", &diagnostic.UsageError{Message: "no run of this store has logs"}
}

// CheckTried refuses a run or stage that can have no logs. A run that goes on
// may still come to the stage.
func CheckTried(ctx context.Context, store *storage.Store, run, stage string, follow bool) error {
	if !storage.ValidKey("runs/" + run) {
		return NoRun(run, storage.ErrNotFound)
	}
	tries, err := runs.Attempts(ctx, store, run)
	if err != nil {
		return err
	}
	resolved, err := runs.LoadResolved(ctx, store, run)
	if err != nil && len(tries) == 0 {
		if _, err := runs.LoadRecord(ctx, store, run); err == nil {
			return NoRun(run, errors.New("it tried no stage"))
		}
		return NoRun(run, err)
	}
	if _, tried := tries[stage]; stage == "" || tried {
		return nil
	}
	if _, planned := resolved.Stages[stage]; follow && planned {
		return nil
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("run %s did not try stage %q", run, stage), Hint: "it tried " + strings.Join(slices.Sorted(maps.Keys(tries)), ", ")}
}

// ToCompare finds the two runs to compare: those of the arguments; of one, it and
// the newest of its plan; of none, the newest and the one of its plan before it. Who
// names none means two that measured something themselves, where there are two.
func ToCompare(ctx context.Context, s *storage.Store, args []string, measured func(*runs.Record) bool) (old, now runs.Record, err error) {
	load := func(id string) (runs.Record, error) {
		st, err := runs.Load(ctx, s, id)
		switch {
		case err != nil:
			return runs.Record{}, NoRun(id, err)
		case st.Record == nil:
			return runs.Record{}, &diagnostic.UsageError{Message: fmt.Sprintf("run %s has not ended: %s", id, st)}
		}
		return *st.Record, nil
	}
	newest := func(plan, before string, fits func(*runs.Record) bool) (runs.Record, error) {
		st, err := Newest(ctx, s, func(st runs.Status) bool {
			return st.Record != nil && (plan == "" || st.Record.Plan == plan) && (before == "" || st.Run < before) && fits(st.Record)
		})
		if errors.Is(err, storage.ErrNotFound) {
			return runs.Record{}, &diagnostic.UsageError{Message: "there is no other run to compare with", Hint: "`sprint runs` lists them"}
		}
		if err != nil {
			return runs.Record{}, err
		}
		return *st.Record, nil
	}
	anyRun := func(*runs.Record) bool { return true }
	switch len(args) {
	case 2:
		if old, err = load(args[0]); err == nil {
			now, err = load(args[1])
		}
	case 1:
		if old, err = load(args[0]); err == nil {
			now, err = newest(old.Plan, "", anyRun)
		}
	default:
		for _, fits := range []func(*runs.Record) bool{measured, anyRun} {
			if now, err = newest("", "", fits); err == nil {
				if old, err = newest(now.Plan, *now.Run, fits); err == nil {
					break
				}
			}
		}
	}
	return old, now, err
}

// Start is what a store says of how a run was started. Whoever writes to the store
// chooses it.
type Start struct {
	Args []string // the words of the command, without the program
	Plan string   // the digest of the plan's file; empty if nothing was to be done
}

// StartOf finds out how a run was started. One that is live is not repeated.
func StartOf(ctx context.Context, store *storage.Store, run string) (Start, error) {
	s, err := runs.Load(ctx, store, run)
	if err != nil {
		return Start{}, NoRun(run, err)
	}
	if s.Live() {
		return Start{}, &diagnostic.UsageError{Message: fmt.Sprintf("run %s is not over: %s", run, s), Hint: fmt.Sprintf("`%s` follows it, `%s` ends it", commandline.Of("logs", "-f", run), commandline.Of("cancel", run))}
	}
	var out Start
	resolved, err := runs.LoadResolved(ctx, store, run)
	switch {
	case err == nil:
		out = Start{resolved.Args, resolved.PlanDigest}
	case !errors.Is(err, storage.ErrNotFound): // without one it was killed before it began, or all was cached
		return Start{}, err
	}
	if s.Record != nil {
		out.Args = s.Record.Args
	}
	return out, nil
}
