package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// moveDigits is how many digits at least the number of a move is written with, so that
// a store lists them in their order.
const moveDigits = 9

// historyFolder is the prefix of the keys of the past moves of an alias.
func historyFolder(name, alias string) string { return "models/" + name + "/history/" + alias + "/" }

// MoveKey is the key of a past move of an alias.
func MoveKey(name, alias string, number int) string {
	return historyFolder(name, alias) + fmt.Sprintf("%0*d", moveDigits, number)
}

// ParseMove reads the number of a past move, the last part of its key; ok is false if
// text is none.
func ParseMove(text string) (number int, ok bool) { return storage.ParseNumber(text, moveDigits) }

// MoveAt returns a past move of an alias; ErrNotFound if there is none of that number.
func (r Registry) MoveAt(ctx context.Context, name, alias string, number int) (Move, error) {
	m, _, err := r.moveAt(ctx, name, alias, number)
	return m, err
}

// moveAt is MoveAt with the version of the record, which a corrupt one has as well.
func (r Registry) moveAt(ctx context.Context, name, alias string, number int) (Move, string, error) {
	return storage.ReadAs(ctx, r.store, "read history", MoveKey(name, alias, number), func(body []byte, m *Move) error {
		if err := decodeMove(body, m); err != nil {
			return err
		}
		if m.Number != number {
			return fmt.Errorf("it is move %d", m.Number)
		}
		return nil
	})
}

// follow numbers the move that follows the last one of an alias, after that one is in
// the history; the zero Move is that of an alias which is new or cannot be read. A move
// is written there once, and whoever comes later finds it.
func (r Registry) follow(ctx context.Context, name, alias string, last Move, next *Move) error {
	if last.Version == 0 {
		known, err := r.lastNumber(ctx, name, alias)
		if err != nil {
			return err
		}
		if next.Number = 1; known > 0 {
			// What could not be read may have been the move after the last known one.
			next.Number, next.Before = known+2, known
		}
		return storage.CheckNumber("the history of an alias", aliasKey(name, alias), next.Number)
	}
	for range 20 {
		if last.Number == 0 {
			if err := r.number(ctx, name, alias, &last); err != nil {
				return err
			}
		}
		next.Number = last.Number + 1
		if err := storage.CheckNumber("the history of an alias", aliasKey(name, alias), next.Number); err != nil {
			return err
		}
		body, err := json.Marshal(last)
		if err != nil {
			return err
		}
		key := MoveKey(name, alias, last.Number)
		if err = r.store.Create(ctx, key, body); !errors.Is(err, storage.ErrExists) {
			return err
		}
		there, at, err := r.moveAt(ctx, name, alias, last.Number)
		switch {
		case err == nil && there.same(last):
			return nil
		case err == nil:
			last.Number = 0 // the number is that of another move: the alias was set back to an older record
		case errors.Is(err, storage.ErrCorrupt) && at != "":
			if _, err = r.store.Swap(ctx, key, at, body); !errors.Is(err, storage.ErrStale) {
				return err
			}
		case !errors.Is(err, storage.ErrNotFound):
			return err
		}
	}
	return &storage.Error{Op: "write history", Key: historyFolder(name, alias), Class: storage.ErrTransient}
}

// number finds the number of a move that was written without one, or whose number is
// another's.
func (r Registry) number(ctx context.Context, name, alias string, m *Move) error {
	m.Number, m.Before = 1, 0
	known, err := r.lastNumber(ctx, name, alias)
	if err != nil || known == 0 {
		return err
	}
	there, err := r.MoveAt(ctx, name, alias, known)
	if err == nil && there.same(*m) {
		*m = there // another mover has written it
		return nil
	}
	if err != nil && !storage.MissingOrDamaged(err) {
		return err
	}
	m.Number, m.Before = known+2, known
	return nil
}

// lastNumber is the highest number of the past moves of an alias; 0 if there are none.
func (r Registry) lastNumber(ctx context.Context, name, alias string) (int, error) {
	numbers, err := r.moveNumbers(ctx, name, alias)
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	return numbers[len(numbers)-1], nil
}

