package jobs

import (
	"context"
	"encoding/json"
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

// openRecords writes what a reader of the run wants to see while it goes on.
func (r *run) openRecords(ctx context.Context) error {
	if err := runs.SavePlan(ctx, r.Store, r.id, r.g.Plan.Source); err != nil {
		return err
	}
	resolved := runs.Resolved{
		Plan: r.g.Plan.Name, PlanDigest: r.g.Plan.Digest, Command: r.Command, Args: r.Args, Version: r.Version, Started: r.started,
		Order: r.g.Names(), Stages: map[string]runs.ResolvedStage{},
	}
	for _, node := range r.g.Nodes {
		resolved.Stages[node.Name] = runs.ResolvedStage{Kind: node.Kind.Name, Options: node.Decoded.All, External: node.External, Device: node.Device, Needs: node.Needs}
	}
	if err := runs.SaveResolved(ctx, r.Store, r.id, resolved); err != nil {
		return err
	}
	r.mu.Lock()
	r.journal = runs.OpenJournal(context.WithoutCancel(ctx), r.Store, r.Log, r.id)
	r.mu.Unlock()
	return nil
}

// takeOver records what the store already knows of a node that does not run.
func (r *run) takeOver(node *graph.Node, d *evaluate.Decision) {
	r.mu.Lock()
	r.decisions[node.Name] = d
	r.mu.Unlock()
	fill := func(res *runs.StageResult) {
		res.Key = d.Key
		if d.Manifest != nil {
			res.Device, res.Outputs = d.Manifest.Device, outputsOf(d.Manifest)
		}
	}
	switch d.State {
	case runs.Cached:
		r.changeState(node, runs.Cached, d.Reason, fill)
	case runs.Failed:
		err := executor.FromManifest(d.Manifest).Err
		r.recordError(node, err)
		r.changeState(node, runs.Failed, d.Reason, func(res *runs.StageResult) { fill(res); res.Error = err.Error() })
	case runs.Skipped:
		r.changeState(node, runs.Skipped, d.Reason, fill)
	default:
		r.changeState(node, runs.Skipped, NotSelected, fill)
	}
}

// recordOutcome records how a node ended.
func (r *run) recordOutcome(ctx context.Context, node *graph.Node, o executor.Outcome, began time.Time) {
	if o.Manifest != nil {
		err := evaluate.SaveLast(context.WithoutCancel(ctx), r.Store, r.g.Plan.Name, node.Name, node.Kind.Name, o.Manifest.Key)
		if err != nil {
			r.Log.Warn("could not note the last run of a stage", "stage", node.Name, "error", err)
		}
		r.mu.Lock()
		r.keptWork = true
		r.decisions[node.Name] = &evaluate.Decision{State: o.State, Key: o.Manifest.Key, Manifest: o.Manifest}
		r.mu.Unlock()
	}
	if o.Err != nil {
		r.recordError(node, o.Err)
	}
	r.changeState(node, o.State, o.Reason, func(res *runs.StageResult) {
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

// recordError keeps the error of a node for the run's result.
func (r *run) recordError(node *graph.Node, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs[node.Name] = err
}

func outputsOf(m *storage.Manifest) map[string]runs.OutputResult {
	out := map[string]runs.OutputResult{}
	for _, a := range m.Outputs {
		out[a.Name] = runs.OutputResult{Digest: a.Digest, Size: a.Size, Volatile: a.Volatile}
	}
	return out
}

// finish closes the run's records and returns its result. The context tells
// whether the run was asked to end.
func (r *run) finish(ctx context.Context) *runs.Result {
	res := r.result(ctx)
	r.emit(runs.Event{Type: runs.EventResult, Result: res})
	r.mu.Lock()
	journal := r.journal
	r.journal = nil
	r.mu.Unlock()
	if journal != nil {
		journal.Close()
	}
	record := runs.Record{Result: *res, Plan: r.g.Plan.Name, Started: r.started, Finished: time.Now().UTC(), Version: r.Version, Command: r.Command, Args: r.Args}
	if err := runs.SaveRecord(context.WithoutCancel(ctx), r.Store, record); err != nil {
		r.Log.Warn("could not store the run's record", "error", err)
	}
	return res
}

// result says how the run ended: as its first stage that failed in the plan's
// order, else as what ended the context before all stages were done.
func (r *run) result(ctx context.Context) *runs.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	unfinished := false
	res := &runs.Result{Run: &r.id, Stages: make([]runs.StageResult, len(r.g.Nodes))}
	state := runs.Succeeded
	for i, name := range r.g.Names() {
		stage := *r.results[name]
		res.Stages[i] = stage
		// A signal between two stages interrupts no stage, only the run.
		unfinished = unfinished || stage.State == runs.Interrupted || stage.State == runs.Skipped && r.selected[name] && ctx.Err() != nil
		err := r.errs[name]
		// Who ended the run without waiting did so for all of its stages.
		twice := errors.Is(err, executor.ErrAborted) && res.Code == stages.CodeInterrupted
		if err != nil && (res.Error == "" || twice) {
			res.Code, res.Error, res.Hint = executor.Code(err), err.Error(), executor.Hint(err)
			state = stage.State
			if errors.Is(err, executor.ErrDeadline) || errors.Is(err, stages.ErrMoney) {
				res.Code = r.deadlineCode()
			}
		}
	}
	if res.Code == stages.CodeDone && unfinished {
		res.Code, res.Error = stages.CodeInterrupted, stages.ErrInterrupted.Error()
		if cancelled := (*runs.CancelledError)(nil); errors.As(context.Cause(ctx), &cancelled) {
			res.Error = cancelled.Error()
		}
		if errors.Is(context.Cause(ctx), executor.ErrDeadline) {
			res.Code, res.Error = r.deadlineCode(), executor.ErrDeadline.Error()
		}
	}
	res.Class, res.Retryable = res.Code.Class(), executor.Retryable(res.Code, state)
	// Whoever repeats such a run by itself would spend max_cost again and again.
	res.Retryable = res.Retryable && !slices.ContainsFunc(r.g.Names(), func(name string) bool { return errors.Is(r.errs[name], stages.ErrMoney) })
	if res.Code != stages.CodeDone && r.Continue != nil {
		res.Continue = r.Continue(res.Stages)
	}
	res.Figures, res.Cost = r.figures(), r.cost()
	return res
}

// figures gathers what stages noted for lists of runs. A note is a stage's word, and a
// stored one may be anybody's: what is no figure is left out.
func (r *run) figures() *runs.Figures {
	var out runs.Figures
	for _, name := range r.g.Names() {
		d := r.decisions[name]
		if d == nil || d.Manifest == nil {
			continue
		}
		if text, ok := d.Manifest.Notes[stages.NoteRelease].(string); ok {
			out.Model = text
		}
		noted, err := json.Marshal(d.Manifest.Notes[stages.NoteFigures])
		var measured stages.Figures
		if err == nil && json.Unmarshal(noted, &measured) == nil && measured.On != "" {
			out.On, out.MacroF1, out.Gain, out.Heads, out.Languages, out.Device = measured.On, measured.MacroF1, measured.Gain, measured.Heads, measured.Languages, d.Manifest.Device
		}
	}
	if out.Model == "" && out.On == "" {
		return nil
	}
	return &out
}

// deadlineCode is the code of a run that its deadline ended: one that kept some
// of its work was interrupted, the same command continues it.
func (r *run) deadlineCode() stages.Code {
	if r.keptWork {
		return stages.CodeInterrupted
	}
	return stages.CodeDeadline
}

// emit stores an event and tells the observer.
func (r *run) emit(e runs.Event) {
	e.Time, e.Run = time.Now().UTC(), r.id
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.journal != nil && e.Type != runs.EventProgress {
		r.journal.Write(e)
	}
	r.Observer.Observe(e)
}

// changeState moves a node and tells the observer.
func (r *run) changeState(node *graph.Node, s runs.State, reason string, change func(*runs.StageResult)) {
	r.reportState(node, runs.Event{State: &s, Reason: reason}, change)
}

// reportState is changeState with an event that says more.
func (r *run) reportState(node *graph.Node, e runs.Event, change func(*runs.StageResult)) {
	r.mu.Lock()
	res := r.results[node.Name]
	s := *e.State
	res.State = s
	if e.Reason != "" {
		res.Reason = e.Reason
	}
	if change != nil {
		change(res)
	}
	e.Type, e.Stage, e.Reason, e.Attempt, e.Seconds = runs.EventState, node.Name, res.Reason, res.Attempt, res.Seconds
	e.Cost = res.Cost
	if s == runs.Failed || s == runs.Lost || s == runs.Interrupted {
		e.Message = res.Error
	}
	r.mu.Unlock()
	r.emit(e)
}

// nodeSink turns what an attempt reports into events and a stored log.
type nodeSink struct {
	run     *run
	node    *graph.Node
	attempt int
	log     *runs.Log
}

func (s *nodeSink) Progress(p stages.Progress) {
	s.run.emit(runs.Event{Type: runs.EventProgress, Stage: s.node.Name, Attempt: s.attempt, Progress: &p})
}

func (s *nodeSink) Note(name string, value any) {
	s.run.spending.noted(s.node.Name, name, value)
	if limit, ok := value.(string); ok && name == executor.NoteEndedBy {
		s.run.mu.Lock()
		s.run.results[s.node.Name].EndedBy = limit
		s.run.mu.Unlock()
	}
	text := fmt.Sprint(value)
	if m, ok := value.(map[string]any); ok {
		parts := make([]string, 0, len(m))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			parts = append(parts, fmt.Sprintf("%s %v", k, m[k]))
		}
		text = strings.Join(parts, ", ")
	}
	s.line(slog.LevelInfo, name+": "+text)
	s.run.emit(runs.Event{Type: runs.EventNote, Stage: s.node.Name, Attempt: s.attempt, Note: name, Message: name + ": " + text})
}

func (s *nodeSink) Log(level slog.Level, text string) {
	s.line(level, text)
	s.run.emit(runs.Event{Type: runs.EventLog, Stage: s.node.Name, Attempt: s.attempt, Level: runs.LevelName(level), Notable: level >= stages.LevelNotable, Message: text})
}

func (s *nodeSink) line(level slog.Level, text string) {
	if s.log != nil {
		s.log.Write(level, text)
	}
}
