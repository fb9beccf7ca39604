package jobstest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/gc"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Plan is a plan of four toy stages, one after the other.
const Plan = `name: toys
stages:
  - name: make
  - name: refine
  - name: join
  - name: slow
`

// FanPlan is a plan of toy stages of which two can run at once.
const FanPlan = `name: fan
stages:
  - {name: left, kind: make, needs: [], with: {text: l, pace: 30ms}}
  - {name: right, kind: make, needs: [], with: {text: r, pace: 30ms}}
  - {name: join, needs: [left, right], inputs: {raw: right.raw}}
`

// Bench is one working place: a plan, a store and a count of what ran.
type Bench struct {
	T        testing.TB
	Dir      string
	Store    *storage.Store
	Count    *Counter
	Plan     string
	Set      []string
	Registry stages.Registry
	Tweak    func(*jobs.Runner)
	Local    func(*local.Executor)
	Ctx      context.Context
	Seen     *Recorder
}

// NewBench makes a bench with an empty store in a folder of the test's own.
func NewBench(t testing.TB, plan string) *Bench {
	t.Helper()
	b := &Bench{T: t, Dir: t.TempDir(), Count: &Counter{}, Plan: plan, Ctx: t.Context()}
	b.Registry = Kinds(b.Count)
	var err error
	if b.Store, err = storage.Open(b.Ctx, filepath.Join(b.Dir, "store"), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Store.Close() })
	return b
}

// Compile compiles the bench's plan.
func (b *Bench) Compile() (*graph.Graph, error) {
	plan, err := config.ParsePlan(filepath.Join(b.Dir, "plan.yaml"), []byte(b.Plan))
	if err != nil {
		return nil, err
	}
	options, err := config.NewOptions(plan, config.Overrides{Set: b.Set})
	if err != nil {
		return nil, err
	}
	look := graph.NewLookup(b.Dir, filepath.Join(b.Dir, "cache"), true, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	defer look.Close()
	return graph.Compile(b.Ctx, plan, graph.CompileOptions{Registry: b.Registry, Options: options, Lookup: look})
}

// Graph compiles the bench's plan, which has no mistakes.
func (b *Bench) Graph() *graph.Graph {
	b.T.Helper()
	g, err := b.Compile()
	if err != nil {
		b.T.Fatal(err)
	}
	return g
}

// Run runs the plan with the local executor.
func (b *Bench) Run() (*runs.Result, error) {
	b.T.Helper()
	g := b.Graph()
	local := local.New(b.Registry, b.Store, "", os.Environ(), func(string) (string, error) { return "", nil })
	if b.Local != nil {
		b.Local(local)
	}
	b.Seen = &Recorder{}
	r := &jobs.Runner{
		Store: b.Store, Executor: local, Observer: b.Seen, Log: slog.New(slog.DiscardHandler),
		Parallel: 2, CacheDir: filepath.Join(b.Dir, "cache"), Version: "test",
		Continue: func([]runs.StageResult) string { return "sprint run plan.yaml" }, Backoff: time.Millisecond, TTL: time.Second,
	}
	if b.Tweak != nil {
		b.Tweak(r)
	}
	return r.Run(b.Ctx, g)
}

// MustRun runs the plan and wants this code and these states in plan order.
func (b *Bench) MustRun(code stages.Code, states string) *runs.Result {
	b.T.Helper()
	res, err := b.Run()
	if err != nil {
		b.T.Fatal(err)
	}
	if got := States(res); got != states || res.Code != code {
		b.T.Fatalf("code %d (%s), states %s; want code %d, states %s", res.Code, res.Error, got, code, states)
	}
	return res
}

// States lists the states of a result in plan order.
func States(r *runs.Result) string {
	var out []string
	for _, s := range r.Stages {
		out = append(out, s.State.String())
	}
	return strings.Join(out, " ")
}

// Digests lists all outputs of a result that enter keys.
func Digests(r *runs.Result) map[string]string {
	out := map[string]string{}
	for _, s := range r.Stages {
		for name, o := range s.Outputs {
			if !o.Volatile {
				out[s.Name+"."+name] = o.Digest
			}
		}
	}
	return out
}

// Recorder keeps the events of a run.
type Recorder struct {
	mu     sync.Mutex
	Events []runs.Event
}

// Observe keeps an event.
func (r *Recorder) Observe(e runs.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Events = append(r.Events, e)
}

// GC collects the bench's store.
func (b *Bench) GC(o gc.Collector) *gc.Report {
	b.T.Helper()
	o.Store, o.Log = b.Store, slog.New(slog.DiscardHandler)
	if o.Settle == 0 {
		o.Settle = time.Millisecond
	}
	r, err := o.Run(b.Ctx)
	if err != nil {
		b.T.Fatal(err)
	}
	return r
}

// Objects lists the keys below a prefix.
func (b *Bench) Objects(prefix string) []string {
	b.T.Helper()
	var out []string
	for info, err := range b.Store.List(b.Ctx, prefix) {
		if err != nil {
			b.T.Fatal(err)
		}
		out = append(out, info.Key)
	}
	return out
}

// Age makes every object of the store look written that long ago.
func (b *Bench) Age(prefix string, by time.Duration) {
	b.T.Helper()
	then := time.Now().Add(-by)
	for _, key := range b.Objects(prefix) {
		if err := os.Chtimes(filepath.Join(b.Store.Source(), filepath.FromSlash(key)), then, then); err != nil {
			b.T.Fatal(err)
		}
	}
}
