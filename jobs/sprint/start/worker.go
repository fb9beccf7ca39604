package start

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/idle"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/all"
)

// errParentGone is the cause of a worker's context whose runner has ended.
var errParentGone = errors.New("stopped: its runner has ended")

func workerCommand(a *app.App) *cobra.Command {
	var o executor.WorkerOptions
	var c config.Config
	var away bool
	var orphan, ttl time.Duration
	var trying trialOptions
	cmd := &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.Ending.Orderly()
			ctx, cancel := context.WithCancelCause(cmd.Context())
			defer cancel(nil)
			if !away {
				// Standard input is the lifeline: it ends when the runner does.
				go func() {
					_, _ = io.Copy(io.Discard, a.Stdin)
					cancel(errParentGone)
				}()
			}
			var err error
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			c.Store = a.Flags.Store
			if trying.nonce != "" {
				return try(ctx, a, &c, trying)
			}
			store, err := a.OpenStore(ctx, &c)
			if err != nil {
				return err
			}
			defer store.Close()
			if away {
				cfg, _, err := config.LoadConfig(config.Source{Env: a.Env}) // the cache of this machine
				if err != nil {
					return err
				}
				o.CacheDir = cfg.Cache
				w := remote.Worker{Store: store, Registry: all.All(), Secret: a.Secret, Stderr: a.Stderr, Log: a.Log(), Orphan: orphan, TTL: ttl, Beside: idle.Watch{Getenv: a.Getenv}.Beside}
				if code := w.Work(ctx, o); code != 0 {
					return app.Exit(code)
				}
				return nil
			}
			if code := executor.Work(ctx, store, all.All(), o, a.Secret, a.Stdout.Out); code != 0 {
				return app.Exit(code)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Run, "run", "", "")
	cmd.Flags().StringVar(&o.Stage, "stage", "", "")
	cmd.Flags().IntVar(&o.Attempt, "attempt", 0, "")
	cmd.Flags().StringVar(&o.Digest, "digest", "", "")
	cmd.Flags().StringVar(&c.StoreKey, "store-key", "", "")
	cmd.Flags().StringArrayVar(&c.StoreKeysAccepted, "store-key-accepted", nil, "")
	cmd.Flags().BoolVar(&away, "elsewhere", false, "")
	cmd.Flags().DurationVar(&orphan, "orphan", 0, "")
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "")
	cmd.Flags().BoolVar(&o.Preflight, "preflight", false, "")
	trying.add(cmd)
	return cmd
}
