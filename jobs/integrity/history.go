package integrity

import (
	"context"
	"errors"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

var errMove = errors.New("no past move of an alias has such a name")

// readHistory reads the past moves of the aliases of a model.
func (c *check) readHistory(ctx context.Context, model string, all []storage.Info) error {
	for _, info := range all {
		parts := strings.Split(info.Key, "/")
		if len(parts) != 5 {
			c.unvouched()
			continue
		}
		number, ok := models.ParseMove(parts[4])
		if !ok || !models.ValidAlias(parts[3]) {
			c.foreign(info.Key, errMove)
			continue
		}
		m, err := models.In(c.Store).MoveAt(ctx, model, parts[3], number)
		c.mu.Lock()
		c.models.moves[info.Key] = true
		if err == nil {
			c.models.noteMove(model, parts[3], info.Key, m)
		}
		c.mu.Unlock()
		if err := c.read(info, err); err != nil {
			return err
		}
	}
	return nil
}

// noteMove notes which move comes before one. The caller holds the lock.
func (r *registry) noteMove(model, alias, key string, m models.Move) {
	if n := m.Previous(); n > 0 {
		r.follow[models.MoveKey(model, alias, n)] = key
	}
}

// checkHistory demands the moves that others follow.
func (c *check) checkHistory(ctx context.Context) error {
	for key, by := range c.models.follow {
		if c.models.moves[key] {
			continue
		}
		if err := c.demand(ctx, Fault{Key: key, NamedBy: by}); err != nil {
			return err
		}
	}
	return nil
}
