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
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Selection restricts a run to a part of the graph.
type Selection struct {
	Only     []string // these alone
	From     string   // this and what follows from it
	Until    string   // this and what it needs
	Force    []string // run these although they are done
	ForceAll bool     // force everything selected
}

// Runner walks a graph: it decides what runs when, retries what was lost, and
// reports every change of state.
type Runner struct {
	Store    *storage.Store
	Executor Executor
	Observer Observer
	Log      *slog.Logger

	Parallel  int
	KeepGoing bool
	Select    Selection
	Deadline  time.Duration
	CacheDir  string
	Offline   bool
	Version   string
	// Command is the command line of this run, for the record; Continue the
	// one that does what is left.
	Command, Continue string
	// Args are the words of Command after the program, for `sprint retry`.
	Args []string
	// TTL of leases; 0 means 20 s.
	TTL time.Duration
	// Backoff is the wait before the first retry; 0 means 1 s.
	Backoff time.Duration
}

// run is one evaluation of a graph.
type run struct {
	*Runner
	id       string
	g        *Graph
	selected map[string]bool
	force    map[string]bool
	started  time.Time
	journal  *chunk

	mu      sync.Mutex
	results map[string]*StageResult
	known   map[string]*Verdict
	errs    map[string]error
	kept    bool // something of this run will not have to be done again
}

// Run brings the selected tasks up to date. The error is set only if no run
// began; all else is in the result.
func (r *Runner) Run(ctx context.Context, g *Graph) (*Result, error) {
	u := &run{Runner: r, g: g, started: time.Now().UTC(), results: map[string]*StageResult{}, known: map[string]*Verdict{}, errs: map[string]error{}}
	if r.TTL == 0 {
		r.TTL = 20 * time.Second
	}
	if r.Backoff == 0 {
		r.Backoff = time.Second
	}
	if err := u.choose(); err != nil {
		return nil, err
	}
	u.id = NewRunID(u.started)
	if r.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, u.started.Add(r.Deadline), ErrDeadline)
		defer cancel()
	}
	evaluator := Evaluator{Store: r.Store, Force: u.force}
	evaluation, err := evaluator.Evaluate(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, t := range g.Tasks {
		u.results[t.Name] = &StageResult{Name: t.Name, Kind: t.Kind.Name, State: Pending}
	}
	u.emit(Event{Type: EventRun, Stages: g.Names()})
	if !u.work(evaluation) {
		for _, t := range g.Tasks {
			u.settle(t, evaluation.Tasks[t.Name])
		}
		return u.finish(ctx), nil
	}
	if err := r.Store.ProbeQuick(ctx); err != nil {
		return nil, err
	}
	if err := u.begin(ctx); err != nil {
		return nil, err
	}
	if err := u.preflight(ctx, evaluation); err == nil {
		u.walk(ctx, evaluator)
	}
	return u.finish(ctx), nil
}

// choose works out which tasks are selected and which are forced.
func (u *run) choose() error {
	known := u.g.Names()
	check := func(flag string, names ...string) error {
		for _, n := range names {
			if n != "" && !slices.Contains(known, n) {
				return &config.UsageError{Message: fmt.Sprintf("%s %s: the plan has no such stage", flag, n), Hint: config.Suggest(n, known)}
			}
		}
		return nil
	}
	s := u.Select
	if err := errors.Join(check("--only", s.Only...), check("--from", s.From), check("--until", s.Until), check("--force", s.Force...)); err != nil {
		return err
	}
	u.selected, u.force = map[string]bool{}, map[string]bool{}
	down, up := map[string]bool{}, map[string]bool{}
	if s.From != "" {
		down = u.g.Downstream(s.From)
	}
	if s.Until != "" {
		up = u.g.Upstream(s.Until)
	}
	for _, n := range known {
		u.selected[n] = (len(s.Only) == 0 || slices.Contains(s.Only, n)) && (s.From == "" || down[n]) && (s.Until == "" || up[n])
		u.force[n] = u.selected[n] && (s.ForceAll || slices.Contains(s.Force, n))
	}
	return nil
}

// work reports whether any selected task has to run.
func (u *run) work(e *Evaluation) bool {
	for name, v := range e.Tasks {
		if u.selected[name] && (v.State == Pending || v.State == Waiting) {
			return true
		}
	}
	return false
}

