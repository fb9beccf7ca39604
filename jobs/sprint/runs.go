package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/progress"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

func (a *app) runsCommand() *cobra.Command {
	var limit int
	var plan string
	cmd := &cobra.Command{
		Use: "runs", Short: "List the newest runs of the store; pin those that gc must keep", Args: cobra.NoArgs,
		RunE: a.onStore(func(ctx context.Context, store *storage.Store, _ []string) error {
			return a.runs(ctx, store, plan, limit)
		}),
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "how many; 0 for all")
	cmd.Flags().StringVar(&plan, "plan", "", "of the plan of this name alone")
	a.jsonFlag(cmd, "one JSON object per run")
	cmd.AddCommand(a.pinCommand(true), a.pinCommand(false))
	return cmd
}

// onStore runs a command without a plan on the configured store.
func (a *app) onStore(do func(ctx context.Context, s *storage.Store, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		store, err := a.storeOf(cmd)
		if err != nil {
			return err
		}
		defer store.Close()
		return interrupted(cmd.Context(), do(cmd.Context(), store, args))
	}
}

// jsonFlag gives a command the flag -o and sets asJSON by it before the command
// runs.
func (a *app) jsonFlag(cmd *cobra.Command, what string) {
	var format string
	cmd.Flags().StringVarP(&format, "output", "o", "", "json: "+what)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		a.asJSON = format == "json"
		if !a.asJSON && format != "" && format != "text" {
			return &config.UsageError{Message: fmt.Sprintf("-o %s: this command knows json and text", format)}
		}
		return nil
	}
}

// writeLines writes each item as a line of JSON.
func writeLines[T any](w io.Writer, items []T) error {
	out := json.NewEncoder(w)
	for _, x := range items {
		if err := out.Encode(x); err != nil {
			return err
		}
	}
	return nil
}

// listedRun is a line of runs.
type listedRun struct {
	Run      string       `json:"run"`
	Plan     string       `json:"plan"`
	State    string       `json:"state"`
	Code     *stages.Code `json:"code"` // null while it has none
	Class    string       `json:"class,omitempty"`
	Started  time.Time    `json:"started"`
	Seconds  float64      `json:"seconds"`
	Pinned   bool         `json:"pinned"`
	standing runs.Status
}

func (a *app) runs(ctx context.Context, store *storage.Store, plan string, limit int) error {
	pins, err := runs.LoadPins(ctx, store)
	if err != nil {
		return err
	}
	ids, err := runs.List(ctx, store, 1<<30)
	if err != nil {
		return err
	}
	var listed []listedRun
	for len(ids) > 0 && (limit <= 0 || len(listed) < limit) {
		// With a plan to look for nobody knows how many to read.
		n := min(len(ids), 100)
		if limit > 0 && plan == "" {
			n = min(n, limit-len(listed))
		}
		batch, err := standings(ctx, store, ids[:n], runs.LoadBrief)
		if err != nil {
			return err
		}
		ids = ids[n:]
		for _, r := range batch {
			_, r.Pinned = pins[r.Run]
			if (plan == "" || r.Plan == plan) && (limit <= 0 || len(listed) < limit) {
				listed = append(listed, r)
			}
		}
	}
	if a.asJSON {
		return writeLines(a.stdout, listed)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tPLAN\tSTARTED\tSECONDS\tEND")
	for _, r := range listed {
		end := r.standing.String()
		if r.Pinned {
			end += " (pinned)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%s\n", r.Run, r.Plan, r.Started.Local().Format(time.DateTime), r.Seconds, end)
	}
	return w.Flush()
}

// standings reads many runs at once: a store far away answers slowly.
func standings(ctx context.Context, store *storage.Store, ids []string, stand func(context.Context, *storage.Store, string) (runs.Status, error)) ([]listedRun, error) {
	out := make([]listedRun, len(ids))
	var group errgroup.Group
	group.SetLimit(16)
	for i, id := range ids {
		group.Go(func() error {
			s, err := stand(ctx, store, id)
			r := listedRun{Run: id, State: s.State, standing: s}
			switch {
			case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
				r.State, r.standing.State = "unknown", "unknown"
			case err != nil:
				return err
			}
			if rec := s.Record; rec != nil {
				r.Plan, r.Started, r.Seconds, r.Code, r.Class = rec.Plan, rec.Started, rec.Finished.Sub(rec.Started).Seconds(), &rec.Code, rec.Class
			} else {
				r.Started = runs.Time(id)
				if plan, err := runs.LoadResolved(ctx, store, id); err == nil {
					r.Plan, r.Started = plan.Plan, plan.Started
				}
				if s.Live() {
					r.Seconds = time.Since(r.Started).Seconds()
				}
			}
			out[i] = r
			return nil
		})
	}
	return out, group.Wait()
}

func (a *app) pinCommand(pinned bool) *cobra.Command {
	var note string
	use, short := "unpin RUN", "Let gc treat a run like any other again"
	if pinned {
		use, short = "pin RUN", "Keep all that a run reached, whatever its age"
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: a.onStore(func(ctx context.Context, store *storage.Store, args []string) error {
			if _, err := runs.Load(ctx, store, args[0]); err != nil {
				return noRun(args[0], err)
			}
			if err := runs.SetPin(ctx, store, args[0], pinned, note); err != nil {
				return err
			}
			word := "pinned: gc keeps what it reached"
			if !pinned {
				word = "not pinned any more"
			}
			fmt.Fprintf(a.stdout, "run %s is %s\n", args[0], word)
			return nil
		}),
	}
	if pinned {
		cmd.Flags().StringVar(&note, "note", "", "why, for others to read")
	}
	return cmd
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [RUN]", Short: "Show how a run ended or how far it is; the newest by default", Args: cobra.MaximumNArgs(1),
		RunE: a.onStore(a.status),
	}
	a.jsonFlag(cmd, "the stored result, or the stages so far")
	return cmd
}

