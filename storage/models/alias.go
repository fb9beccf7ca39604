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

// Alias is a movable name of a version.
type Alias struct {
	Version int       `json:"version"`
	Moved   time.Time `json:"moved"`
}

// aliasKey is the key of an alias.
func aliasKey(name, alias string) string { return "models/" + name + "/aliases/" + alias }

// alias reads an alias and the version of its record. A corrupt one has a version
// as well, so that a Swap can replace it.
func (r Registry) alias(ctx context.Context, name, alias string) (Alias, string, error) {
	if !ValidName(alias) {
		return Alias{}, "", fmt.Errorf("storage: %q is no alias", alias)
	}
	return storage.ReadAs(ctx, r.store, "read alias", aliasKey(name, alias), func(body []byte, a *Alias) error {
		if err := json.Unmarshal(body, a); err != nil {
			return err
		}
		if a.Version < 1 || a.Version > storage.MaxNumber {
			return fmt.Errorf("it names version %d, which none can be", a.Version)
		}
		return nil
	})
}

// Alias returns what an alias names; ErrNotFound if there is none.
func (r Registry) Alias(ctx context.Context, name, alias string) (Alias, error) {
	a, _, err := r.alias(ctx, name, alias)
	return a, err
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
	a, _, err := r.alias(ctx, name, alias)
	if storage.MissingOrDamaged(err) {
		return 0, nil
	}
	return a.Version, err
}

// SetAlias moves an alias to a version that exists.
func (r Registry) SetAlias(ctx context.Context, name, alias string, version int) error {
	_, err := r.moveAlias(ctx, name, alias, version, func(int) bool { return false })
	return err
}

// AdvanceAlias is SetAlias for a publisher that saw the alias name the version
// seen before (0: none) and may have been paused since: an alias that another
// publisher has moved to a later version than its own stays. It returns the
// version that the alias names in the end.
func (r Registry) AdvanceAlias(ctx context.Context, name, alias string, version, seen int) (int, error) {
	return r.moveAlias(ctx, name, alias, version, func(now int) bool { return now != seen && now > version })
}

// moveAlias moves an alias unless it stays where it is now.
func (r Registry) moveAlias(ctx context.Context, name, alias string, version int, stays func(now int) bool) (int, error) {
	if !ValidAlias(alias) {
		return 0, fmt.Errorf("storage: %q is no alias: use a word, not a number", alias)
	}
	if _, _, err := r.releaseAt(ctx, name, version); err != nil {
		return 0, err
	}
	body, err := json.Marshal(Alias{Version: version, Moved: time.Now().UTC()})
	if err != nil {
		return 0, err
	}
	for range 20 {
		now, at, err := r.alias(ctx, name, alias)
		if err != nil && !errors.Is(err, storage.ErrNotFound) && !(errors.Is(err, storage.ErrCorrupt) && at != "") {
			return 0, err
		}
		if err == nil && (now.Version == version || stays(now.Version)) {
			return now.Version, nil
		}
		if _, err = r.store.Swap(ctx, aliasKey(name, alias), at, body); !errors.Is(err, storage.ErrStale) {
			return version, err
		}
	}
	return 0, &storage.Error{Op: "move alias", Key: aliasKey(name, alias), Class: storage.ErrTransient}
}
