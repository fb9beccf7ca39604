package storeio

import (
	"context"
	"log/slog"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Checkpoints keeps partial work of one key in the store.
type Checkpoints struct {
	Store     *storage.Store
	Kind, Key string
	Log       *slog.Logger
	// Saved, if set, is told the step of every checkpoint that is durable.
	Saved func(step int64)
}

var _ stages.Checkpoints = (*Checkpoints)(nil)

// Save stores the files of dir as the checkpoint of step.
func (c *Checkpoints) Save(ctx context.Context, step int64, dir string) error {
	if err := c.Store.SaveCheckpoint(ctx, c.Kind, c.Key, step, dir); err != nil {
		return err
	}
	if c.Saved != nil {
		c.Saved(step)
	}
	return nil
}

// Restore fetches the newest good checkpoint that usable accepts into dir.
func (c *Checkpoints) Restore(ctx context.Context, dir string, usable func(step int64) error) (int64, error) {
	return c.Store.RestoreCheckpoint(ctx, c.Kind, c.Key, dir, c.Log, usable)
}
