package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Follower prints the logs of a run while it goes on, from nothing but its store.
type Follower struct {
	Store *storage.Store
	Run   string
	// Stage and Attempt restrict it to one stage and one try; zero is all.
	Stage   string
	Attempt int
	Out     io.Writer
	// Line, if not nil, writes a line of a log in another form; an empty text leaves it
	// out. Without it lines are as they are stored, below a heading for each log.
	Line func(stage string, attempt int, line string) string
	// Poll is how often the store is asked; 0 means every second.
	Poll time.Duration
	// TTL of the run's leases; 0 means LeaseTTL.
	TTL time.Duration

	printed map[logOf]int // the last piece of each log
	silent  map[logOf]int // polls without a new one
	polls   int
	last    logOf    // the log that Out stands in
	order   []string // of the stages in the run
}

type logOf struct {
	stage   string
	attempt int
}

// ErrRunnerGone says that a run has no end and nobody works on it.
var ErrRunnerGone = errors.New("its runner is gone")

// Until prints until the run has ended and returns its record. If the runner
// is gone, the error is ErrRunnerGone, after all that it left was printed.
func (f *Follower) Until(ctx context.Context) (Record, error) {
	liveness := &Liveness{Store: f.Store, Run: f.Run, TTL: f.TTL}
	for {
		// The end is asked for first: what is printed after it is the whole.
		record, ended := LoadRecord(ctx, f.Store, f.Run)
		if ended != nil && !errors.Is(ended, storage.ErrNotFound) {
			return record, ended
		}
		alive, holder := true, storage.Holder{}
		if ended != nil {
			var err error
			if alive, holder, err = liveness.Alive(ctx); err != nil {
				return record, err
			}
		}
		if err := f.print(ctx, ended == nil || !alive); err != nil {
			return record, err
		}
		switch {
		case ended == nil:
			return record, nil
		case !alive:
			// It may have ended between the two questions.
			if record, err := LoadRecord(ctx, f.Store, f.Run); err == nil {
				return record, f.Print(ctx)
			}
			return record, fmt.Errorf("run %s has no end, and %w (%s)", f.Run, ErrRunnerGone, holder)
		}
		select {
		case <-ctx.Done():
			return record, context.Cause(ctx)
		case <-time.After(cmp.Or(f.Poll, time.Second)):
		}
	}
}

// Print prints what has come since it was called last.
func (f *Follower) Print(ctx context.Context) error { return f.print(ctx, true) }

// print asks for all logs, or leaves out some of those that were silent for
// long: most belong to stages that have ended.
func (f *Follower) print(ctx context.Context, all bool) error {
	if f.printed == nil {
		f.printed, f.silent = map[logOf]int{}, map[logOf]int{}
	}
	f.polls++
	tries, err := Attempts(ctx, f.Store, f.Run)
	if err != nil {
		return err
	}
	for _, stage := range f.inOrder(ctx, tries) {
		if f.Stage != "" && stage != f.Stage {
			continue
		}
		for n := 1; n <= tries[stage]; n++ {
			if f.Attempt != 0 && n != f.Attempt {
				continue
			}
			of := logOf{stage, n}
			if !all && f.polls%(1<<min(f.silent[of]/4, 4)) != 0 {
				continue
			}
			before := f.printed[of]
			f.printed[of], err = CopyLog(ctx, f.Store, f.Run, stage, n, before, &headedWriter{f, of})
			if err != nil {
				return err
			}
			f.silent[of]++
			if f.printed[of] != before {
				f.silent[of] = 0
			}
		}
	}
	return nil
}

// inOrder lists the stages that were tried as the run has them.
func (f *Follower) inOrder(ctx context.Context, tries map[string]int) []string {
	if len(f.order) == 0 {
		if resolved, err := LoadResolved(ctx, f.Store, f.Run); err == nil {
			f.order = resolved.Order
		}
	}
	return slices.SortedFunc(maps.Keys(tries), func(a, b string) int {
		return cmp.Or(cmp.Compare(uint(slices.Index(f.order, a)), uint(slices.Index(f.order, b))), cmp.Compare(a, b))
	})
}

// headedWriter says whose lines follow when that changes.
type headedWriter struct {
	f  *Follower
	of logOf
}

func (w *headedWriter) Write(p []byte) (int, error) {
	if w.f.Line != nil {
		for line := range strings.Lines(string(p)) {
			if text := w.f.Line(w.of.stage, w.of.attempt, strings.TrimSuffix(line, "\n")); text != "" {
				if _, err := fmt.Fprintln(w.f.Out, text); err != nil {
					return 0, err
				}
			}
		}
		return len(p), nil
	}
	if w.f.last != w.of {
		if _, err := fmt.Fprintf(w.f.Out, "== %s, attempt %d\n", w.of.stage, w.of.attempt); err != nil {
			return 0, err
		}
		w.f.last = w.of
	}
	return w.f.Out.Write(p)
}
