package runs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/check"
)

// Verify reads every object of a store to its end and tells visit of each whether
// it is what it was written as; err is storage.ErrCorrupt if not. known is false
// for objects that nothing vouches for and nothing rests on: logs, journals, reports and
// marks.
func Verify(ctx context.Context, s *storage.Store, visit func(o storage.Info, known bool, err error)) error {
	for info, err := range s.List(ctx, "") {
		if err != nil {
			return err
		}
		known, err := verifyObject(ctx, s, info.Key)
		switch {
		case errors.Is(err, storage.ErrNotFound): // a gc took it meanwhile
			continue
		case err != nil && !errors.Is(err, storage.ErrCorrupt):
			return err
		}
		visit(info, known, err)
	}
	return nil
}

func verifyObject(ctx context.Context, s *storage.Store, key string) (known bool, err error) {
	parts := strings.SplitN(key, "/", 3)
	if parts[0] != "runs" || len(parts) < 3 {
		return check.Object(ctx, s, key)
	}
	switch run, name := parts[1], parts[2]; {
	case name == "result.json":
		_, err = LoadRecord(ctx, s, run)
	case name == "resolved.json":
		_, err = LoadResolved(ctx, s, run)
	case name == "plan.yaml":
		return verifyPlan(ctx, s, run)
	case name == "uses", name == "cancel", strings.HasPrefix(name, "attempts/"):
		_, _, err = s.Read(ctx, key)
	default:
		return false, nil
	}
	return true, err
}

// verifyPlan compares a run's copy of its plan with the digest that it resolved.
func verifyPlan(ctx context.Context, s *storage.Store, run string) (known bool, err error) {
	resolved, err := LoadResolved(ctx, s, run)
	if storage.MissingOrDamaged(err) {
		return false, nil // a run that has only begun, or the fault of that record
	}
	if err != nil {
		return false, err
	}
	source, err := LoadPlan(ctx, s, run)
	if err != nil {
		return true, err
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(source)); got != resolved.PlanDigest {
		err = &storage.Error{Op: "read plan", Key: planKey(run), Class: storage.ErrCorrupt, Err: fmt.Errorf("its digest is %s, the run resolved %s", got, resolved.PlanDigest)}
	}
	return true, err
}
