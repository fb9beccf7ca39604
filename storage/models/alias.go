package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// aliasKey is the key of an alias.
func aliasKey(name, alias string) string { return "models/" + name + "/aliases/" + alias }

// alias reads the last move of an alias and the version of its record. A corrupt one
// has a version as well, so that a Swap can replace it.
func (r Registry) alias(ctx context.Context, name, alias string) (Move, string, error) {
	if !ValidName(alias) {
		return Move{}, "", fmt.Errorf("storage: %q is no alias", alias)
	}
	return storage.ReadAs(ctx, r.store, "read alias", aliasKey(name, alias), decodeMove)
}

// Alias returns the last move of an alias, which says what it names; ErrNotFound if
// there is none.
func (r Registry) Alias(ctx context.Context, name, alias string) (Move, error) {
	m, _, err := r.alias(ctx, name, alias)
	return m, err
}

// Aliases returns the aliases of a name by the version that they name, sorted. Broken
// ones are told by the error, beside all others, as Releases tells of releases.
func (r Registry) Aliases(ctx context.Context, name string) (map[int][]string, error) {
	out := map[int][]string{}
	var broken []error
	prefix := "models/" + name + "/aliases/"
	for info, err := range r.store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		alias := strings.TrimPrefix(info.Key, prefix)
		if !ValidAlias(alias) {
			continue
		}
		switch a, _, err := r.alias(ctx, name, alias); {
		case err == nil:
			out[a.Version] = append(out[a.Version], alias)
		case storage.DamagedOrUntrusted(err):
			broken = append(broken, err)
		case !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
	}
	return out, errors.Join(broken...)
}

// AliasVersion returns the version that an alias names; 0 if there is no alias
// that could be read.
func (r Registry) AliasVersion(ctx context.Context, name, alias string) (int, error) {
	m, err := r.LastMove(ctx, name, alias)
	return m.Version, err
}

// LastMove returns the last move of an alias; the zero Move if there is no alias that
// could be read.
func (r Registry) LastMove(ctx context.Context, name, alias string) (Move, error) {
	m, _, err := r.alias(ctx, name, alias)
	if storage.MissingOrDamaged(err) {
		return Move{}, nil
	}
	return m, err
}

// SetAlias moves an alias to a version that exists, whatever it names.
func (r Registry) SetAlias(ctx context.Context, name, alias string, version int) error {
	_, err := r.moveAlias(ctx, name, alias, version, Reason{}, func(Move) (bool, error) { return false, nil })
	return err
}

// AdvanceAlias is SetAlias for a publisher that saw the alias name the version
// seen before (0: none) and may have been paused since: an alias that another
// publisher has moved to a later version than its own stays. It returns the
// version that the alias names in the end.
func (r Registry) AdvanceAlias(ctx context.Context, name, alias string, version, seen int, why Reason) (int, error) {
	m, err := r.moveAlias(ctx, name, alias, version, why, func(now Move) (bool, error) {
		return now.Version != seen && now.Version > version, nil
	})
	return m.Version, err
}

// KeepMove writes the last move of an alias into its history, where else only moves before
// the last are: whoever finds the alias gone knows then that there was one.
func (r Registry) KeepMove(ctx context.Context, name, alias string) error {
	last, _, err := r.alias(ctx, name, alias)
	if err != nil {
		return err
	}
	return r.follow(ctx, name, alias, last, &Move{})
}

// MovedError says that somebody else has moved an alias since its mover saw it.
type MovedError struct {
	Name, Alias string
	Now         Move
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("alias %s of %s was moved meanwhile, %s", e.Alias, e.Name, e.Now)
}

// MoveAlias moves an alias to a version that exists, if its last move is still the one
// that the caller has seen, as LastMove returns it; else the error is a *MovedError. An
// alias that names the version by now stays, whoever moved it. It returns the last move
// of the alias in the end.
func (r Registry) MoveAlias(ctx context.Context, name, alias string, version int, seen Move, why Reason) (Move, error) {
	return r.moveAlias(ctx, name, alias, version, why, func(now Move) (bool, error) {
		if !now.same(seen) {
			return true, &MovedError{Name: name, Alias: alias, Now: now}
		}
		return false, nil
	})
}

// moveAlias moves an alias unless it stays where it is now. stays is given the zero Move
// where there is no alias that could be read.
//
// The write of the alias is the move: what it replaces is in the history before, so
// that whoever is killed between the two leaves a history that says what was.
func (r Registry) moveAlias(ctx context.Context, name, alias string, version int, why Reason, stays func(now Move) (bool, error)) (Move, error) {
	if !ValidAlias(alias) {
		return Move{}, fmt.Errorf("storage: %q is no alias: use a word, not a number", alias)
	}
	if err := why.Check(); err != nil {
		return Move{}, err
	}
	if _, _, err := r.releaseAt(ctx, name, version); err != nil {
		return Move{}, err
	}
	for range 20 {
		now, at, err := r.alias(ctx, name, alias)
		if err != nil && !errors.Is(err, storage.ErrNotFound) && !(errors.Is(err, storage.ErrCorrupt) && at != "") {
			return Move{}, err
		}
		if now.Version == version {
			return now, nil
		}
		if stay, err := stays(now); stay || err != nil {
			return now, err
		}
		next := Move{From: now.Version, Version: version, Moved: time.Now().UTC(), Reason: why}
		if err := r.follow(ctx, name, alias, now, &next); err != nil {
			return Move{}, err
		}
		body, err := json.Marshal(next)
		if err != nil {
			return Move{}, err
		}
		if _, err = r.store.Swap(ctx, aliasKey(name, alias), at, body); !errors.Is(err, storage.ErrStale) {
			return next, err
		}
	}
	return Move{}, &storage.Error{Op: "move alias", Key: aliasKey(name, alias), Class: storage.ErrTransient}
}