func (u *run) emit(e Event) {
	e.Time, e.Run = time.Now().UTC(), u.id
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.journal != nil && e.Type != EventProgress {
		if b, err := json.Marshal(e); err == nil {
			u.journal.write(b)
		}
	}
	u.Observer.Observe(e)
}

// state moves a task and tells the observer.
func (u *run) state(t *Task, s State, reason string, change func(*StageResult)) {
	u.mu.Lock()
	res := u.results[t.Name]
	res.State = s
	if reason != "" {
		res.Reason = reason
	}
	if change != nil {
		change(res)
	}
	e := Event{Type: EventState, Stage: t.Name, State: &s, Reason: res.Reason, Attempt: res.Attempt, Seconds: res.Seconds}
	if s == Failed || s == Lost || s == Interrupted {
		e.Message = res.Error
	}
	u.mu.Unlock()
	u.emit(e)
}

// settle takes over what the store already knows of a task.
func (u *run) settle(t *Task, v *Verdict) {
	u.mu.Lock()
	u.known[t.Name] = v
	u.mu.Unlock()
	fill := func(res *StageResult) {
		res.Key = v.Key
		if v.Manifest != nil {
			res.Device, res.Outputs = v.Manifest.Device, outputsOf(v.Manifest)
		}
	}
	switch v.State {
	case Cached:
		u.state(t, Cached, v.Reason, fill)
	case Failed:
		err := committed(v.Manifest).Err
		u.fail(t, err)
		u.state(t, Failed, v.Reason, func(res *StageResult) { fill(res); res.Error = err.Error() })
	case Skipped:
		u.state(t, Skipped, v.Reason, fill)
	default:
		u.state(t, Skipped, "not selected", fill)
	}
}

func outputsOf(m *storage.Manifest) map[string]OutputResult {
	out := map[string]OutputResult{}
	for _, a := range m.Outputs {
		out[a.Name] = OutputResult{Digest: a.Digest, Size: a.Size, Volatile: a.Volatile}
	}
	return out
}

func (u *run) fail(t *Task, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.errs[t.Name] = err
}

// begin writes what a reader of the run wants to see while it goes on.
func (u *run) begin(ctx context.Context) error {
	if err := u.Store.WriteFile(ctx, runKey(u.id, "plan.yaml"), u.g.Plan.Source); err != nil {
		return err
	}
	resolved := map[string]any{"plan": u.g.Plan.Name, "plan_digest": u.g.Plan.Digest, "command": u.Command, "version": u.Version, "started": u.started}
	options := map[string]any{}
	for _, t := range u.g.Tasks {
		options[t.Name] = map[string]any{"kind": t.Kind.Name, "options": t.Decoded.All, "external": t.External, "device": t.Device, "needs": t.Needs}
	}
	resolved["stages"] = options
	b, err := json.MarshalIndent(resolved, "", "  ")
	if err != nil {
		return err
	}
	if err := u.Store.WriteFile(ctx, runKey(u.id, "resolved.json"), b); err != nil {
		return err
	}
	u.mu.Lock()
	u.journal = newChunk(context.WithoutCancel(ctx), u.Store, u.Log, func(seq int) string { return fmt.Sprintf("runs/%s/events/%06d.jsonl", u.id, seq) })
	u.mu.Unlock()
	return nil
}

// preflight tries the demands of every task that will run, before any does.
func (u *run) preflight(ctx context.Context, e *Evaluation) error {
	var first error
	for _, t := range u.g.Tasks {
		v := e.Tasks[t.Name]
		if !u.selected[t.Name] || v.State.Final() {
			continue
		}
		a, err := u.attempt(t, v, nil, 0, 0)
		if err == nil {
			err = u.Store.Create(ctx, attemptKey(u.id, t.Name, 0), mustJSON(a))
		}
		if err == nil {
			err = u.Executor.Preflight(ctx, a, &taskSink{u: u, t: t})
		}
		if err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("%w: %w", stages.ErrInterrupted, context.Cause(ctx))
			}
			first = err
			u.fail(t, err)
			state := Failed
			if ctx.Err() != nil {
				state = Interrupted
			}
			u.state(t, state, "preflight", func(res *StageResult) { res.Error = err.Error() })
			break
		}
	}
	if first == nil {
		return nil
	}
	for _, t := range u.g.Tasks {
		if v := e.Tasks[t.Name]; u.errs[t.Name] == nil {
			if v.State.Final() {
				u.settle(t, v)
			} else {
				u.state(t, Skipped, "preflight of another stage failed", nil)
			}
		}
	}
	return first
}

