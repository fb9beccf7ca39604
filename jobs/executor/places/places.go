// Package places makes the executors of a config, and sends each attempt to the one
// that its stage goes to.
//
//	places.go   Places: the executors of a run
//	kinds.go    the kinds of executors, each with its options
//	choose.go   which stage goes where, and what is refused
//	leftovers.go  the jobs that are at them, and whether anybody waits for these
//	program.go  the sprint binary, put into the store for workers elsewhere
package places

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Options say what the executors of a run are made of.
type Options struct {
	Config *config.Config
	Store  *storage.Store
	// Local executes what goes nowhere else.
	Local   executor.Executor
	Environ []string
	Log     *slog.Logger
	// Program is the path of the sprint binary.
	Program string
	// WorkerFlags are those of a worker that say where the store's keys are.
	WorkerFlags []string
	// Abort, once closed, ends jobs without waiting for their checkpoints.
	Abort <-chan struct{}
}

// Places are the executors of a run. It is an executor.Executor and TimeKeeper.
type Places struct {
	o       Options
	goes    map[string]string // the name of an executor by stage; none is local
	remotes map[string]*remote.Executor
	closers []io.Closer

	program sync.Mutex
	stored  *executor.Program
}

// New chooses an executor for each stage of a graph, and refuses what cannot be had
// there. Close it.
func New(o Options, g *graph.Graph) (*Places, error) {
	p := &Places{o: o, remotes: map[string]*remote.Executor{}}
	var err error
	if p.goes, err = choose(o.Config, g); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Values(p.goes)) {
		if p.remotes[name] != nil {
			continue
		}
		if err := p.open(name, g); err != nil {
			_ = p.Close() // that it could not be opened is what counts
			return nil, err
		}
	}
	return p, nil
}

// Open makes one executor by its name. With a graph it is made for the stages that may go
// elsewhere, else for none. Demands are what those stages demand, each once; without a graph
// a GPU where the executor says that it offers one.
func Open(o Options, name string, g *graph.Graph) (p *Places, e *remote.Executor, demands []executor.Resources, err error) {
	p = &Places{o: o, goes: map[string]string{}, remotes: map[string]*remote.Executor{}}
	if g != nil {
		for _, node := range g.Nodes {
			if node.Kind.Name == kindFetch || node.Kind.Isolated == nil || !node.Kind.Isolated(node.Options) {
				continue
			}
			p.goes[node.Name] = name
			if r := resources(node); !slices.Contains(demands, r) {
				demands = append(demands, r)
			}
		}
	}
	if err := p.open(name, g); err != nil {
		return nil, nil, nil, err
	}
	if len(demands) == 0 {
		common, err := o.Config.ExecutorOptions(name)
		if err != nil {
			return nil, nil, nil, errors.Join(err, p.Close())
		}
		demand := executor.Resources{Device: o.Config.Device}
		if offer := common.Offers; offer.GPUs > 0 {
			demand.GPUs, demand.GPUType = 1, offer.GPUType
			if demand.Device == "" || demand.Device == "auto" {
				demand.Device = "cuda"
			}
		}
		demands = []executor.Resources{demand}
	}
	return p, p.remotes[name], demands, nil
}

// open makes the executor of a name.
func (p *Places) open(name string, g *graph.Graph) error {
	c := p.o.Config
	if c.Executors[name] == nil {
		return unknown(c, name)
	}
	common, err := c.ExecutorOptions(name)
	if err != nil {
		return err
	}
	if !p.o.Store.Remote() {
		return stages.Fail(stages.CodeEnvironment, "let `store:` of the config, or --store, name a bucket: s3://BUCKET/PREFIX or gs://BUCKET/PREFIX", "the executor %s cannot reach the store %s: it is of this machine alone", name, p.o.Store.URL())
	}
	secrets, err := p.secrets(name, common, g)
	if err != nil {
		return err
	}
	provider, err := openProvider(c, name, common.Kind, p.o)
	if err != nil {
		return err
	}
	if closer, ok := provider.(io.Closer); ok {
		p.closers = append(p.closers, closer)
	}
	demands := map[string]executor.Resources{}
	if g != nil {
		for _, node := range g.Nodes {
			demands[node.Name] = resources(node)
		}
	}
	p.remotes[name] = &remote.Executor{
		Name: name, Provider: provider, Store: p.o.Store, Log: p.o.Log, Program: p.storedProgram,
		Resources: func(a *runs.Attempt) executor.Resources {
			demand := demands[a.Stage]
			demand.Preemptible = demand.Preemptible && !a.OnDemand
			return demand
		},
		WorkerFlags: slices.Concat(p.o.WorkerFlags, []string{"--orphan", common.Orphan.String()}),
		Env:         p.env(common), Secrets: secrets, Abort: p.o.Abort,
		PerHour: common.PerHour, PerGPUHour: common.PerGPUHour, PerSpotHour: common.PerSpotHour,
		Limits: executor.Limits{Queue: common.Limits.Queue, Start: common.Limits.Start, Grace: common.Limits.Grace},
	}
	return nil
}

