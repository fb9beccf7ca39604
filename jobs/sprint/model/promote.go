package model

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// promotionFlags say which alias moves, and why.
type promotionFlags struct{ alias, why, from string }

func (f *promotionFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.alias, "alias", models.Champion, "the alias to move")
	cmd.Flags().StringVar(&f.why, "why", "", "the reason, one line, for the alias's history")
	cmd.Flags().StringVar(&f.from, "from", "", "move only if the alias names this version now, or none")
}

// request is the request of a command line for a model.
func (f *promotionFlags) request(a *app.App, name, version string) promotion.Request {
	return promotion.Request{Name: name, Version: version, Alias: f.alias, From: f.from, Why: f.why, Who: models.Who(a.Getenv)}
}

func promoteCommand(a *app.App) *cobra.Command {
	var f promotionFlags
	var result string
	cmd := &cobra.Command{
		Use: "promote [NAME@VERSION]", Short: "Move an alias of a model to a version", Args: cobra.MaximumNArgs(1),
		Long: `Move an alias of a model to a version that is there; VERSION may be another alias.
classify and serve take the alias champion where a model has one. The history of the
alias says who moved it, when, from where and why: sprint models history NAME. If
somebody else moves the alias meanwhile, nothing is done, and code 10 says so; so it
does with --from, if the alias names another version than that. A model or version that
is not there ends with code 4, here as in all commands that take one.

With --result the version is the one that a run published, by the file of sprint run
--result. A run that did not end with code 0, or whose file is empty because it never
ended, promotes nothing (code 10). Where the config has model_keys, one of them must have
signed the version (code 9).`,
		Example: "  sprint promote quickstart@1\n  sprint promote quickstart@latest --from 1 --why \"+0.03 on gold\"",
	}
	cmd.RunE = a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
		if (result == "") == (len(args) == 0) {
			return &diagnostic.UsageError{Message: "which version? sprint promote takes NAME@VERSION, or the --result of a run", Hint: "`sprint models` lists the models"}
		}
		ref := strings.Join(args, "")
		if result != "" {
			var err error
			if ref, err = promotion.Published(result); err != nil {
				return err
			}
		}
		trust, err := modelTrust(a, cmd)
		if err != nil {
			return err
		}
		name, version, _ := strings.Cut(ref, "@")
		q := f.request(a, name, version)
		if trust != nil {
			q.Try = func(ctx context.Context, r models.Release) error {
				_, err := release.CheckSignature(ctx, store, r, trust)
				return err
			}
		}
		moved, err := promotion.Promote(ctx, store, q)
		if err != nil {
			return err
		}
		tellMoved(a, name, f.alias, moved)
		return nil
	})
	f.add(cmd)
	cmd.Flags().StringVar(&result, "result", "", "file of the result of a run, which published the version")
	return cmd
}

func rollbackCommand(a *app.App) *cobra.Command {
	var f promotionFlags
	var to string
	cmd := &cobra.Command{
		Use: "rollback NAME", Short: "Move an alias back to the version before", Args: cobra.ExactArgs(1),
		Long: `Move an alias of a model back to the version that it named before, or to that of --to.
The version is tried first: it is read, every byte compared with its digest, loaded and
asked; an alias never moves to one that cannot answer. A second rollback goes further
back: a version that was rolled back from is passed over. The rest is as in promote.`,
		Example: "  sprint rollback quickstart --why \"misses storms\"\n  sprint rollback quickstart --to 1",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := a.LoadConfig(cmd, "")
			if err != nil {
				return err
			}
			keys, err := a.StoreKeys(cfg)
			if err != nil {
				return err
			}
			trust, err := a.ModelTrust(cfg)
			if err != nil {
				return err
			}
			return a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
				if name, version, there := strings.Cut(args[0], "@"); there {
					return &diagnostic.UsageError{Message: fmt.Sprintf("%.80q is more than a model's name", args[0]), Hint: fmt.Sprintf("the version to go back to is --to: `%s`", commandline.Of("rollback", cmp.Or(name, "NAME")).Flag("to", cmp.Or(version, "VERSION")))}
				}
				q := f.request(a, args[0], to)
				q.Try = promotion.Smoke(store, answers.Options{
					Store: cfg.Store, Keys: keys, Trust: trust, Device: cfg.Device, Cache: cfg.Cache, Offline: cfg.Offline, Log: a.Log(), Announce: func(s string) { fmt.Fprintln(a.Stderr, s) },
				})
				moved, err := promotion.Rollback(ctx, store, q)
				if err != nil {
					return err
				}
				tellMoved(a, args[0], f.alias, moved)
				return nil
			})(cmd, args)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the version to go back to")
	cmd.Flags().StringVar(&a.Flags.Device, "device", "", "where the version is tried: auto, cpu, cuda or go")
	app.Overrides(cmd.Flags(), "device")
	return cmd
}

// tellMoved says what an alias names now.
func tellMoved(a *app.App, name, alias string, m promotion.Moved) {
	switch {
	case m.Already && m.Who != "":
		fmt.Fprintf(a.Stdout, "%s@%s is version %d already, by %s\n", name, alias, m.Version, m.Who)
	case m.Already:
		fmt.Fprintf(a.Stdout, "%s@%s is version %d already\n", name, alias, m.Version)
	case m.From > 0:
		fmt.Fprintf(a.Stdout, "%s@%s is now version %d, was %d\n", name, alias, m.Version, m.From)
	default:
		fmt.Fprintf(a.Stdout, "%s@%s is now version %d\n", name, alias, m.Version)
	}
}