// mustJSON encodes our own plain structs, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(`{}`)
	}
	return b
}

// attempt describes a try of a task.
func (u *run) attempt(t *Task, v *Verdict, inputs map[string]storage.Artifact, number, generation int) (*Attempt, error) {
	options, err := json.Marshal(t.Options)
	if err != nil {
		return nil, fmt.Errorf("options of stage %s: %w", t.Name, err)
	}
	return &Attempt{
		Run: u.id, Plan: u.g.Plan.Name, PlanDigest: u.g.Plan.Digest, Stage: t.Name, Number: number, Kind: t.Kind.Name,
		Key: v.Key, Generation: generation, Preimage: v.Preimage, Options: options, Inputs: inputs, External: t.External,
		Files: u.g.files, Taxonomy: u.g.taxonomy, Device: t.Device, CacheDir: u.CacheDir, Offline: u.Offline, Version: u.Version,
	}, nil
}

// walk runs tasks as their needs are met, several at once.
func (u *run) walk(ctx context.Context, e Evaluator) {
	done := make(chan string)
	waiting := slices.Clone(u.g.Tasks)
	finished := map[string]bool{}
	running, stop := 0, false
	for len(waiting) > 0 || running > 0 {
		for i := 0; i < len(waiting) && running < max(u.Parallel, 1); {
			t := waiting[i]
			if slices.ContainsFunc(t.Needs, func(n string) bool { return !finished[n] }) {
				i++
				continue
			}
			waiting = slices.Delete(waiting, i, i+1)
			if reason := u.blocked(ctx, t, stop); reason != "" {
				u.state(t, Skipped, reason, nil)
				finished[t.Name] = true
				continue
			}
			running++
			go func() {
				u.task(ctx, e, t)
				done <- t.Name
			}()
		}
		if running == 0 {
			continue
		}
		name := <-done
		running--
		finished[name] = true
		u.mu.Lock()
		if u.errs[name] != nil && !u.KeepGoing {
			stop = true
		}
		u.mu.Unlock()
	}
}

// blocked says why a task whose needs have ended cannot run.
func (u *run) blocked(ctx context.Context, t *Task, stop bool) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, n := range t.Needs {
		if s := u.results[n].State; !s.Done() && !(s == Skipped && !u.selected[n]) {
			return fmt.Sprintf("%s did not succeed", n)
		}
	}
	if ctx.Err() != nil {
		return "the run was interrupted"
	}
	if stop {
		return "another stage failed"
	}
	return ""
}

// task brings one task up to date.
func (u *run) task(ctx context.Context, e Evaluator, t *Task) {
	u.mu.Lock()
	inputs, missing := e.inputs(t, u.known)
	u.mu.Unlock()
	if inputs == nil || missing != "" {
		if !u.selected[t.Name] {
			u.state(t, Skipped, "not selected", nil)
			return
		}
		u.end(ctx, t, failed(&config.UsageError{Message: fmt.Sprintf("stage %s needs an input that is not there: %s, and that stage is not selected", t.Name, missing), Hint: "leave out --only, --from and --until, or select that stage too"}), time.Now())
		return
	}
	v, err := e.Task(ctx, u.g, t, inputs)
	if err != nil {
		u.end(ctx, t, u.interruptible(ctx, failed(err)), time.Now())
		return
	}
	if v.State == Cached || v.State == Failed || !u.selected[t.Name] {
		u.settle(t, v)
		return
	}
	u.mu.Lock()
	u.results[t.Name].Key = v.Key
	u.mu.Unlock()
	began := time.Now()
	u.end(ctx, t, u.execute(ctx, e, t, v, inputs), began)
}

