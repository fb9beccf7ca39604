package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func (u *run) emit(e runs.Event) {
	e.Time, e.Run = time.Now().UTC(), u.id
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.journal != nil && e.Type != runs.EventProgress {
		u.journal.Write(e)
	}
	u.Observer.Observe(e)
}

// state moves a task and tells the observer.
func (u *run) state(t *graph.Node, s runs.State, reason string, change func(*runs.StageResult)) {
	u.tell(t, runs.Event{State: &s, Reason: reason}, change)
}

// tell is state with an event that says more.
func (u *run) tell(t *graph.Node, e runs.Event, change func(*runs.StageResult)) {
	u.mu.Lock()
	res := u.results[t.Name]
	s := *e.State
	res.State = s
	if e.Reason != "" {
		res.Reason = e.Reason
	}
	if change != nil {
		change(res)
	}
	e.Type, e.Stage, e.Reason, e.Attempt, e.Seconds = runs.EventState, t.Name, res.Reason, res.Attempt, res.Seconds
	if s == runs.Failed || s == runs.Lost || s == runs.Interrupted {
		e.Message = res.Error
	}
	u.mu.Unlock()
	u.emit(e)
}

// settle takes over what the store already knows of a task.
func (u *run) settle(t *graph.Node, v *evaluate.Decision) {
	u.mu.Lock()
	u.known[t.Name] = v
	u.mu.Unlock()
	fill := func(res *runs.StageResult) {
		res.Key = v.Key
		if v.Manifest != nil {
			res.Device, res.Outputs = v.Manifest.Device, outputsOf(v.Manifest)
		}
	}
	switch v.State {
	case runs.Cached:
		u.state(t, runs.Cached, v.Reason, fill)
	case runs.Failed:
		err := executor.FromManifest(v.Manifest).Err
		u.fail(t, err)
		u.state(t, runs.Failed, v.Reason, func(res *runs.StageResult) { fill(res); res.Error = err.Error() })
	case runs.Skipped:
		u.state(t, runs.Skipped, v.Reason, fill)
	default:
		u.state(t, runs.Skipped, notSelected, fill)
	}
}

func outputsOf(m *storage.Manifest) map[string]runs.OutputResult {
	out := map[string]runs.OutputResult{}
	for _, a := range m.Outputs {
		out[a.Name] = runs.OutputResult{Digest: a.Digest, Size: a.Size, Volatile: a.Volatile}
	}
	return out
}

func (u *run) fail(t *graph.Node, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.errs[t.Name] = err
}

// begin writes what a reader of the run wants to see while it goes on.
func (u *run) begin(ctx context.Context) error {
	if err := runs.SavePlan(ctx, u.Store, u.id, u.g.Plan.Source); err != nil {
		return err
	}
	resolved := runs.Resolved{
		Plan: u.g.Plan.Name, PlanDigest: u.g.Plan.Digest, Command: u.Command, Args: u.Args, Version: u.Version, Started: u.started,
		Order: u.g.Names(), Stages: map[string]runs.ResolvedStage{},
	}
	for _, t := range u.g.Nodes {
		resolved.Stages[t.Name] = runs.ResolvedStage{Kind: t.Kind.Name, Options: t.Decoded.All, External: t.External, Device: t.Device, Needs: t.Needs}
	}
	if err := runs.SaveResolved(ctx, u.Store, u.id, resolved); err != nil {
		return err
	}
	u.mu.Lock()
	u.journal = runs.OpenJournal(context.WithoutCancel(ctx), u.Store, u.Log, u.id)
	u.mu.Unlock()
	return nil
}

// end records how a task ended.
func (u *run) end(ctx context.Context, t *graph.Node, o executor.Outcome, began time.Time) {
	if o.Manifest != nil {
		err := evaluate.SaveLast(context.WithoutCancel(ctx), u.Store, u.g.Plan.Name, t.Name, t.Kind.Name, o.Manifest.Key)
		if err != nil {
			u.Log.Warn("could not note the last run of a stage", "stage", t.Name, "error", err)
		}
		u.mu.Lock()
		u.kept = true
		u.known[t.Name] = &evaluate.Decision{State: o.State, Key: o.Manifest.Key, Manifest: o.Manifest}
		u.mu.Unlock()
	}
	if o.Err != nil {
		u.fail(t, o.Err)
	}
	u.state(t, o.State, o.Reason, func(res *runs.StageResult) {
		res.Seconds = time.Since(began).Seconds()
		res.Error = ""
		if o.Err != nil {
			res.Error = o.Err.Error()
		}
		if o.Manifest != nil {
			res.Device, res.Outputs = o.Manifest.Device, outputsOf(o.Manifest)
		}
	})
}

