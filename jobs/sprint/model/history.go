package model

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func historyCommand(a *app.App) *cobra.Command {
	var alias string
	var most int
	cmd := &cobra.Command{
		Use: "history NAME", Short: "Show who moved the aliases of a model, when, and why", Args: cobra.ExactArgs(1),
		Long: `Show the moves of a model's aliases, newest first: from which version to which, who
moved it, when by his clock, why, and the run that published the version. Moves that
cannot be read are left out, and code 9 says so.`,
		Example: "  sprint models history quickstart\n  sprint models history quickstart --alias latest -n 0 -o json",
		RunE: a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
			name := args[0]
			if strings.Contains(name, "@") || name == "" || alias != "" && !models.ValidAlias(alias) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("%.80q is no model's name, or %.80q no alias", name, alias), Hint: "name a model, and an alias by --alias"}
			}
			if !models.ValidName(name) {
				return release.Absent(ctx, models.In(store), name, fmt.Errorf("no model %.80q", name))
			}
			list, damage := promotion.Recorded(ctx, store, name, alias, most)
			if errors.Is(damage, storage.ErrNotFound) && len(list) == 0 || damage == nil && len(list) == 0 {
				return release.Absent(ctx, models.In(store), name, fmt.Errorf("no alias of that name was ever moved: %s", strings.TrimSuffix(name+"@"+alias, "@")))
			}
			if damage != nil && !storage.DamagedOrUntrusted(damage) {
				return damage
			}
			if a.AsJSON {
				return errors.Join(app.WriteLines(a.Stdout, list), damage)
			}
			return errors.Join(showMoves(a, list), damage)
		}),
	}
	cmd.Flags().StringVar(&alias, "alias", "", "of this alias alone")
	cmd.Flags().IntVarP(&most, "number", "n", 20, "how many moves at most; 0 is all")
	a.JSONFlag(cmd, "one JSON object per move")
	return cmd
}

func showMoves(a *app.App, list []promotion.Record) error {
	t := a.Table(table.Column{Name: "ALIAS"}, table.Column{Name: "MOVE", Drop: 4}, table.Column{Name: "WHEN", Drop: 2}, table.Column{Name: "FROM"}, table.Column{Name: "TO"}, table.Column{Name: "WHO", Drop: 1}, table.Column{Name: "RUN", Drop: 3}, table.Column{Name: "WHY", Cut: true})
	for _, m := range list {
		from, why := "-", m.Why
		if m.From != nil {
			from = fmt.Sprint(*m.From)
		}
		if m.Rollback {
			why = strings.TrimSuffix("rollback: "+why, ": ")
		}
		t.Row(m.Alias, m.Number, m.When.Local().Format(time.DateTime), from, m.To, dash(m.Who), dash(m.Run), dash(why))
	}
	return t.Write(a.Stdout)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