// moveNumbers are the numbers of the past moves of an alias that the store has, in order.
func (r Registry) moveNumbers(ctx context.Context, name, alias string) ([]int, error) {
	var out []int
	prefix := historyFolder(name, alias)
	for info, err := range r.store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if n, ok := ParseMove(strings.TrimPrefix(info.Key, prefix)); ok {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// AliasNames lists the aliases that a model has, or had.
func (r Registry) AliasNames(ctx context.Context, name string) ([]string, error) {
	seen := map[string]bool{}
	for info, err := range r.store.List(ctx, "models/"+name+"/aliases/") {
		if err != nil {
			return nil, err
		}
		seen[strings.TrimPrefix(info.Key, "models/"+name+"/aliases/")] = true
	}
	for folder, err := range r.store.Folders(ctx, "models/"+name+"/history/") {
		if err != nil {
			return nil, err
		}
		seen[folder] = true
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(seen)), func(alias string) bool { return !ValidAlias(alias) }), nil
}

// readingMoves is how many past moves are read at once: a store far away answers each
// slowly.
const readingMoves = 16

// History returns the last moves of an alias, newest first, most at most; 0 is all. The
// first is what the alias names, unless it is gone or cannot be read. Moves that cannot be
// read are told by the error, beside all others. ErrNotFound if there never was such an
// alias.
func (r Registry) History(ctx context.Context, name, alias string, most int) ([]Move, error) {
	if !ValidName(name) || !ValidAlias(alias) {
		return nil, fmt.Errorf("storage: %q is no alias of a model %q", alias, name)
	}
	now, _, err := r.alias(ctx, name, alias)
	var broken []error
	switch {
	case storage.DamagedOrUntrusted(err):
		broken = append(broken, err)
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return nil, err
	}
	numbers, listErr := r.moveNumbers(ctx, name, alias)
	if listErr != nil {
		return nil, listErr
	}
	if err != nil && len(numbers) == 0 {
		return nil, err
	}
	if most > 0 && len(numbers) > most {
		numbers = numbers[len(numbers)-most:]
	}
	past, errs := make([]Move, len(numbers)), make([]error, len(numbers))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readingMoves)
	for i, n := range numbers {
		group.Go(func() error {
			past[i], errs[i] = r.MoveAt(reading, name, alias, n)
			if errs[i] != nil && !storage.DamagedOrUntrusted(errs[i]) && !errors.Is(errs[i], storage.ErrNotFound) {
				return errs[i]
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	broken = append(broken, errs...)
	var out []Move
	for _, m := range slices.Backward(past) {
		switch {
		case m.Version == 0:
		case now.Version > 0 && m.same(now):
			now.Number = m.Number // whoever wanted to replace it has written it before
		default:
			out = append(out, m)
		}
	}
	if now.Version > 0 {
		if now.Number == 0 {
			now.Number = 1
			if len(out) > 0 {
				now.Number, now.Before = out[0].Number+2, out[0].Number
			}
		}
		out = slices.Insert(out, 0, now)
	}
	if most > 0 {
		out = out[:min(most, len(out))]
	}
	return out, errors.Join(broken...)
}

// EarlierVersion returns the version that a rollback of an alias goes to, the one that it
// named before the one it names now; 0 if there is none. A version that was rolled back
// from since is none: after a rollback the next one goes further back.
func (r Registry) EarlierVersion(ctx context.Context, name, alias string) (int, error) {
	at, err := r.Alias(ctx, name, alias)
	if err != nil {
		return 0, err
	}
	// want is how far the walk back is, left is what the alias left and leaves.
	want, left := at.Version, map[int]bool{at.Version: true}
	for {
		if at.Rollback {
			left[at.From] = true
		} else if at.Version == want { // how the alias first came to where it was rolled back to
			if want = at.From; !left[want] {
				return want, nil
			}
		}
		if at.Previous() == 0 {
			return 0, nil
		}
		if at, err = r.MoveAt(ctx, name, alias, at.Previous()); err != nil {
			return 0, err
		}
	}
}