// finish closes the run's records and makes its result.
func (u *run) finish(ctx context.Context) *runs.Result {
	caller := ctx
	ctx = context.WithoutCancel(ctx)
	interrupted, stopped := false, false
	res := &runs.Result{Run: &u.id, Stages: make([]runs.StageResult, len(u.g.Nodes))}
	state := runs.Succeeded
	byIndex := slices.SortedFunc(slices.Values(u.g.Nodes), func(a, b *graph.Node) int { return a.Index - b.Index })
	u.mu.Lock()
	for i, t := range byIndex {
		res.Stages[i] = *u.results[t.Name]
		interrupted = interrupted || u.results[t.Name].State == runs.Interrupted
		// A signal between two stages interrupts no stage, only the run.
		stopped = stopped || u.results[t.Name].State == runs.Skipped && u.selected[t.Name] && caller.Err() != nil
		err := u.errs[t.Name]
		// Who ended the run without waiting did so for all of its stages.
		twice := errors.Is(err, executor.ErrAborted) && res.Code == stages.CodeInterrupted
		if err != nil && (res.Error == "" || twice) {
			res.Code, res.Error, res.Hint = executor.Code(err), err.Error(), executor.Hint(err)
			state = u.results[t.Name].State
			if errors.Is(err, executor.ErrDeadline) {
				res.Code = stages.CodeInterrupted
				if !u.kept {
					res.Code = stages.CodeDeadline
				}
			}
		}
	}
	u.mu.Unlock()
	if res.Code == 0 && (interrupted || stopped) {
		res.Code, res.Error = stages.CodeInterrupted, stages.ErrInterrupted.Error()
		if cancelled := (*runs.CancelledError)(nil); errors.As(context.Cause(caller), &cancelled) {
			res.Error = cancelled.Error()
		}
		if errors.Is(context.Cause(caller), executor.ErrDeadline) {
			res.Error = executor.ErrDeadline.Error()
			if !u.kept {
				res.Code = stages.CodeDeadline
			}
		}
	}
	res.Class, res.Retryable = res.Code.Class(), executor.Retryable(res.Code, state)
	if res.Code != 0 {
		res.Continue = u.Continue
	}
	u.emit(runs.Event{Type: runs.EventResult, Result: res})
	u.mu.Lock()
	journal := u.journal
	u.journal = nil
	u.mu.Unlock()
	if journal != nil {
		journal.Close()
	}
	err := runs.SaveRecord(ctx, u.Store, runs.Record{Result: *res, Plan: u.g.Plan.Name, Started: u.started, Finished: time.Now().UTC(), Version: u.Version, Command: u.Command, Args: u.Args})
	if err != nil {
		u.Log.Warn("could not store the run's record", "error", err)
	}
	return res
}

// taskSink turns what an attempt reports into events and a stored log.
type taskSink struct {
	u       *run
	t       *graph.Node
	attempt int
	log     *runs.Log
}

func (s *taskSink) Progress(p stages.Progress) {
	s.u.emit(runs.Event{Type: runs.EventProgress, Stage: s.t.Name, Attempt: s.attempt, Progress: &p})
}

func (s *taskSink) Note(name string, value any) {
	text := fmt.Sprint(value)
	if m, ok := value.(map[string]any); ok {
		parts := make([]string, 0, len(m))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, fmt.Sprintf("%s %v", k, m[k]))
		}
		text = strings.Join(parts, ", ")
	}
	s.line(slog.LevelInfo, name+": "+text)
	s.u.emit(runs.Event{Type: runs.EventNote, Stage: s.t.Name, Attempt: s.attempt, Message: name + ": " + text})
}

func (s *taskSink) Log(level slog.Level, text string) {
	s.line(level, text)
	s.u.emit(runs.Event{Type: runs.EventLog, Stage: s.t.Name, Attempt: s.attempt, Level: level.String(), Message: text})
}

func (s *taskSink) line(level slog.Level, text string) {
	if s.log != nil {
		s.log.Write(level, text)
	}
}
