package promotion

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Record is a move of an alias as commands show it.
type Record struct {
	Model    string    `json:"model"`
	Alias    string    `json:"alias"`
	Number   int       `json:"number"` // 1 is the first move of the alias
	When     time.Time `json:"when"`   // by the clock of the mover
	Who      string    `json:"who"`
	From     *int      `json:"from"` // version; null if the alias was new or could not be read
	To       int       `json:"to"`
	Why      string    `json:"why"`
	Run      string    `json:"run"` // that published the version
	Rollback bool      `json:"rollback"`
}

// Recorded returns the last moves of an alias of a model, of all its aliases if alias is
// empty: newest first, most at most; 0 is all. Moves that cannot be read are told by the
// error, beside all others.
func Recorded(ctx context.Context, store *storage.Store, name, alias string, most int) ([]Record, error) {
	registry := models.In(store)
	names := []string{alias}
	if alias == "" {
		var err error
		if names, err = registry.AliasNames(ctx, name); err != nil {
			return nil, err
		}
	}
	var out []Record
	var broken []error
	for _, alias := range names {
		moves, err := registry.History(ctx, name, alias, most)
		if err != nil && !storage.DamagedOrUntrusted(err) {
			return nil, err
		}
		broken = append(broken, err)
		for _, m := range moves {
			out = append(out, record(name, alias, m))
		}
	}
	slices.SortStableFunc(out, func(a, b Record) int {
		if a.Alias == b.Alias {
			return 0 // their numbers say, whatever the clocks of their movers said
		}
		return b.When.Compare(a.When)
	})
	if most > 0 {
		out = out[:min(most, len(out))]
	}
	return out, errors.Join(broken...)
}

func record(name, alias string, m models.Move) Record {
	r := Record{Model: name, Alias: alias, Number: m.Number, When: m.Moved, Who: m.Who, To: m.Version, Why: m.Why, Run: m.Run, Rollback: m.Rollback}
	if m.From > 0 {
		r.From = &m.From
	}
	return r
}
