package look

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func runsCommand(a *app.App) *cobra.Command {
	var limit int
	var plan string
	cmd := &cobra.Command{
		Use: "runs", Short: "List the newest runs of the store; pin those that gc must keep", Args: cobra.NoArgs,
		RunE: a.OnStoreOrNone(func(ctx context.Context, store *storage.Store, _ []string) error {
			return listRuns(ctx, a, store, plan, limit)
		}),
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "how many; 0 for all")
	cmd.Flags().StringVar(&plan, "plan", "", "of the plan of this name alone")
	a.JSONFlag(cmd, "one JSON object per run")
	cmd.AddCommand(pinCommand(a, true), pinCommand(a, false))
	return cmd
}

func listRuns(ctx context.Context, a *app.App, store *storage.Store, plan string, limit int) error {
	pins, err := runs.LoadPins(ctx, store)
	if err != nil {
		return err
	}
	ids, err := runs.List(ctx, store, 1<<30)
	if err != nil {
		return err
	}
	var listed []catalog.Run
	for len(ids) > 0 && (limit <= 0 || len(listed) < limit) {
		// With a plan to look for nobody knows how many to read.
		n := min(len(ids), 100)
		if limit > 0 && plan == "" {
			n = min(n, limit-len(listed))
		}
		batch, err := catalog.Load(ctx, store, ids[:n], runs.LoadBrief)
		if err != nil {
			return err
		}
		ids = ids[n:]
		for _, r := range batch {
			var pin runs.Pin
			pin, r.Pinned = pins[r.Run]
			r.Note = pin.Note
			if (plan == "" || r.Plan == plan) && (limit <= 0 || len(listed) < limit) {
				listed = append(listed, r)
			}
		}
	}
	if a.AsJSON {
		return app.WriteLines(a.Stdout, listed)
	}
	if len(listed) == 0 {
		of := ""
		if plan != "" {
			of = " of plan " + plan
		}
		fmt.Fprintf(a.Stdout, "no runs%s: %s\n", of, a.Where(store))
		return nil
	}
	return showRuns(a, listed)
}

// showRuns is the table of runs; it has a column of the heads where a model was tuned
// from some, and one of costs where something was paid for.
func showRuns(a *app.App, listed []catalog.Run) error {
	columns := []table.Column{
		{Name: "RUN"}, {Name: "PLAN", Drop: 6}, {Name: "STARTED", Drop: 1}, {Name: "SECONDS", Drop: 3}, {Name: "MODEL", Drop: 5},
		{Name: "MACRO-F1", Drop: 7}, {Name: "GAIN", Drop: 4}, {Name: "DEVICE", Drop: 2}, {Name: "END", Cut: true},
	}
	tuned := slices.ContainsFunc(listed, func(r catalog.Run) bool { return r.Figures != nil && r.Figures.Heads != nil })
	if tuned {
		columns = slices.Insert(columns, 6, table.Column{Name: "HEADS", Drop: 4})
	}
	paid := slices.ContainsFunc(listed, func(r catalog.Run) bool { return r.Cost != nil })
	if paid {
		columns = slices.Insert(columns, len(columns)-1, table.Column{Name: "COST", Drop: 3})
	}
	t := a.Screen().Table(func(row int) string { return endColour(listed[row]) }, columns...)
	for _, r := range listed {
		end := r.Status.String()
		if r.Pinned {
			end += " (pinned)"
			if r.Note != "" {
				end = strings.TrimSuffix(end, ")") + ": " + r.Note + ")"
			}
		}
		f := runs.Figures{}
		if r.Figures != nil {
			f = *r.Figures
		}
		cells := []any{
			r.Run, r.Plan, r.Started.Local().Format(time.DateTime), fmt.Sprintf("%.1f", r.Seconds),
			cmp.Or(f.Model, "-"), measured("%.3f", f.MacroF1, f.On), measured("%+.3f", f.Gain, ""), cmp.Or(f.Device, "-"), end,
		}
		if tuned {
			cells = slices.Insert(cells, 6, any(measured("%.3f", f.Heads, f.On)))
		}
		if paid {
			cost := "-"
			if r.Cost != nil {
				cost = money.Price{Amount: r.Cost.Total, Currency: r.Cost.Currency}.String()
			}
			cells = slices.Insert(cells, len(cells)-1, any(cost))
		}
		t.Row(cells...)
	}
	return t.Write(a.Stdout)
}

// endColour is the colour of a run by how it ended.
func endColour(r catalog.Run) string {
	switch {
	case r.Code == nil:
		return ""
	case *r.Code == stages.CodeDone:
		return table.Good
	case *r.Code == stages.CodeInterrupted:
		return table.Doubt
	}
	return table.Bad
}

// measured writes a figure; what it was measured on stands behind it unless it is gold.
func measured(format string, v *float64, on string) string {
	if v == nil {
		return "-"
	}
	text := fmt.Sprintf(format, *v)
	if on != "" && on != "gold" {
		text += " (" + on + ")"
	}
	return text
}

func pinCommand(a *app.App, pinned bool) *cobra.Command {
	var note string
	use, short := "unpin RUN", "Let gc treat a run like any other again"
	if pinned {
		use, short = "pin RUN", "Keep all that a run reached, whatever its age"
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
			if _, err := runs.Load(ctx, store, args[0]); err != nil {
				return catalog.NoRun(args[0], err)
			}
			if err := runs.SetPin(ctx, store, args[0], pinned, note); err != nil {
				return err
			}
			word := "pinned: gc keeps what it reached"
			if !pinned {
				word = "not pinned any more"
			}
			fmt.Fprintf(a.Stdout, "run %s is %s\n", args[0], word)
			return nil
		}),
	}
	if pinned {
		cmd.Flags().StringVar(&note, "note", "", "why, for others to read")
	}
	return cmd
}
