package care

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

func unlockCommand(a *app.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "unlock [LEASE]",
		Short: "Show who holds which lease, or free one whose holder is gone",
		Long: `Without LEASE, list the leases that are held and by whom. With one, free it: at
once if its holder is a dead process of this machine, else after watching for
20 s that nobody renews it. A lease that is renewed belongs to a live run and is
refused with code 7; --force frees it all the same, and its holder stops to count
on it. LEASE is a name as listed, or an unmistakable part of one.

Leases free themselves: the next run takes over what a dead process held, so
this is for the impatient. They never decide whether work is done.`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.OnStoreOrNone(func(ctx context.Context, store *storage.Store, args []string) error {
			if len(args) == 0 {
				return showLeases(ctx, a, store)
			}
			return freeLease(ctx, a, store, args[0], force)
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "free it although its holder lives")
	a.JSONFlag(cmd, "one JSON object per lease that is held")
	return cmd
}

func showLeases(ctx context.Context, a *app.App, store *storage.Store) error {
	leases, err := catalog.HeldLeases(ctx, store)
	if err != nil {
		return err
	}
	if a.AsJSON {
		return app.WriteLines(a.Stdout, leases)
	}
	if len(leases) == 0 {
		fmt.Fprintln(a.Stdout, "no lease is held")
		return nil
	}
	t := a.Table(table.Column{Name: "LEASE", Cut: true}, table.Column{Name: "HOLDER", Cut: true}, table.Column{Name: "RENEWED", Drop: 1}, table.Column{Name: "STATE"})
	for _, l := range leases {
		state := "live"
		switch {
		case l.Broken:
			state = "unreadable: the next run takes it"
		case l.Free(storage.Self()):
			state = "dead: the next run takes it"
			if strings.HasPrefix(l.Name, "runs/") {
				state = "dead: it holds nobody back"
			}
		case time.Since(l.Renewed) > runs.LeaseTTL:
			state = "silent: the next run waits 20 s"
		}
		t.Row(l.Name, l.Holder, time.Since(l.Renewed).Round(time.Second).String()+" ago", state)
	}
	return t.Write(a.Stdout)
}

func freeLease(ctx context.Context, a *app.App, store *storage.Store, name string, force bool) error {
	leases, err := catalog.HeldLeases(ctx, store)
	if err != nil {
		return err
	}
	var found []storage.LeaseState
	var names []string
	for _, l := range leases {
		if l.Name == strings.TrimPrefix(name, "leases/") {
			found = []storage.LeaseState{l}
			break
		}
		if strings.Contains(l.Name, name) {
			found, names = append(found, l), append(names, l.Name)
		}
	}
	switch {
	case len(found) == 0:
		return &diagnostic.UsageError{Message: fmt.Sprintf("no lease that is held is called %q", name), Hint: "`sprint unlock` lists them"}
	case len(found) > 1:
		return &diagnostic.UsageError{Message: fmt.Sprintf("%q fits %s", name, strings.Join(names, " and ")), Hint: "name one of them"}
	}
	l := found[0]
	if !l.Free(storage.Self()) && !force {
		fmt.Fprintf(a.Stderr, "lease %s is held by %s; watching for %s whether it is renewed\n", l.Name, l.Holder, runs.LeaseTTL)
		if l, err = catalog.WatchLease(ctx, store, l); err != nil {
			return err
		}
	}
	if !l.Released {
		if err := store.BreakLease(ctx, l); errors.Is(err, storage.ErrStale) {
			return catalog.Renewed(l)
		} else if err != nil {
			return err
		}
	}
	fmt.Fprintf(a.Stdout, "lease %s is free; %s held it\n", l.Name, l.Holder)
	return nil
}