// handedOn are variables without secrets that say how the store is reached.
func handedOn() []string {
	return []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"}
}

// env are the worker's variables that hold no secret.
func (p *Places) env(common *config.ExecutorOptions) map[string]string {
	out := map[string]string{"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
	for _, name := range handedOn() {
		if v := p.getenv(name); v != "" {
			out[name] = v
		}
	}
	if common.Cache != "" {
		out["SPRINT_CACHE"] = common.Cache
	}
	return out
}

func (p *Places) getenv(name string) string { return getenv(p.o.Environ, name) }

func getenv(environ []string, name string) string {
	value := ""
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value = v
		}
	}
	return value
}

// secrets are the names of the variables that workers at a place need: those that
// stages and the store's keys refer to, and this machine's credentials for the store
// unless the place has its own. A secret in a file of this machine is not there.
func (p *Places) secrets(name string, common *config.ExecutorOptions, g *graph.Graph) ([]string, error) {
	type reference struct{ text, of string }
	var all []reference
	for _, r := range append([]string{p.o.Config.StoreKey}, p.o.Config.StoreKeysAccepted...) {
		all = append(all, reference{r, "the store's key"})
	}
	if g != nil {
		for _, node := range g.Nodes {
			if p.goes[node.Name] != name {
				continue
			}
			for _, r := range options.Secrets(node.Options) {
				all = append(all, reference{r, "stage " + node.Name})
			}
		}
	}
	needed := map[string]bool{}
	for _, r := range all {
		if r.text == "" {
			continue
		}
		variable, ok := strings.CutPrefix(r.text, "env:")
		if !ok {
			return nil, stages.Fail(stages.CodeEnvironment, fmt.Sprintf("put it into a variable and refer to that, env:NAME; `secrets` of executors.%s says how it gets there", name), "%s needs the secret %s, a file of this machine, which the executor %s does not have", r.of, r.text, name)
		}
		needed[variable] = true
	}
	if common.Credentials == "given" && strings.HasPrefix(p.o.Store.Source(), "s3://") {
		for _, variable := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
			if p.getenv(variable) != "" {
				needed[variable] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(needed)), nil
}

// at is the executor of an attempt.
func (p *Places) at(a *runs.Attempt) executor.Executor {
	if r := p.remotes[p.goes[a.Stage]]; r != nil {
		return r
	}
	return p.o.Local
}

// Preflight tries the attempt's demands where it goes.
func (p *Places) Preflight(ctx context.Context, a *runs.Attempt, sink executor.Sink) error {
	return p.at(a).Preflight(ctx, a, sink)
}

// Execute runs the attempt where it goes.
func (p *Places) Execute(ctx context.Context, a *runs.Attempt, sink executor.Sink) executor.Outcome {
	return p.at(a).Execute(ctx, a, sink)
}

// KeepsTime reports whether the executor of an attempt counts its timeout.
func (p *Places) KeepsTime(a *runs.Attempt) bool { return executor.KeepsTime(p.at(a), a) }

// PriceOf is the price of an attempt where it goes.
func (p *Places) PriceOf(ctx context.Context, a *runs.Attempt) (executor.Price, error) {
	return executor.PriceOf(ctx, p.at(a), a)
}

// Where says where each stage goes, for those that go elsewhere.
func (p *Places) Where() map[string]string { return p.goes }

// Close ends the connections to places. Jobs that run there go on.
func (p *Places) Close() error {
	var errs []error
	for _, c := range p.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

var (
	_ executor.Executor   = (*Places)(nil)
	_ executor.TimeKeeper = (*Places)(nil)
	_ executor.Priced     = (*Places)(nil)
)
