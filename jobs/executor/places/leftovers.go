package places

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// Leftover is a job that is at an executor of the config, or a failure to find or to end
// some.
type Leftover struct {
	Executor string
	executor.Listed
	Owner remote.Owner
	// Ended says that it was ended, Err why it was not, or why the place does not tell.
	Ended bool
	Err   error

	version string // of the lease by which Owner was judged
	place   executor.Provider
}

// Leftovers are the jobs at the executors of a config.
type Leftovers struct {
	All []Leftover
	// TTL is how long a lease may go without being renewed; 0 means runs.LeaseTTL.
	TTL time.Duration

	o       Options
	closers []io.Closer
}

// FindLeftovers asks the executors of these names, all at once, which jobs they have, and
// the store who waits for these. A place that is not reached is one of them; what is wrong
// with the config is the error. Of o it needs no program. Close them.
func FindLeftovers(ctx context.Context, o Options, ttl time.Duration, names []string) (*Leftovers, error) {
	l := &Leftovers{o: o, TTL: cmp.Or(ttl, runs.LeaseTTL)}
	found := make([][]Leftover, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		place, err := l.open(name)
		if executor.Code(err) == stages.CodeUsage {
			all.Wait()
			return nil, errors.Join(err, l.Close())
		}
		if err != nil {
			found[i] = []Leftover{{Executor: name, Err: err}}
			continue
		}
		all.Go(func() { found[i] = listAt(ctx, name, place) })
	}
	all.Wait()
	var ids []string
	for _, at := range found {
		l.All = append(l.All, at...)
		for i := range at {
			if at[i].Err == nil {
				ids = append(ids, at[i].ID)
			}
		}
	}
	owners, versions, err := remote.Owners(ctx, o.Store, l.TTL, ids)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	for i := range l.All {
		l.All[i].Owner, l.All[i].version = owners[l.All[i].ID], versions[l.All[i].ID]
	}
	return l, nil
}

// open makes the provider of an executor.
func (l *Leftovers) open(name string) (executor.Provider, error) {
	switch {
	case name == Local || name == Auto:
		return nil, &diagnostic.UsageError{Message: name + " names no place elsewhere: workers of this machine end with their runner", Hint: "name an executor of the config, or none for all"}
	case l.o.Config.Executors[name] == nil:
		return nil, unknown(l.o.Config, name)
	}
	common, err := l.o.Config.ExecutorOptions(name)
	if err != nil {
		return nil, err
	}
	place, err := openProvider(l.o.Config, name, common.Kind, l.o)
	if err != nil {
		return nil, err
	}
	if closer, ok := place.(io.Closer); ok {
		l.closers = append(l.closers, closer)
	}
	return place, nil
}

// listTime is how long a place may take to answer; one that does not hides no other.
const listTime = 3 * time.Minute

func listAt(ctx context.Context, name string, place executor.Provider) (out []Leftover) {
	lister, ok := place.(executor.Lister)
	if !ok {
		return []Leftover{{Executor: name, Err: stages.Fail(stages.CodeEnvironment, "", "the kind of this executor cannot list its jobs")}}
	}
	limited, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	jobs, err := lister.List(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		err = stages.Lose(stages.CodeEnvironment, "`sprint doctor --executor "+name+"` tries it", "%s does not answer within %s", name, listTime)
	}
	for _, j := range jobs {
		out = append(out, Leftover{Executor: name, Listed: j, place: place})
	}
	if err != nil {
		out = append(out, Leftover{Executor: name, Err: err})
	}
	return out
}

// End ends those for which nobody waits, and with live those of this store's live runs too;
// what another store may know stays. Where jobs are named it ends exactly these, whoever
// waits for them. What a runner has begun to wait for since they were found stays, unless it
// is named.
func (l *Leftovers) End(ctx context.Context, live bool, named []string) {
	var all sync.WaitGroup
	for i := range l.All {
		j := &l.All[i]
		is := slices.Contains(named, j.ID)
		if j.Err != nil || !is && (len(named) > 0 || j.Owner != remote.OwnerNobody && (!live || j.Owner != remote.OwnerRunner)) {
			continue
		}
		all.Go(func() { j.Err = l.end(ctx, j, live || is); j.Ended = j.Err == nil })
	}
	all.Wait()
}

func (l *Leftovers) end(ctx context.Context, j *Leftover, whoever bool) error {
	if !whoever {
		same, err := remote.Unchanged(ctx, l.o.Store, j.ID, j.version)
		if err != nil {
			return err
		}
		if !same {
			return stages.Fail(stages.CodeLease, "run the same command again", "a runner waits for it since")
		}
	}
	common, err := l.o.Config.ExecutorOptions(j.Executor)
	if err != nil {
		return err
	}
	if err := j.place.Cancel(ctx, j.Handle, common.Limits.Grace); err != nil {
		return fmt.Errorf("end %s: %w", j.ID, err)
	}
	return nil
}

// Close ends the connections to places.
func (l *Leftovers) Close() error {
	var errs []error
	for _, c := range l.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
