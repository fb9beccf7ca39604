// Package promotion moves aliases of published models, and says who moved them before:
//
//   - promotion.go: a promotion and a rollback
//   - smoke.go: a release is tried before an alias moves to it
//   - result.go: which version a run published, if all of it is done
//   - record.go: the moves of aliases, as commands show them
package promotion

import (
	"context"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Request asks for a move of an alias.
type Request struct {
	Name, Alias string
	// Version is a number or an alias. A rollback without one goes to the version that
	// the alias named before.
	Version string
	// From, unless it is empty, is what the alias must name when it moves: a number, an
	// alias, or "none".
	From string
	Who  string
	Why  string
	// Try, unless it is nil, is called before the alias moves; it does not where Try fails.
	Try func(ctx context.Context, r models.Release) error
}

// Moved is what came of a request.
type Moved struct {
	models.Move
	// Already says that the alias named the version before.
	Already bool
}

// Promote moves an alias to a release that is there. Mistakes in the request are
// *diagnostic.UsageError; that something which it names is not there is a Failure of
// CodeEnvironment; that somebody else moved the alias since it was looked at, or
// that it does not name what it should, is a Failure of CodePublish.
func Promote(ctx context.Context, store *storage.Store, q Request) (Moved, error) {
	if q.Version == "" {
		return Moved{}, &diagnostic.UsageError{Message: fmt.Sprintf("which version of %s?", q.Name), Hint: known(ctx, store, q.Name)}
	}
	return move(ctx, store, q, false)
}

// Rollback moves an alias back to a version that it named before, as Promote does.
func Rollback(ctx context.Context, store *storage.Store, q Request) (Moved, error) {
	return move(ctx, store, q, true)
}

func move(ctx context.Context, store *storage.Store, q Request, back bool) (Moved, error) {
	if err := q.check(ctx, store); err != nil {
		return Moved{}, err
	}
	registry := models.In(store)
	seen, err := registry.LastMove(ctx, q.Name, q.Alias)
	if err != nil {
		return Moved{}, err
	}
	if back {
		if q.Version, err = earlier(ctx, store, q, seen); err != nil {
			return Moved{}, err
		}
	}
	to, err := release.Find(ctx, store, q.Name, q.Version)
	if err != nil {
		return Moved{}, err
	}
	if q.From != "" {
		if err := q.compare(ctx, store, seen); err != nil {
			return Moved{}, err
		}
	}
	if q.Try != nil {
		if err := q.Try(ctx, to); err != nil {
			return Moved{}, err
		}
	}
	why := models.Reason{Who: q.Who, Why: q.Why, Run: runOf(to), Rollback: back}
	now, err := registry.MoveAlias(ctx, q.Name, q.Alias, to.Version, seen, why)
	if lost := (*models.MovedError)(nil); errors.As(err, &lost) {
		return Moved{}, stages.Fail(stages.CodePublish, fmt.Sprintf("`%s` says who and why; then decide again", commandline.Of("models", "history", q.Name)), "%w", err)
	}
	if err == nil && seen.Version == 0 {
		// A first move leaves no other trace should its alias be lost. The alias is moved,
		// whatever comes of this.
		_ = registry.KeepMove(ctx, q.Name, q.Alias)
	}
	return Moved{Move: now, Already: seen.Version == to.Version}, err
}

// check refuses what no store can hold.
func (q Request) check(ctx context.Context, store *storage.Store) error {
	if q.Name == "" {
		return &diagnostic.UsageError{Message: "which model?", Hint: known(ctx, store, q.Name)}
	}
	if !models.ValidName(q.Name) {
		return absent(ctx, store, q.Name, "no model %.80q", q.Name)
	}
	if !models.ValidAlias(q.Alias) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%.80q is no alias", q.Alias), Hint: "use a word of a-z, 0-9, dot, dash and underscore, not a number"}
	}
	if err := (models.Reason{Why: q.Why}).Check(); err != nil {
		return &diagnostic.UsageError{Message: "--why: " + err.Error()}
	}
	return nil
}

// compare refuses the request if the alias names something else than it demands.
func (q Request) compare(ctx context.Context, store *storage.Store, seen models.Move) error {
	want := 0
	if q.From != "none" {
		from, err := release.Find(ctx, store, q.Name, q.From)
		if err != nil && (errors.Is(err, storage.ErrNotFound) || !errors.As(err, new(*storage.Error))) && ctx.Err() == nil {
			return absent(ctx, store, q.Name, "--from %.80s: %s has no version or alias %[1]s, so its alias %[3]s cannot name it", q.From, q.Name, q.Alias)
		}
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		want = from.Version
	}
	if seen.Version == want {
		return nil
	}
	return stages.Fail(stages.CodePublish, fmt.Sprintf("`%s` says who and why; then decide again", commandline.Of("models", "history", q.Name)),
		"alias %s of %s does not name what --from demands (%s): %s", q.Alias, q.Name, q.From, seen)
}

// earlier is the version that a rollback goes to.
func earlier(ctx context.Context, store *storage.Store, q Request, seen models.Move) (string, error) {
	if seen.Version == 0 {
		return "", absent(ctx, store, q.Name, "%s has no alias %s that could go back", q.Name, q.Alias)
	}
	if q.Version != "" {
		return q.Version, nil
	}
	version, err := models.In(store).EarlierVersion(ctx, q.Name, q.Alias)
	switch {
	case err != nil && !storage.MissingOrDamaged(err):
		return "", err
	case err != nil:
		return "", stages.Fail(stages.CodeIntegrity, "--to says which version it shall be; "+known(ctx, store, q.Name), "what alias %s of %s named before cannot be read: %w", q.Alias, q.Name, err)
	case version == 0:
		return "", stages.Fail(stages.CodeEnvironment, "--to says which version it shall be; "+known(ctx, store, q.Name), "alias %s of %s named no version before %d that was not rolled back from", q.Alias, q.Name, seen.Version)
	}
	return fmt.Sprint(version), nil
}

// absent is the failure for something of a model that the store has not.
func absent(ctx context.Context, store *storage.Store, name, format string, args ...any) error {
	return release.Absent(ctx, models.In(store), name, fmt.Errorf(format, args...))
}

// known names the versions of a model that there are.
func known(ctx context.Context, store *storage.Store, name string) string {
	return release.Known(ctx, models.In(store), name)
}

// runOf is the run that published a release; empty if nobody said.
func runOf(r models.Release) string {
	run := r.Facts().Run
	if (models.Reason{Run: run}).Check() != nil {
		return ""
	}
	return run
}
