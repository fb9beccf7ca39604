package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func (a *app) cancelCommand() *cobra.Command {
	var reason string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "cancel [RUN]",
		Short: "Ask a live run, on any machine, to checkpoint and end",
		Long: `Ask a run to checkpoint and end, as its own Ctrl-C would. The request goes
through the store, so the run may be on any machine; it ends with code 75, and
the command that started it continues it. Without RUN the newest live run.`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.onStore(func(ctx context.Context, store *storage.Store, args []string) error {
			return a.cancel(ctx, store, args, reason, wait)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "said by the run when it ends")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for its end; 0 only asks")
	return cmd
}

func (a *app) cancel(ctx context.Context, store *storage.Store, args []string, reason string, wait time.Duration) error {
	var s runs.Status
	var err error
	if len(args) == 0 {
		s, err = newestRun(ctx, store, runs.Status.Live)
		if errors.Is(err, storage.ErrNotFound) {
			return &config.UsageError{Message: "no run of this store is live", Hint: "`sprint runs` lists them"}
		}
	} else {
		s, err = runs.Load(ctx, store, args[0])
	}
	if err != nil {
		return noRun(strings.Join(args, " "), err)
	}
	switch s.State {
	case "ended":
		hint := ""
		if s.Record.Continue != "" {
			hint = "continue it with: " + s.Record.Continue
		}
		return &config.UsageError{Message: fmt.Sprintf("run %s has ended already: %s", s.Run, s.Record.Class), Hint: hint}
	case "killed":
		return &config.UsageError{Message: fmt.Sprintf("run %s is not live: its %s is gone", s.Run, s.Holder), Hint: "nothing holds it back: the command that started it continues it"}
	}
	earlier, err := runs.Cancel(ctx, store, s.Run, reason)
	if err != nil {
		return err
	}
	who := "its process"
	if s.Holder.PID != 0 {
		who = s.Holder.String()
	}
	if earlier != nil {
		fmt.Fprintf(a.stdout, "run %s: %s has been asked before to checkpoint and end: %s\n", s.Run, who, &runs.CancelledError{Cancellation: *earlier})
	} else {
		fmt.Fprintf(a.stdout, "run %s: asked %s to checkpoint and end\n", s.Run, who)
	}
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); {
		if s, err = runs.Load(ctx, store, s.Run); err != nil {
			return err
		}
		if s.Record != nil {
			fmt.Fprintf(a.stdout, "run %s has ended: %s\n", s.Run, s.Record.Class)
			if s.Record.Continue != "" {
				fmt.Fprintf(a.stdout, "continue with:\n  %s\n", s.Record.Continue)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	if wait > 0 {
		fmt.Fprintf(a.stdout, "it has not ended within %s (%s); `sprint status %s` tells when it has\n", wait, s, s.Run)
	}
	return nil
}

// leaseTTL is how long a live holder takes between two renewals, three times.
const leaseTTL = 20 * time.Second

func (a *app) unlockCommand() *cobra.Command {
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
		RunE: a.onStore(func(ctx context.Context, store *storage.Store, args []string) error {
			if len(args) == 0 {
				return a.leases(ctx, store)
			}
			return a.unlock(ctx, store, args[0], force)
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "free it although its holder lives")
	a.jsonFlag(cmd, "one JSON object per lease that is held")
	return cmd
}

// held lists the leases that are not released.
func held(ctx context.Context, store *storage.Store) ([]storage.LeaseState, error) {
	var out []storage.LeaseState
	for l, err := range store.Leases(ctx, "") {
		if err != nil {
			return nil, err
		}
		if !l.Released {
			out = append(out, l)
		}
	}
	return out, nil
}

func (a *app) leases(ctx context.Context, store *storage.Store) error {
	leases, err := held(ctx, store)
	if err != nil {
		return err
	}
	if a.asJSON {
		return writeLines(a.stdout, leases)
	}
	if len(leases) == 0 {
		fmt.Fprintln(a.stdout, "no lease is held")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LEASE\tHOLDER\tRENEWED\tSTATE")
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
		case time.Since(l.Renewed) > leaseTTL:
			state = "silent: the next run waits 20 s"
		}
		fmt.Fprintf(w, "%s\t%s\t%s ago\t%s\n", l.Name, l.Holder, time.Since(l.Renewed).Round(time.Second), state)
	}
	return w.Flush()
}

func (a *app) unlock(ctx context.Context, store *storage.Store, name string, force bool) error {
	leases, err := held(ctx, store)
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
		return &config.UsageError{Message: fmt.Sprintf("no lease that is held is called %q", name), Hint: "`sprint unlock` lists them"}
	case len(found) > 1:
		return &config.UsageError{Message: fmt.Sprintf("%q fits %s", name, strings.Join(names, " and ")), Hint: "name one of them"}
	}
	l := found[0]
	if !l.Free(storage.Self()) && !force {
		fmt.Fprintf(a.stderr, "lease %s is held by %s; watching for %s whether it is renewed\n", l.Name, l.Holder, leaseTTL)
		if l, err = watchLease(ctx, store, l); err != nil {
			return err
		}
	}
	if !l.Released {
		if err := store.BreakLease(ctx, l); errors.Is(err, storage.ErrStale) {
			return alive(l)
		} else if err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stdout, "lease %s is free; %s held it\n", l.Name, l.Holder)
	return nil
}

// alive refuses to free a lease that is renewed.
func alive(l storage.LeaseState) error {
	return stages.Fail(stages.CodeLease, "`sprint cancel` ends a run in good order; --force frees the lease all the same", "%w, which renews it", &storage.HeldError{Key: "leases/" + l.Name, Holder: l.Holder, Epoch: l.Epoch, Version: l.Version})
}

// watchLease returns the lease if nobody renews it within a ttl, or if it is
// released meanwhile; else *storage.HeldError.
func watchLease(ctx context.Context, store *storage.Store, l storage.LeaseState) (storage.LeaseState, error) {
	for end := time.Now().Add(leaseTTL); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return l, context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
		now, err := store.Lease(ctx, l.Name)
		if err != nil {
			return l, err
		}
		if now.Free(storage.Self()) {
			return now, nil
		}
		if now.Version != l.Version {
			return l, alive(now)
		}
	}
	return l, nil
}
