package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// leaseTTL is how long a lease of a mirror stands without a sign of its holder.
const leaseTTL = time.Minute

// Pusher brings the mirrors of models up to date with a store. It may be ended and begun
// again at any time: nothing is doubled.
type Pusher struct {
	Store *storage.Store
	// Open makes the registry of a target. It resolves the secret.
	Open func(stages.Mirror) (Registry, error)
	// Check, where it is given, refuses a release, which is then shown nowhere.
	Check func(ctx context.Context, r models.Release) error
	// Source is the address of the store, by which others read it too; empty if they cannot.
	Source string
	// Plan is the name of the plan that lists the mirrors; empty notes nobody.
	Plan string
	Log  *slog.Logger
	// TTL is that of the lease by which one at a time works on a mirror; 0 is a minute.
	TTL time.Duration
}

// Push shows at each target every release of a model that an alias names, and makes the
// aliases there name what they name in the store. What came of each is in its state, which
// is kept in the store; the error is about the store, or ctx's.
func (p Pusher) Push(ctx context.Context, model string, targets []stages.Mirror) ([]State, error) {
	var out []State
	for _, target := range targets {
		s, err := p.one(ctx, model, target)
		if err != nil {
			return out, err
		}
		out = append(out, s)
	}
	return out, p.drop(ctx, model, targets)
}

// one brings one mirror up to date.
func (p Pusher) one(ctx context.Context, model string, target stages.Mirror) (State, error) {
	u, err := target.Address()
	if err != nil {
		return State{}, err
	}
	waiting, stop := context.WithTimeout(ctx, target.Timeout)
	defer stop()
	lease, err := p.acquire(waiting, model, u.String())
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		// Who works on it keeps its state; what is said here is for whoever waited.
		s, _, err := load(ctx, p.Store, model, u.String())
		s.Error = fmt.Sprintf("another process works on it, for longer than %s", target.Timeout)
		return s, err
	}
	if err != nil {
		return State{}, err
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }() // a lease that stays is taken over later
	// What is known is read under the lease, as another may just have been there.
	s, _, err := load(ctx, p.Store, model, u.String())
	if err != nil {
		return s, err
	}
	s.Remarks, s.Tried = nil, time.Now().UTC()
	s.Plan, s.Dropped, s.Forgotten = p.Plan, time.Time{}, false
	trying, cancel := context.WithTimeout(ctx, target.Timeout)
	defer cancel()
	held, taken := whileHeld(trying, lease)
	defer taken()
	registry, err := p.Open(target)
	if err == nil {
		err = p.follow(held, registry, model, &s)
		if r, ok := registry.(Remarker); ok {
			for _, text := range slices.Compact(slices.Sorted(slices.Values(r.Remarks()))) {
				s.remark(text)
			}
		}
	}
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	if errors.Is(context.Cause(held), errTaken) {
		s.Error = errTaken.Error() // whoever took it keeps its state
		return s, nil
	}
	if storeError := (*storage.Error)(nil); errors.As(err, &storeError) {
		p.Log.Warn("a release cannot be read for its mirror", "model", model, "error", err)
	}
	switch {
	case err == nil:
		s.Tries, s.Error = 0, ""
	case trying.Err() != nil:
		s.Tries, s.Error = s.Tries+1, cut(fmt.Sprintf("it did not end in %s: %v", target.Timeout, err))
	default:
		s.Tries, s.Error = s.Tries+1, cut(err.Error())
	}
	return s, s.save(ctx, p.Store, model)
}

// errTaken ends the work on a mirror on which another works by now: this process was paused
// for longer than its lease stands. Two at once could show a release twice.
var errTaken = errors.New("another process took it over, as this one gave no sign for longer than its lease stands")

// whileHeld is a context that ends, by errTaken, when the lease is lost. stop ends the watch.
func whileHeld(ctx context.Context, lease *storage.Lease) (held context.Context, stop func()) {
	held, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-lease.Lost():
			cancel(errTaken)
		case <-held.Done():
		}
	}()
	return held, func() { cancel(nil) }
}

