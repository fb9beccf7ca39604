package care

import (
	"context"
	"os"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/places"
)

// elsewhere tries an executor of the config by its name: the store is opened, the place
// reached, and what it has is printed. It submits no job.
func (d *doctor) elsewhere(ctx context.Context, name string) error {
	s, err := d.a.OpenStore(ctx, d.cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	all, e, err := places.Open(places.Options{Config: d.cfg, Store: s, Environ: d.a.Env, Log: d.a.Log(), Program: program}, name)
	if err != nil {
		return err
	}
	defer func() {
		if err := all.Close(); err != nil {
			d.a.Log().Debug("a connection did not end", "error", err)
		}
	}()
	if err := e.Probe(ctx, func(what, text string) { d.line(true, what, text, "") }); err != nil {
		if ctx.Err() != nil {
			return err
		}
		d.line(false, name, err.Error(), executor.Hint(err))
		return nil
	}
	d.line(true, name, "takes jobs", "")
	return nil
}
