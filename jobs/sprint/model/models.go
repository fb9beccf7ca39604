package model

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func modelsCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "models [NAME[@VERSION|@ALIAS]]", Short: "List published models: versions, aliases, figures", Args: cobra.MaximumNArgs(1),
		Long: `List published models: versions, aliases, and macro-F1 with its 95 % interval, as
verify measured them on the gold set before the release, or on the test split
(then the figure says so). GAIN is over the keywords, on the same rows. Which of its
mirrors are behind is said below the table.`,
		Example: "  sprint models\n  sprint models quickstart@latest -o json",
		RunE: a.OnStoreOrNone(func(ctx context.Context, store *storage.Store, args []string) error {
			list, err := published(ctx, store, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if a.AsJSON {
				return app.WriteLines(a.Stdout, list)
			}
			if len(list) == 0 {
				fmt.Fprintf(a.Stdout, "no models: %s; a plan's publish stage makes them\n", a.Where(store))
				return nil
			}
			return showModels(a, list)
		}),
	}
	a.JSONFlag(cmd, "one JSON object per release")
	cmd.AddCommand(historyCommand(a), verifyCommand(a), signCommand(a), mirrorCommand(a))
	return cmd
}

// published lists what a reference names: NAME, NAME@VERSION, NAME@ALIAS, or all if it
// is empty.
func published(ctx context.Context, store *storage.Store, ref string) ([]catalog.Model, error) {
	if ref == "" {
		return catalog.Models(ctx, store, "")
	}
	name, version, err := release.Parse(ref)
	if err != nil {
		return nil, err
	}
	var list []catalog.Model
	if models.ValidName(name) {
		if list, err = catalog.Models(ctx, store, name); err != nil {
			return nil, err
		}
	}
	if version != "" {
		list = slices.DeleteFunc(list, func(m catalog.Model) bool {
			return strconv.Itoa(m.Version) != version && !slices.Contains(m.Aliases, version)
		})
	}
	if len(list) == 0 {
		return nil, release.Absent(ctx, models.In(store), name, fmt.Errorf("no model %.80q", ref))
	}
	return list, nil
}

func showModels(a *app.App, list []catalog.Model) error {
	t := a.Table(table.Column{Name: "MODEL"}, table.Column{Name: "ALIASES"}, table.Column{Name: "PUBLISHED", Drop: 2}, table.Column{Name: "MACRO-F1", Drop: 5}, table.Column{Name: "GAIN", Drop: 4}, table.Column{Name: "SIZE", Drop: 1}, table.Column{Name: "RUN", Drop: 3})
	for _, m := range list {
		date, macro, gain := "-", "-", "-"
		if m.Published != nil {
			date = m.Published.Local().Format(time.DateTime)
		}
		if m.MacroF1 != nil {
			macro = fmt.Sprintf("%.3f", *m.MacroF1)
			if m.CI != nil {
				macro += fmt.Sprintf(" (%.3f to %.3f)", m.CI[0], m.CI[1])
			}
			if m.On != "gold" {
				macro += " on " + m.On
			}
		}
		if m.Gain != nil {
			gain = fmt.Sprintf("%+.3f", m.Gain.Value)
		}
		t.Row(fmt.Sprintf("%s@%d", m.Name, m.Version), dash(strings.Join(m.Aliases, " ")), date, macro, gain, app.Size(m.Bytes), dash(m.Run))
	}
	if err := t.Write(a.Stdout); err != nil {
		return err
	}
	showBehind(a, list)
	return nil
}
