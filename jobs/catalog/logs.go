package catalog

import (
	"context"
	"errors"
	"fmt"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"maps"
	"slices"
	"strings"
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
