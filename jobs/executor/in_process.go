package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/scratch"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
)

// InProcess executes attempts in this process. It is the one place where a stage
// runs: other executors end here too, in a worker.
type InProcess struct {
	Registry stages.Registry
	Store    *storage.Store
	// Secret resolves a reference to a secret.
	Secret func(ref string) (string, error)
	// Program is the path of the sprint binary; empty guards no programs.
	Program string
	// Left, where it is not nil, says for how long the attempt's money still pays; else that
	// is its record's Spend, from here.
	Left func(a *runs.Attempt) (left time.Duration, limited bool)
}

// build makes the stage of an attempt.
func (p *InProcess) build(a *runs.Attempt, env stages.Env) (stages.Kind, stages.Stage, any, error) {
	kind, ok := p.Registry.Kind(a.Kind)
	if !ok {
		return kind, nil, nil, fmt.Errorf("this sprint knows no kind %q", a.Kind)
	}
	options := kind.Options()
	if err := json.Unmarshal(a.Options, options); err != nil {
		return kind, nil, nil, fmt.Errorf("options of stage %s: %w", a.Stage, err)
	}
	return kind, kind.New(options, env), options, nil
}

func (p *InProcess) env(a *runs.Attempt, sink Sink, held *secrets) stages.Env {
	return stages.Env{
		Run: a.Run, Stage: a.Stage, Attempt: a.Number,
		Origin:   stages.Origin{Plan: a.Plan, PlanDigest: a.PlanDigest, Key: a.Key, Version: a.Version, Before: a.Before},
		Taxonomy: a.Taxonomy, External: a.External, Device: a.Device,
		CacheDir: a.CacheDir, Offline: a.Offline, Endpoints: a.Endpoints, Store: p.Store,
		Log:      slog.New(&sinkHandler{sink: sink}),
		Progress: sink.Progress, Note: sink.Note,
		Files: a.Files, Secret: held.secret, Program: p.Program, Left: p.left(a), MayPay: float64(a.MayPay) / float64(money.Unit),
	}
}

// left is the Left of an attempt that begins now.
func (p *InProcess) left(a *runs.Attempt) func() (time.Duration, bool) {
	if p.Left != nil {
		return func() (time.Duration, bool) { return p.Left(a) }
	}
	began := time.Now()
	return func() (time.Duration, bool) { return a.Spend - time.Since(began), a.Spend > 0 }
}

// HasPreflight reports whether the attempt's stage has demands that can be tried.
func (p *InProcess) HasPreflight(a *runs.Attempt, sink Sink) bool {
	_, stage, _, err := p.build(a, p.env(a, sink, &secrets{resolve: p.Secret}))
	if err != nil {
		return true // which fails, and says why
	}
	_, ok := stage.(stages.Preflighter)
	return ok
}

// Preflight finds out early whether an attempt cannot succeed.
func (p *InProcess) Preflight(ctx context.Context, a *runs.Attempt, sink Sink) (err error) {
	held := &secrets{resolve: p.Secret}
	defer func() { err = held.error(err) }()
	defer recovered(a.Stage, &err)
	folder, done, err := scratch.New()
	if err != nil {
		return err
	}
	defer done()
	env := p.env(a, held.sink(sink), held)
	env.Scratch = folder
	_, stage, _, err := p.build(a, env)
	if err != nil {
		return err
	}
	if f, ok := stage.(stages.Preflighter); ok {
		return f.Preflight(ctx)
	}
	return nil
}

// recovered turns a panic of a stage into an error: one stage's bug must not
// take the runner and its other stages down.
func recovered(stage string, err *error) {
	if r := recover(); r != nil {
		*err = stages.Fail(stages.CodeStage, "this is a bug of sprint: please report it with the lines above", "stage %s panicked: %v\n%s", stage, r, debug.Stack())
	}
}

// Execute runs the stage and commits its manifest.
func (p *InProcess) Execute(ctx context.Context, a *runs.Attempt, sink Sink) Outcome {
	started := time.Now().UTC()
	folder, done, err := scratch.New()
	if err != nil {
		return FromError(err)
	}
	defer done()
	held := &secrets{resolve: p.Secret}
	sink = held.sink(sink)
	collected := &notes{sink: sink, secrets: held, notes: map[string]any{}}
	env := p.env(a, sink, held)
	env.Scratch, env.Note = folder, collected.note
	saved := false
	env.Checkpoints = &storeio.Checkpoints{Store: p.Store, Kind: a.Kind, Key: a.Key, Log: env.Log, Saved: func(int64) { saved = true }}
	kind, stage, options, err := p.build(a, env)
	if err != nil {
		return FromError(err)
	}
	outputs := storeio.NewOutputs(p.Store, kind.Outputs(options))
	err = func() (err error) {
		defer recovered(a.Stage, &err)
		return stage.Run(ctx, storeio.NewInputs(p.Store, a.Inputs), outputs)
	}()
	err = held.error(err)
	var verdict *stages.Verdict
	switch {
	case err == nil, errors.As(err, &verdict):
	case errors.Is(err, stages.ErrInterrupted), ctx.Err() != nil:
		return Outcome{State: runs.Interrupted, Err: err, Checkpointed: saved}
	default:
		o := FromError(err)
		o.Checkpointed = saved
		return o
	}
	artifacts, err := outputs.Artifacts()
	if err != nil {
		return FromError(err)
	}
	noted := collected.all()
	device, _ := noted["device"].(string)
	m := storage.Manifest{
		Kind: a.Kind, Key: a.Key, Generation: a.Generation, Preimage: a.Preimage, Inputs: map[string]string{},
		Outputs: artifacts, Plan: a.PlanDigest, Run: a.Run, Stage: a.Stage, Attempt: a.Number,
		Started: started, Finished: time.Now().UTC(), Device: device, Notes: noted, Version: a.Version,
	}
	for name, in := range a.Inputs {
		m.Inputs[name] = in.Digest
	}
	if verdict != nil {
		m.Verdict = &storage.Verdict{Code: int(verdict.Code), Message: verdict.Message, Hint: verdict.Hint}
	}
	// The work is done: a signal that comes now must not throw it away.
	winner, _, err := p.Store.Commit(context.WithoutCancel(ctx), m)
	if err != nil {
		return FromError(err)
	}
	return FromManifest(&winner)
}

// notes collects the facts that an attempt notes.
type notes struct {
	sink    Sink
	secrets *secrets
	mu      sync.Mutex
	notes   map[string]any
}

func (n *notes) note(name string, value any) {
	n.mu.Lock()
	n.notes[n.secrets.text(name)] = n.secrets.value(value)
	n.mu.Unlock()
	n.sink.Note(name, value)
}

func (n *notes) all() map[string]any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.notes
}

// sinkHandler sends a stage's log lines to its sink.
type sinkHandler struct {
	sink  Sink
	attrs []slog.Attr
}

func (h *sinkHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *sinkHandler) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	add := func(a slog.Attr) bool {
		line += " " + a.Key + "=" + shownValue(a.Value)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	h.sink.Log(r.Level, line)
	return nil
}

// shownValue is a value as people read it: texts of a list are told from each other.
func shownValue(v slog.Value) string {
	texts, ok := v.Any().([]string)
	if !ok {
		return v.String()
	}
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = strconv.Quote(t)
	}
	return strings.Join(quoted, ", ")
}

func (h *sinkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sinkHandler{sink: h.sink, attrs: append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *sinkHandler) WithGroup(string) slog.Handler { return h }