// interruptible turns what a cancelled context did to an outcome into an
// interruption.
func (u *run) interruptible(ctx context.Context, o Outcome) Outcome {
	if ctx.Err() != nil && o.State != Succeeded && o.Manifest == nil {
		o.State = Interrupted
		o.Err = fmt.Errorf("%w (%w)", stages.ErrInterrupted, context.Cause(ctx))
	}
	return o
}

// execute holds the lease of the task's key and tries until there is an end.
func (u *run) execute(ctx context.Context, e Evaluator, t *Task, v *Verdict, inputs map[string]storage.Artifact) Outcome {
	lease, adopted, err := u.lease(ctx, e, t, v, inputs)
	if err != nil {
		return u.interruptible(ctx, failed(err))
	}
	if adopted != nil {
		return committed(adopted)
	}
	defer func() {
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			u.Log.Warn("could not release a lease", "stage", t.Name, "error", err)
		}
	}()
	retries := t.Stage.Retry
	for number := 1; ; number++ {
		outcome := u.try(ctx, t, v, inputs, number)
		if outcome.State != Lost || number > retries || ctx.Err() != nil {
			return outcome
		}
		wait := min(u.Backoff<<(number-1), 30*time.Second)
		u.state(t, Lost, fmt.Sprintf("try %d of %d was lost, next in %s", number, retries+1, wait), func(res *StageResult) { res.Error = outcome.Err.Error() })
		select {
		case <-ctx.Done():
			return u.interruptible(ctx, outcome)
		case <-time.After(wait):
		}
	}
}

// try makes one attempt.
func (u *run) try(ctx context.Context, t *Task, v *Verdict, inputs map[string]storage.Artifact, number int) Outcome {
	generation, err := u.Store.Generation(ctx, t.Kind.Name, v.Key)
	if err != nil {
		return u.interruptible(ctx, failed(err))
	}
	a, err := u.attempt(t, v, inputs, number, generation+1)
	if err != nil {
		return failed(err)
	}
	if err := u.Store.Create(ctx, attemptKey(u.id, t.Name, number), mustJSON(a)); err != nil {
		return u.interruptible(ctx, failed(err))
	}
	u.state(t, Running, v.Reason, func(res *StageResult) { res.Attempt = number })
	sink := &taskSink{u: u, t: t, attempt: number}
	sink.log = newChunk(context.WithoutCancel(ctx), u.Store, u.Log, func(seq int) string { return logKey(u.id, t.Name, number, seq) })
	defer sink.log.close(context.WithoutCancel(ctx))
	limited, cancel := ctx, func() {}
	if t.Stage.Timeout > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, t.Stage.Timeout, fmt.Errorf("stage %s took longer than its timeout of %s", t.Name, t.Stage.Timeout))
	}
	defer cancel()
	o := u.Executor.Execute(limited, a, sink)
	if o.Checkpointed {
		u.mu.Lock()
		u.kept = true
		u.mu.Unlock()
	}
	if o.State == Interrupted && ctx.Err() == nil && limited.Err() != nil {
		return Outcome{State: Failed, Err: stages.Fail(stages.CodeStage, "raise `timeout` of the stage; it continues from its checkpoint if it made one", "%w", context.Cause(limited))}
	}
	if o.Err != nil {
		sink.Log(slog.LevelError, o.Err.Error())
	}
	return u.interruptible(ctx, o)
}

// lease takes the lease of a key. While another runner holds it, this one
// waits: it adopts the other's manifest, or takes over when the holder is gone.
func (u *run) lease(ctx context.Context, e Evaluator, t *Task, v *Verdict, inputs map[string]storage.Artifact) (*storage.Lease, *storage.Manifest, error) {
	name := t.Kind.Name + "/" + v.Key
	self := storage.Self()
	var seen string
	var since time.Time
	stale := ""
	for first := true; ; first = false {
		l, err := u.Store.Acquire(ctx, name, self, u.TTL, stale)
		if err == nil {
			// Another runner may have finished since the task was looked up,
			// and released the lease before this one asked for it.
			now, err := e.Task(ctx, u.g, t, inputs)
			if err != nil || now.Manifest != nil {
				_ = l.Release(context.WithoutCancel(ctx))
				if err != nil {
					return nil, nil, err
				}
				return nil, now.Manifest, nil
			}
			return l, nil, nil
		}
		var held *storage.HeldError
		if !errors.As(err, &held) {
			return nil, nil, err
		}
		if held.Version != seen {
			if first {
				u.state(t, Waiting, fmt.Sprintf("%s is doing it", held.Holder), nil)
			}
			seen, since = held.Version, time.Now()
		}
		if time.Since(since) > u.TTL {
			stale = seen
			continue
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(max(u.TTL/40, 10*time.Millisecond)):
		}
		if now, err := e.Task(ctx, u.g, t, inputs); err == nil && now.Manifest != nil {
			return nil, now.Manifest, nil
		}
	}
}

