package simulation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/gc"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/history"
)

// registry holds the kinds of all processes: what they make is a function of their
// keys, and what they keep of unfinished work is in the store.
var registry = append(jobstest.Kinds(&jobstest.Counter{}), earlyKind())

// earlyKind is the kind node but for the time when its output is stored, which is
// before its pace.
func earlyKind() stages.Kind {
	node, _ := jobstest.Kinds(&jobstest.Counter{}).Kind("node")
	k := node
	k.Name = "early"
	k.New = func(o any, env stages.Env) stages.Stage {
		quick := *o.(*jobstest.Options)
		quick.Pace = 0
		return early{node.New(&quick, env), o.(*jobstest.Options).Pace}
	}
	return k
}

type early struct {
	stages.Stage
	pace time.Duration
}

func (e early) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	if err := e.Stage.Run(ctx, in, out); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return stages.ErrInterrupted
	case <-time.After(e.pace):
		return nil
	}
}

// process is one that uses the store: a runner, or a worker.
type process struct {
	w       *world
	name    string
	runner  *process      // of a worker
	offset  time.Duration // its clock, of the store's
	ttl     time.Duration // of its leases, as the store's clock would measure it
	history *history.Client
	plant   plant
	kill    func() // ends its context

	dead             bool          // under w.mu
	unreachableUntil time.Duration // the store, and
	pausedUntil      time.Duration // the process; of the scheduler
}

// process starts one on the machine of a user.
func (w *world) process(slot int, name string, runner *process, kill func()) (*process, *storage.Store) {
	p := &process{w: w, name: name, runner: runner, kill: kill, ttl: w.ttl}
	if w.clocks && slot < pastUser {
		random := rand.New(rand.NewPCG(w.seed, uint64(100+slot)))
		p.offset = []time.Duration{0, -3 * time.Second, 20 * time.Minute, -2 * time.Hour, 9000 * time.Hour}[random.IntN(5)]
		p.ttl = w.ttl / 10 * time.Duration(9+random.IntN(3)) // it runs fast or slow
	}
	p.history = w.history.Client(name, p.ttl)
	if slot == 0 {
		p.infect(w.plant)
	}
	store, err := storage.Open(context.Background(), w.dir, &storage.Options{Around: p.careless, Backoff: backoff})
	if err != nil {
		panic(err)
	}
	w.mu.Lock()
	w.processes = append(w.processes, p)
	w.mu.Unlock()
	return p, store
}

// die ends a process as kill -9 does: nothing that it asks for is done any more.
// What its goroutines do until they end is seen by nobody.
func (p *process) die() {
	w := p.w
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		return
	}
	p.dead = true
	deny := func(r *request) bool {
		if r.p == p {
			r.turn <- dead
		}
		return r.p == p
	}
	w.fresh, w.queue = slices.DeleteFunc(w.fresh, deny), slices.DeleteFunc(w.queue, deny)
	w.mu.Unlock()
	p.kill()
}

func (p *process) alive() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return !p.dead
}

// some draws a time between grains, where nothing else happens.
func some(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(most/grain)))*grain + margin/2
}

// user runs a plan until that is done, again and again if need be.
func (w *world) user(slot int) {
	defer w.end()
	random := rand.New(rand.NewPCG(w.seed, uint64(200+slot)))
	pause := w.ttl
	if w.collects {
		pause *= 2 // it comes before, while and after a gc deletes
	}
	for life := 1; !w.stopped.Load(); life++ {
		time.Sleep(some(random, pause))
		if w.live(slot, life, random) {
			return
		}
	}
}

// live is one run of a user, from its start to its end. It reports whether the plan
// is done.
func (w *world) live(slot, life int, random *rand.Rand) bool {
	variant := w.variant(slot)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	p, store := w.process(slot, fmt.Sprintf("user %d life %d", slot, life), nil, func() { cancel(errKilled) })
	defer store.Close()
	r := &jobs.Runner{
		Store: store, Executor: &workers{p: p, slot: slot, store: store}, Log: slog.New(slog.DiscardHandler),
		Observer: jobstest.Observe(func(e runs.Event) {
			if e.State != nil {
				w.note("stage " + e.State.String())
			}
		}),
		Parallel: w.parallel, KeepGoing: random.IntN(2) == 0, Version: "test", TTL: p.ttl, Backoff: backoff,
	}
	signal, deadline := some(random, 8*w.ttl), some(random, 8*w.ttl)
	disturbed := w.disturbed()
	if random.Float64() < w.interrupts && disturbed {
		defer time.AfterFunc(signal, func() { cancel(errors.New("a signal")) }).Stop()
	}
	if random.Float64() < w.deadlines && disturbed {
		r.Deadline = deadline
	}
	result, err := r.Run(ctx, w.known.graphs[variant])
	if !p.alive() {
		return false
	}
	code := executor.Code(err)
	if err != nil && ctx.Err() != nil {
		code = stages.CodeInterrupted // as the command tells it
	}
	if err == nil {
		code, err = result.Code, errors.New(result.Error)
	}
	w.note(fmt.Sprintf("code %d", code))
	switch code {
	case stages.CodeDone:
		w.checkResult(p, variant, result)
	case stages.CodeEnvironment, stages.CodeMemory, stages.CodeInterrupted, stages.CodeDeadline:
		if !disturbed {
			w.violate("%s ended with code %d although nothing disturbed it: %v", p.name, code, err)
		}
	default:
		w.violate("%s ended with code %d, which no fault here explains: %v", p.name, code, err)
	}
	return code == stages.CodeDone
}