// follow makes a registry show what the store has, and notes in s what it shows.
func (p Pusher) follow(ctx context.Context, registry Registry, model string, s *State) error {
	aliases, err := aliasesOf(ctx, p.Store, model)
	if err != nil {
		return err
	}
	var failed []failure
	for _, version := range slices.Sorted(maps.Keys(aliases)) {
		r, err := models.In(p.Store).ReleaseAt(ctx, model, version)
		if err == nil && p.Check != nil {
			err = p.Check(ctx, r)
		}
		if err == nil {
			bring := p.show
			if listens(registry) {
				bring = p.tell
			}
			err = bring(ctx, registry, p.release(r, s), slices.Sorted(slices.Values(aliases[version])), s)
		}
		// What is wrong with one version must not hold the others back.
		if err != nil {
			failed = addFailure(failed, fmt.Sprintf("%s@%d", model, version), err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	var out []error
	for _, f := range failed {
		out = append(out, fmt.Errorf("%s: %w", strings.Join(f.releases, ", "), f.err))
	}
	return errors.Join(out...)
}

// failure is what went wrong with releases.
type failure struct {
	releases []string
	err      error
}

// addFailure notes what went wrong with a release. What did with others is said once: a
// registry that is down is so for each of them.
func addFailure(all []failure, release string, err error) []failure {
	for i := range all {
		if all[i].err.Error() == err.Error() {
			all[i].releases = append(all[i].releases, release)
			return all
		}
	}
	return append(all, failure{[]string{release}, err})
}

// show pushes one release and makes its aliases name it.
func (p Pusher) show(ctx context.Context, registry Registry, r Release, aliases []string, s *State) error {
	if err := registry.Push(ctx, r); err != nil {
		return err
	}
	s.Versions[r.Version] = r.Digest
	for _, alias := range aliases {
		was, err := registry.Point(ctx, alias, r)
		if err != nil {
			return fmt.Errorf("alias %s: %w", alias, err)
		}
		if before := s.Versions[s.Aliases[alias]]; was != r.Digest && was != before {
			s.remark(moved(alias, was, before, r.Version))
		}
		s.Aliases[alias] = r.Version
	}
	return nil
}

// listens reports whether a registry is told, and cannot be asked.
func listens(r Registry) bool {
	l, ok := r.(Listener)
	return ok && l.Listens()
}

// tell tells a listener of the aliases of which it has not heard that they name the release.
// What it has heard is kept at once, so that whoever is killed later does not tell it again.
func (p Pusher) tell(ctx context.Context, registry Registry, r Release, aliases []string, s *State) error {
	for _, alias := range aliases {
		if s.Aliases[alias] == r.Version && s.Versions[r.Version] == r.Digest {
			continue
		}
		if _, err := registry.Point(ctx, alias, r); err != nil {
			return fmt.Errorf("alias %s: %w", alias, err)
		}
		s.Aliases[alias], s.Versions[r.Version] = r.Version, r.Digest
		if err := s.save(context.WithoutCancel(ctx), p.Store, r.Name); err != nil {
			return err
		}
	}
	return nil
}

// moved says that an alias there was not where it had been left.
func moved(alias, was, before string, version int) string {
	switch {
	case was == "":
		return fmt.Sprintf("alias %s was deleted there; it names version %d again", alias, version)
	case before == "":
		return fmt.Sprintf("alias %s named %s there before; it names version %d now", alias, was, version)
	}
	return fmt.Sprintf("alias %s was moved there by somebody else, to %s; it names version %d again", alias, was, version)
}

func (s *State) remark(text string) {
	if len(s.Remarks) < maxRemarks {
		s.Remarks = append(s.Remarks, cut(text))
	}
}

func (p Pusher) release(r models.Release, s *State) Release {
	out := Release{Release: r, Open: p.open, Known: func(ctx context.Context, digest string) (bool, error) {
		if slices.Contains(slices.Collect(maps.Values(s.Versions)), digest) {
			return true, nil
		}
		all, err := models.In(p.Store).Releases(ctx, r.Name)
		known := slices.ContainsFunc(all, func(r models.Release) bool { return r.Digest == digest })
		if known {
			err = nil // whatever is wrong with others
		}
		return known, err
	}}
	if p.Source != "" {
		out.Source = strings.TrimSuffix(p.Source, "/") + "/" + strings.TrimSuffix(models.FileKey(r.Name, r.Version, ""), "/")
	}
	return out
}

// open reads a file of a release from the blob that it is a copy of.
func (p Pusher) open(ctx context.Context, e storage.TreeEntry) (io.ReadCloser, error) {
	r, err := p.Store.Get(ctx, e.Digest, e.Size)
	if err != nil {
		return nil, err
	}
	return newVerified(r), nil
}

// acquire takes the lease of a mirror of a model.
func (p Pusher) acquire(ctx context.Context, model, target string) (*storage.Lease, error) {
	return p.Store.Await(ctx, "mirror/"+model+"."+ID(target), storage.Self(), cmp.Or(p.TTL, leaseTTL), nil)
}
