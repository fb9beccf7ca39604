package care

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/trial"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/probe"
)

func doctorCommand(a *app.App) *cobra.Command {
	var install bool
	var elsewhere string
	var f app.PlanFlags
	cmd := &cobra.Command{
		Use: "doctor [PLAN]", Short: "Check devices, memory, disk, store, encoder, plugin and caches, and a plan's sources; a fix per line", Args: cobra.MaximumNArgs(1),
		Long: `Check what a run needs. With --store URL the store's semantics are tried for
real; with --install the pinned encoder and the device's plugin are fetched.

With a PLAN the sources of its rows are tried too: files are opened, objects of a
store looked up, and GDELT is asked once, in its turn of this machine's requests.

With --executor NAME a job runs at that executor of the config, for some seconds
that a landlord bills: it opens the device, uses the store, compares clocks, and
looks for disk, quota, secrets and the encoder, with a PLAN as its stages demand.
It ends within the limits that are printed, or by Ctrl-C, and leaves nothing there
but the program; --install fetches encoder and plugin there.`,
		Example: "  sprint doctor\n  sprint doctor plan.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			d := &doctor{a: a}
			if err := d.read(cmd, args, &f, elsewhere != ""); err != nil {
				return err
			}
			if d.plan != nil {
				defer d.plan.Close(a.Log())
			}
			if elsewhere != "" {
				if err := d.elsewhere(ctx, elsewhere, install); err != nil {
					return app.Interrupted(ctx, err)
				}
				return d.end()
			}
			if install {
				if err := d.install(ctx); err != nil {
					return app.Interrupted(ctx, err)
				}
			}
			d.devices(ctx)
			d.machine()
			d.encoders(ctx)
			d.caches()
			d.store(ctx, cmd.Flags().Lookup("store").Changed)
			if d.plan != nil {
				d.sources(ctx)
			}
			return d.end()
		},
	}
	f.Add(cmd)
	a.JSONFlag(cmd, "one JSON object per finding")
	cmd.Flags().StringVar(&elsewhere, "executor", "", "try this executor of the config by a job that runs there, and nothing of this machine")
	cmd.Flags().BoolVar(&install, "install", false, "fetch the pinned encoder and the device's plugin")
	return cmd
}

// end is code 4 if something that is needed is missing.
func (d *doctor) end() error {
	if d.bad > 0 {
		return app.Exit(stages.CodeEnvironment)
	}
	return nil
}

// doctor prints one line per thing that a run needs.
type doctor struct {
	a    *app.App
	cfg  *config.Config
	plan *app.Compiled // nil without a plan
	bad  int
}

// read reads the config, and the plan if one is named, resolved if its encoders are asked for.
func (d *doctor) read(cmd *cobra.Command, args []string, f *app.PlanFlags, resolve bool) (err error) {
	if len(args) > 0 {
		if d.plan, err = d.a.Compile(cmd.Context(), cmd, app.PlanArg(args), f, resolve); err == nil {
			d.cfg = d.plan.Config
		}
		return err
	}
	for _, name := range []string{"set", "values"} {
		if cmd.Flags().Changed(name) {
			return &diagnostic.UsageError{Message: "--" + name + " changes a plan, and none is named", Hint: "name it: sprint doctor plan.yaml"}
		}
	}
	d.cfg, _, err = d.a.LoadConfig(cmd, "")
	return err
}

func (d *doctor) line(ok bool, what, text, fix string) {
	mark := "ok  "
	if !ok {
		mark = "BAD "
		d.bad++
	}
	d.print(mark, what, text, fix)
}

// hint is for what is missing but not needed.
func (d *doctor) hint(what, text, fix string) { d.print("--  ", what, text, fix) }

// finding is a line of doctor -o json.
type finding struct {
	What  string `json:"what"`
	State string `json:"state"` // ok, bad, or missing where it is not needed
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"`
}

func (d *doctor) print(mark, what, text, fix string) {
	if d.a.AsJSON {
		state := map[string]string{"ok  ": "ok", "BAD ": "bad"}[mark]
		_ = json.NewEncoder(d.a.Stdout).Encode(finding{what, cmp.Or(state, "missing"), text, fix}) // Flush tells
		return
	}
	fmt.Fprintf(d.a.Stdout, "%s%-9s %s\n", mark, what, text)
	if fix != "" {
		fmt.Fprintf(d.a.Stdout, "              fix: %s\n", fix)
	}
}

func (d *doctor) deviceOptions() device.Options {
	return device.Options{CacheDir: d.cfg.Cache, Offline: d.cfg.Offline, Log: d.a.Log(), Announce: func(s string) { fmt.Fprintln(d.a.Stderr, s) }}
}

func (d *doctor) install(ctx context.Context) error {
	announce := func(s string) { fmt.Fprintln(d.a.Stderr, s) }
	o := encoder.Options{CacheDir: d.cfg.Cache, Offline: d.cfg.Offline, Log: d.a.Log(), Announce: announce}
	for _, name := range encoder.Known() {
		id, err := encoder.Resolve(ctx, name, o)
		if err == nil {
			_, err = encoder.Fetch(ctx, id, o)
		}
		if err != nil {
			return stages.Fail(stages.CodeEnvironment, "", "install the encoder %s: %w", name, err)
		}
	}
	for _, info := range device.List(ctx, d.deviceOptions()) {
		if info.Name == device.Go || !device.Pinned(info.Name) || info.Name == device.CUDA && strings.Contains(info.Err, "no NVIDIA") {
			continue
		}
		if _, err := device.Install(ctx, info.Name, d.deviceOptions()); err != nil {
			return stages.Fail(stages.CodeEnvironment, "", "install the plugin of device %s: %w", info.Name, err)
		}
	}
	return nil
}