// makePast lets two users run the plan two hours ago.
func (w *world) makePast() {
	w.inPast = true
	for slot := range 2 {
		w.begin()
		go w.user(pastUser + slot)
	}
	w.schedule()
	time.Sleep(2 * time.Hour)
	w.inPast, w.start = false, time.Now()
	clear(w.done) // a gc may take what was made then
}

// Users whose clocks are right.
const pastUser, gcUser = 8, 10

// collector runs some gcs, one after the other.
func (w *world) collector() {
	defer w.end()
	random := rand.New(rand.NewPCG(w.seed, 300))
	for pass := 1; pass <= 3 && !w.stopped.Load(); pass++ {
		time.Sleep(some(random, w.ttl))
		ctx, cancel := context.WithCancel(context.Background())
		p, store := w.process(gcUser, fmt.Sprint("gc ", pass), nil, cancel)
		o := gc.Collector{Store: store, Log: slog.New(slog.DiscardHandler), KeepRuns: max(0, random.IntN(4)-2), OlderThan: storage.SweepAge, Delete: true}
		report, err := o.Run(ctx)
		switch {
		case !p.alive():
		case err == nil:
			w.note("gc done")
			if report.Groups[0].Objects > 0 {
				w.note("gc deleted blobs")
			}
		case executor.Code(err) != stages.CodeEnvironment && !errors.Is(err, storage.ErrHeld):
			w.violate("%s ended with %v", p.name, err)
		}
		store.Close()
		cancel()
	}
}

// promoter moves the alias to one release or another, as `sprint promote` does.
func (w *world) promoter(slot int) {
	defer w.end()
	random := rand.New(rand.NewPCG(w.seed, uint64(400+slot)))
	for move := 1; move <= 8 && !w.stopped.Load(); move++ {
		time.Sleep(some(random, w.ttl))
		ctx, cancel := context.WithCancel(context.Background())
		p, store := w.process(slot, fmt.Sprintf("user %d move %d", slot, move), nil, cancel)
		err := models.In(store).SetAlias(ctx, "toy", "latest", 1+random.IntN(2))
		if err != nil && p.alive() && !errors.Is(err, storage.ErrNotFound) && executor.Code(err) != stages.CodeEnvironment {
			w.violate("%s ended with %v", p.name, err)
		}
		store.Close()
		cancel()
	}
}

// workers is an executor that carries out some attempts in the runner's process and
// others in one of their own, as the local executor does, but for the processes: one
// that is killed says no word more, and does nothing more to the store.
type workers struct {
	p     *process
	slot  int
	store *storage.Store
}

func (e *workers) inProcess() *executor.InProcess {
	return &executor.InProcess{Registry: registry, Store: e.store, Secret: jobstest.NoSecret}
}

// Preflight implements executor.Executor.
func (e *workers) Preflight(ctx context.Context, a *runs.Attempt, sink executor.Sink) error {
	return e.inProcess().Preflight(ctx, a, sink)
}

// Execute implements executor.Executor.
func (e *workers) Execute(ctx context.Context, a *runs.Attempt, sink executor.Sink) executor.Outcome {
	w := e.p.w
	w.checkLease(e.p, a)
	h := fnv.New32a()
	fmt.Fprint(h, w.seed, e.p.name, a.Stage, a.Number)
	execute := e.inProcess().Execute
	if float64(h.Sum32()%1000)/1000 < w.workers {
		execute = e.worker
	}
	o := execute(ctx, a, sink)
	if o.Manifest != nil && o.Manifest.Run != a.Run {
		w.note("lost the race to commit")
	}
	return o
}

// worker carries an attempt out in a process of its own.
func (e *workers) worker(ctx context.Context, a *runs.Attempt, sink executor.Sink) executor.Outcome {
	w := e.p.w
	digest, err := a.Digest()
	if err != nil {
		return executor.FromError(err)
	}
	working, terminate := context.WithCancel(context.Background())
	p, store := w.process(e.slot, fmt.Sprintf("%s, worker %s %d", e.p.name, a.Stage, a.Number), e.p, terminate)
	stdout, pipe := io.Pipe()
	ended := make(chan struct{})
	w.begin()
	go func() {
		defer w.end()
		defer close(ended)
		defer store.Close()
		o := executor.WorkerOptions{Run: a.Run, Stage: a.Stage, Attempt: a.Number, Digest: digest}
		executor.Work(working, store, registry, o, jobstest.NoSecret, &output{p, pipe})
		terminate()
		_ = pipe.Close() // never fails
	}()
	defer context.AfterFunc(ctx, func() {
		if e.p.alive() {
			terminate() // as SIGTERM does
			return
		}
		_ = stdout.Close() // never fails; nobody listens any more
		if !w.orphans {
			p.die()
		}
	})()
	final := executor.Relay(stdout, sink)
	if !e.p.alive() {
		return executor.Outcome{State: runs.Interrupted, Err: errKilled}
	}
	<-ended
	switch {
	case final != nil:
		return final.Outcome(ctx, e.store, a)
	case ctx.Err() != nil:
		return executor.Outcome{State: runs.Interrupted, Err: stages.ErrInterrupted}
	}
	w.note("worker killed")
	return executor.FromError(stages.Lose(stages.CodeMemory, "", "the worker of stage %s was killed", a.Stage))
}

// output is a worker's standard output: a dead one's is silent.
type output struct {
	p *process
	io.Writer
}

func (o *output) Write(b []byte) (int, error) {
	if !o.p.alive() {
		return len(b), nil
	}
	return o.Writer.Write(b)
}
