package catalog

import (
	"context"
	"errors"
	"fmt"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// StartedBy returns the words of the command that started a run, without the
// program. A run that is live is not repeated.
func StartedBy(ctx context.Context, store *storage.Store, run string) ([]string, error) {
	s, err := runs.Load(ctx, store, run)
	if err != nil {
		return nil, NoRun(run, err)
	}
	var words []string
	switch {
	case s.Live():
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("run %s is not over: %s", run, s), Hint: fmt.Sprintf("`%s` follows it, `%s` ends it", commandline.Of("logs", "-f", run), commandline.Of("cancel", run))}
	case s.Record != nil:
		words = s.Record.Args
	default: // it was killed
		resolved, err := runs.LoadResolved(ctx, store, run)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		words = resolved.Args
	}
	return words, nil
}