func (a *app) status(ctx context.Context, store *storage.Store, args []string) error {
	if len(args) == 0 {
		var err error
		if args, err = runs.List(ctx, store, 1); err != nil {
			return err
		}
		if len(args) == 0 {
			fmt.Fprintf(a.stdout, "the store %s has no runs\n", store.URL())
			return nil
		}
	}
	s, err := runs.Load(ctx, store, args[0])
	if err != nil {
		return noRun(args[0], err)
	}
	if s.Record == nil {
		return a.soFar(ctx, store, s)
	}
	if a.asJSON {
		return json.NewEncoder(a.stdout).Encode(s.Record.Result)
	}
	r := s.Record
	fmt.Fprintf(a.stdout, "run %s of %s: %s (code %d), %s, %s\n", args[0], r.Plan, r.Class, r.Code, r.Started.Local().Format(time.DateTime), r.Finished.Sub(r.Started).Round(100*time.Millisecond))
	progress.StageTable(a.stdout, &r.Result)
	if r.Error != "" {
		fmt.Fprintf(a.stdout, "%s\n", r.Error)
	}
	if r.Continue != "" {
		fmt.Fprintf(a.stdout, "continue with:\n  %s\n", r.Continue)
	}
	return nil
}

// soFar shows a run that has no end in the store.
func (a *app) soFar(ctx context.Context, store *storage.Store, s runs.Status) error {
	stages, err := runs.Progress(ctx, store, s.Run)
	if err != nil {
		return err
	}
	if a.asJSON {
		return json.NewEncoder(a.stdout).Encode(struct {
			runs.Status
			Stages []runs.StageResult `json:"stages"`
		}{s, stages})
	}
	resolved, err := runs.LoadResolved(ctx, store, s.Run)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	fmt.Fprintf(a.stdout, "run %s of %s: %s\n", s.Run, resolved.Plan, s)
	progress.StageTable(a.stdout, &runs.Result{Stages: stages})
	switch {
	case s.Live() && s.Cancel != nil:
		fmt.Fprintf(a.stdout, "follow it to its end with:\n  sprint logs -f %s\n", s.Run)
	case s.Live():
		fmt.Fprintf(a.stdout, "follow it with:\n  sprint logs -f %s\nend it, checkpointed, with:\n  sprint cancel %s\n", s.Run, s.Run)
	case resolved.Command != "":
		fmt.Fprintf(a.stdout, "continue with:\n  %s\n", resolved.Command)
	}
	return nil
}

// newestRun returns the newest run that fits.
func newestRun(ctx context.Context, store *storage.Store, fits func(runs.Status) bool) (runs.Status, error) {
	ids, err := runs.List(ctx, store, 200)
	if err != nil {
		return runs.Status{}, err
	}
	for batch := range slices.Chunk(ids, 16) {
		listed, err := standings(ctx, store, batch, runs.Load)
		if err != nil {
			return runs.Status{}, err
		}
		for _, r := range listed {
			if fits(r.standing) {
				return r.standing, nil
			}
		}
	}
	return runs.Status{}, storage.ErrNotFound
}