// end records how a task ended.
func (u *run) end(ctx context.Context, t *Task, o Outcome, began time.Time) {
	if o.Manifest != nil {
		b := mustJSON(pointer{Kind: t.Kind.Name, Key: o.Manifest.Key})
		if err := u.Store.WriteFile(context.WithoutCancel(ctx), pointerKey(u.g.Plan.Name, t.Name), b); err != nil {
			u.Log.Warn("could not note the last run of a stage", "stage", t.Name, "error", err)
		}
		u.mu.Lock()
		u.kept = true
		u.known[t.Name] = &Verdict{State: o.State, Key: o.Manifest.Key, Manifest: o.Manifest}
		u.mu.Unlock()
	}
	if o.Err != nil {
		u.fail(t, o.Err)
	}
	u.state(t, o.State, "", func(res *StageResult) {
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
func (u *run) finish(ctx context.Context) *Result {
	caller := ctx
	ctx = context.WithoutCancel(ctx)
	interrupted, stopped := false, false
	res := &Result{Run: &u.id, Stages: make([]StageResult, len(u.g.Tasks))}
	state := Succeeded
	byIndex := slices.SortedFunc(slices.Values(u.g.Tasks), func(a, b *Task) int { return a.Index - b.Index })
	u.mu.Lock()
	for i, t := range byIndex {
		res.Stages[i] = *u.results[t.Name]
		interrupted = interrupted || u.results[t.Name].State == Interrupted
		// A signal between two stages interrupts no stage, only the run.
		stopped = stopped || u.results[t.Name].State == Skipped && u.selected[t.Name] && caller.Err() != nil
		if err := u.errs[t.Name]; err != nil && res.Error == "" {
			res.Code, res.Error, res.Hint = Code(err), err.Error(), hintOf(err)
			state = u.results[t.Name].State
			if errors.Is(err, ErrDeadline) {
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
		if errors.Is(context.Cause(caller), ErrDeadline) {
			res.Error = ErrDeadline.Error()
			if !u.kept {
				res.Code = stages.CodeDeadline
			}
		}
	}
	res.Class, res.Retryable = Class(res.Code), Retryable(res.Code, state)
	if res.Code != 0 {
		res.Continue = u.Continue
	}
	u.emit(Event{Type: EventResult, Result: res})
	u.mu.Lock()
	journal := u.journal
	u.journal = nil
	u.mu.Unlock()
	if journal != nil {
		journal.close(ctx)
	}
	err := saveRecord(ctx, u.Store, Record{Result: *res, Plan: u.g.Plan.Name, Started: u.started, Finished: time.Now().UTC(), Version: u.Version, Command: u.Command, Args: u.Args})
	if err != nil {
		u.Log.Warn("could not store the run's record", "error", err)
	}
	return res
}

// taskSink turns what an attempt reports into events and a stored log.
type taskSink struct {
	u       *run
	t       *Task
	attempt int
	log     *chunk
}

func (s *taskSink) Progress(p stages.Progress) {
	s.u.emit(Event{Type: EventProgress, Stage: s.t.Name, Attempt: s.attempt, Progress: &p})
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
	s.u.emit(Event{Type: EventNote, Stage: s.t.Name, Attempt: s.attempt, Message: name + ": " + text})
}

func (s *taskSink) Log(level slog.Level, text string) {
	s.line(level, text)
	s.u.emit(Event{Type: EventLog, Stage: s.t.Name, Attempt: s.attempt, Level: level.String(), Message: text})
}

func (s *taskSink) line(level slog.Level, text string) {
	if s.log != nil {
		s.log.write(fmt.Appendf(nil, "%s %-5s %s", time.Now().UTC().Format(time.RFC3339), level, text))
	}
}
