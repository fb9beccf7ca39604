package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/gc"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func gcCommand(a *app.App) *cobra.Command {
	var yes bool
	var keep int
	older := "7d"
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Delete what no kept run and no release needs; only counts without --yes",
		Long: `Delete artifacts, checkpoints, logs and reports that nothing reaches any more.
Kept are live and pinned runs, the newest runs of each plan (--keep-runs),
everything younger than --older-than, all releases, and what a release that an
alias names was made of. Manifests and the records of runs always stay, so that
explain, diff and trace still answer; a stage whose outputs went runs again when
needed.
The answers of labelling models, which were paid for, stay too. What uploads that
nobody finished left is deleted where the store lists it.

Runs may go on meanwhile. This is the one command that needs the right to delete.`,
		Example: "  sprint gc\n  sprint gc --keep-runs 20 --older-than 30d --yes",
		Args:    cobra.NoArgs,
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, _ []string) error {
			return collectGarbage(ctx, a, s, keep, older, yes)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	cmd.Flags().IntVar(&keep, "keep-runs", 5, "newest runs of each plan that are kept")
	cmd.Flags().StringVar(&older, "older-than", older, "grace period: what is younger stays (7d, 36h; under 1h only without live runs)")
	a.JSONFlag(cmd, "the report")
	return cmd
}

// parseAge reads a duration, in which d is a day.
func parseAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, &diagnostic.UsageError{Message: fmt.Sprintf("--older-than %s is no duration", text), Hint: "write 7d, 36h or 90m"}
	}
	return age, nil
}

func collectGarbage(ctx context.Context, a *app.App, s *storage.Store, keep int, older string, yes bool) error {
	if keep < 0 {
		return &diagnostic.UsageError{Message: "--keep-runs is a number of runs, 0 or more"}
	}
	age, err := parseAge(older)
	if err != nil {
		return err
	}
	r, err := gc.Collector{Store: s, Log: a.Log(), KeepRuns: keep, OlderThan: age, Delete: yes}.Run(ctx)
	if errors.Is(err, storage.ErrDenied) && yes {
		err = stages.Fail(stages.CodeEnvironment, "gc --yes needs the right to delete below the store's prefix; no other command does", "%w", err)
	}
	if errors.Is(err, storage.ErrFull) && yes {
		err = stages.Fail(stages.CodeEnvironment, "free about 1 MiB on that disk by hand, such as some report.html below runs/ in the store, then run the same command", "the disk is full and holds no reserve for a gc: %w", err)
	}
	if r == nil {
		return err
	}
	if a.AsJSON {
		return errors.Join(err, json.NewEncoder(a.Stdout).Encode(r))
	}
	head := "WOULD DELETE"
	if yes {
		head = "DELETED"
	}
	w := a.Screen().Table(nil, table.Column{Name: head, Cut: true}, table.Column{Name: "OBJECTS", Right: true}, table.Column{Name: "SIZE", Right: true})
	objects := 0
	for _, g := range r.Groups {
		w.Row(g.What, g.Objects, app.Size(g.Bytes))
		objects += g.Objects
	}
	w.Row("together", objects, app.Size(r.Bytes()))
	if failed := w.Write(a.Stdout); err == nil {
		err = failed
	}
	fmt.Fprintf(a.Stdout, "kept: %d artifacts of %s, by %d runs (%d live, %d pinned), releases and what is younger than %s\n",
		r.Kept.Objects, app.Size(r.Kept.Bytes), r.Runs, len(r.Live), len(r.Pinned), older)
	if r.Spared > 0 {
		fmt.Fprintf(a.Stdout, "spared: %d artifacts that were needed again meanwhile\n", r.Spared)
	}
	if n := len(r.Forgotten); n > 0 {
		fmt.Fprintf(a.Stdout, "runs that are not kept: %d, %s to %s\n", n, r.Forgotten[0], r.Forgotten[n-1])
	}
	if !yes && objects > 0 && err == nil {
		fmt.Fprintf(a.Stdout, "delete them with:\n  %s --yes\n", a.CommandLine())
	}
	return err
}