func (d *doctor) devices(ctx context.Context) {
	for _, info := range device.List(ctx, d.deviceOptions()) {
		text := strings.TrimSpace(fmt.Sprintf("%s %s %s", info.Name, info.Plugin, info.PluginVersion))
		if info.Err != "" {
			fix := ""
			if info.Name == device.CPU && strings.Contains(info.Err, "not installed") { // else the error says what to do
				fix = "sprint doctor --install"
			}
			d.hint("device", text+": "+info.Err, fix)
			continue
		}
		if info.Path != "" {
			text += " in " + info.Path
		}
		d.line(true, "device", text, "")
	}
}

func (d *doctor) encoders(ctx context.Context) {
	o := encoder.Options{CacheDir: d.cfg.Cache, Offline: true}
	for _, name := range encoder.Known() {
		id, err := encoder.Resolve(ctx, name, o)
		if err == nil && encoder.Cached(id, o) {
			d.line(true, "encoder", name+" is in the cache", "")
		} else {
			d.hint("encoder", name+" is not in the cache; run fetches it when a plan needs it", "sprint doctor --install")
		}
	}
}

// need is the free disk below which a run may fail.
const need = 2 << 30

func (d *doctor) machine() {
	if total, free := device.MachineMemory(); total > 0 {
		fix := ""
		if free < 2<<30 {
			fix = "close other programs, or lower train.batch_tokens"
		}
		d.line(free >= 1<<30, "memory", fmt.Sprintf("%s available of %s; MiniLM trains in about 2.5 GB", app.Size(free), app.Size(total)), fix)
	}
	for _, x := range []struct{ what, dir string }{{"disk", "."}, {"scratch", os.TempDir()}} {
		if free, ok := trial.Free(x.dir); ok {
			fix := ""
			if free < need {
				fix = "free some space, or set TMPDIR and --store to another disk"
			}
			d.line(free >= need, x.what, fmt.Sprintf("%s free in %s", app.Size(free), x.dir), fix)
		}
	}
}

func (d *doctor) caches() {
	_, err := os.Stat(d.cfg.Cache)
	if failed := trial.Folder(d.cfg.Cache); failed != nil {
		what, fix := fmt.Sprintf("%s cannot be written: %v", d.cfg.Cache, failed), "name a folder of yours: --cache FOLDER"
		if err == nil {
			d.hint("cache", what+"; what it lacks cannot be fetched", fix)
			return
		}
		d.line(false, "cache", what, fix)
		return
	}
	var total int64
	_ = filepath.WalkDir(d.cfg.Cache, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if fi, err := e.Info(); err == nil {
				total += fi.Size()
			}
		}
		return nil
	})
	d.line(true, "cache", fmt.Sprintf("%s in %s (free it with: rm -rf %s)", app.Size(total), d.cfg.Cache, commandline.Quote(d.cfg.Cache)), "")
}

func (d *doctor) store(ctx context.Context, full bool) {
	// Looking makes nothing: what is not there yet is made by what keeps something.
	if folder, local := storage.Folder(d.cfg.Store); local {
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			if err := trial.Folder(folder); err != nil {
				d.line(false, "store", fmt.Sprintf("%s is not there, and cannot be made: %v", folder, err), "name a folder of yours: --store FOLDER")
				return
			}
			d.hint("store", folder+" is not there; the first run would make it", "")
			return
		}
	}
	s, err := d.a.OpenStore(ctx, d.cfg)
	if err != nil {
		d.line(false, "store", err.Error(), cmp.Or(executor.Hint(err), "check --store and the credentials"))
		return
	}
	defer s.Close()
	for _, err := range s.List(ctx, "probe") { // what cannot be reached is said once, not by each probe
		if err != nil {
			fix, _, _ := strings.Cut(executor.Hint(err), "; `sprint doctor") // which this is
			d.line(false, "store", err.Error(), fix)
			return
		}
		break
	}
	if !full {
		if err := probe.Quick(ctx, s.Bucket); err != nil {
			d.line(false, "store", err.Error(), "sprint doctor --store URL shows more")
			return
		}
		d.line(true, "store", s.URL()+" can be written, read and created in", "")
		return
	}
	if !d.a.AsJSON {
		fmt.Fprintf(d.a.Stdout, "    %-9s %s\n", "store", s.URL())
	}
	for _, p := range probe.Run(ctx, s.Bucket) {
		switch {
		case p.Err != nil:
			d.line(false, "store", fmt.Sprintf("%s: %v", p.Name, p.Err), "share no such store between processes: "+p.Means)
		case p.Untried != "":
			d.hint("store", fmt.Sprintf("%s: not tried, %s", p.Name, p.Untried), "")
		default:
			d.line(true, "store", fmt.Sprintf("%-19s %s", p.Name, p.Means), "")
		}
	}
}
