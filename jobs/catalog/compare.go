package catalog

import (
	"context"
	"errors"
	"fmt"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// ToCompare finds the two runs to compare: those of the arguments; of one, it and
// the newest of its plan; of none, the newest and the one of its plan before it.
func ToCompare(ctx context.Context, s *storage.Store, args []string) (old, now runs.Record, err error) {
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
	newest := func(plan, not string) (runs.Record, error) {
		st, err := Newest(ctx, s, func(st runs.Status) bool {
			return st.Record != nil && (plan == "" || st.Record.Plan == plan) && (not == "" || st.Run < not)
		})
		if errors.Is(err, storage.ErrNotFound) {
			return runs.Record{}, &diagnostic.UsageError{Message: "there is no other run to compare with", Hint: "`sprint runs` lists them"}
		}
		if err != nil {
			return runs.Record{}, err
		}
		return *st.Record, nil
	}
	switch len(args) {
	case 2:
		if old, err = load(args[0]); err == nil {
			now, err = load(args[1])
		}
	case 1:
		if old, err = load(args[0]); err == nil {
			now, err = newest(old.Plan, "")
		}
	default:
		if now, err = newest("", ""); err == nil {
			old, err = newest(now.Plan, *now.Run)
		}
	}
	return old, now, err
}
