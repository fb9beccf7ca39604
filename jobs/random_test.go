package jobs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// randomPlan is a plan of any shape with stages that end in any way.
type randomPlan struct {
	text  string
	names []string
	needs map[string][]string
	ends  map[string]string
}

// endCodes are the exit codes of the toys' ends; the rest is code 0.
var endCodes = map[string]stages.Code{"fail": 11, "lost": 4, "verdict": 5, "panic": 1, "short": 1, "flaky": 1}

func newRandomPlan(random *rand.Rand) randomPlan {
	p := randomPlan{needs: map[string][]string{}, ends: map[string]string{}}
	var b strings.Builder
	b.WriteString("name: random\nstages:\n")
	for i := range 1 + random.IntN(10) {
		name := fmt.Sprintf("s%d", i)
		var reads []string
		for j := range i {
			if random.IntN(i) < 2 { // about two needs each
				p.needs[name] = append(p.needs[name], fmt.Sprintf("s%d", j))
				if random.IntN(3) > 0 {
					reads = append(reads, fmt.Sprintf("a%d", j))
				}
			}
		}
		p.ends[name] = "done"
		retry := "{failure: 0, network: 1}"
		if random.IntN(4) == 0 {
			p.ends[name] = []string{"fail", "lost", "verdict", "panic", "short", "flaky", "flaky"}[random.IntN(7)]
			if p.ends[name] == "flaky" && random.IntN(2) == 0 {
				p.ends[name], retry = "healed", "{failure: 2}"
			}
		}
		end := p.ends[name]
		if end == "healed" {
			end = "flaky"
		}
		// Stages stand in the plan in any order.
		line := fmt.Sprintf("  - {name: %s, kind: node, needs: [%s], retry: %s, with: {reads: [%s], makes: a%d, text: t%d, end: %s}}\n",
			name, strings.Join(p.needs[name], ", "), retry, strings.Join(reads, ", "), i, i, end)
		p.names = append(p.names, line)
	}
	random.Shuffle(len(p.names), func(i, j int) { p.names[i], p.names[j] = p.names[j], p.names[i] })
	for i, line := range p.names {
		b.WriteString(line)
		rest := strings.TrimPrefix(line, "  - {name: ")
		p.names[i] = rest[:strings.IndexByte(rest, ',')]
	}
	p.text = b.String()
	return p
}

// foresee works out the end of every stage if all that can run does.
func (p randomPlan) foresee() map[string]runs.State {
	out := map[string]runs.State{}
	for i := range len(p.names) { // needs only point to lower numbers
		name := fmt.Sprintf("s%d", i)
		out[name] = runs.Succeeded
		switch end := p.ends[name]; {
		case slices.ContainsFunc(p.needs[name], func(n string) bool { return !out[n].Done() }):
			out[name] = runs.Skipped
		case end == "lost":
			out[name] = runs.Lost
		case endCodes[end] != 0:
			out[name] = runs.Failed
		}
	}
	return out
}

// check holds a result to the rules that every run obeys.
func (p randomPlan) check(res *runs.Result, keepGoing bool) error {
	want := p.foresee()
	code := stages.CodeDone
	for i, s := range res.Stages {
		if s.Name != p.names[i] {
			return fmt.Errorf("stage %d is %s, the plan says %s", i, s.Name, p.names[i])
		}
		allowed := s.State == want[s.Name] || s.State == runs.Cached && want[s.Name] == runs.Succeeded
		if !keepGoing {
			allowed = allowed || s.State == runs.Skipped
		}
		if !allowed {
			return fmt.Errorf("stage %s is %s, want %s", s.Name, s.State, want[s.Name])
		}
		if s.State.Done() && len(s.Outputs) != 1 {
			return fmt.Errorf("stage %s is %s without its output", s.Name, s.State)
		}
		if code == 0 && (s.State == runs.Failed || s.State == runs.Lost) {
			code = endCodes[p.ends[s.Name]]
		}
	}
	if res.Code != code {
		return fmt.Errorf("code %d (%s), the first that failed says %d", res.Code, res.Error, code)
	}
	if code == 0 && slices.ContainsFunc(res.Stages, func(s runs.StageResult) bool { return !s.State.Done() }) {
		return fmt.Errorf("code 0 with %s", jobstest.States(res))
	}
	return nil
}

// randomBench is a working place for the plan of a seed.
func randomBench(ctx context.Context, t testing.TB, seed uint64, store *storage.Store, dir string) (*jobstest.Bench, randomPlan, *rand.Rand) {
	random := rand.New(rand.NewPCG(seed, 1))
	p := newRandomPlan(random)
	b := &jobstest.Bench{T: t, Dir: dir, Plan: p.text, Count: &jobstest.Counter{}, Ctx: ctx, Store: store}
	b.Registry = jobstest.Kinds(b.Count)
	return b, p, random
}

// A run of any graph with any failures ends, its states fit together, its code
// is that of the first stage in plan order that failed, and the next run does
// only what was not done.
func TestAnyGraph(t *testing.T) {
	rounds := []int{60, 500, 10_000}[jobstest.Tier]
	base := uint64(time.Now().UnixNano())
	if text := os.Getenv("TOY_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		base, rounds = seed, 1
	}
	leaks := goroutines(t)
	stages := 0
	for i := range rounds {
		seed := base + uint64(i)
		failed := func(format string, args ...any) {
			t.Errorf("replay with TOY_SEED=%d: %s", seed, fmt.Sprintf(format, args...))
		}
		injector, err := faults.Open(fmt.Sprintf("lost-reply@0.1/%d,busy@0.1/%d", seed, seed+1))
		if err != nil {
			t.Fatal(err)
		}
		store, err := storage.Open(t.Context(), "mem://", &storage.Options{Around: injector.Around, Backoff: time.Microsecond, Tries: 20})
		if err != nil {
			t.Fatal(err)
		}
		b, p, random := randomBench(t.Context(), t, seed, store, t.TempDir())
		keepGoing, parallel := random.IntN(2) == 0, 1+random.IntN(4)
		b.Tweak = func(r *jobs.Runner) { r.KeepGoing, r.Parallel, r.Backoff = keepGoing, parallel, time.Microsecond }
		res, err := b.Run()
		if err != nil {
			failed("%v", err)
			continue
		}
		if err := p.check(res, keepGoing); err != nil {
			failed("%v\n%s", err, p.text)
		}
		if record, err := runs.LoadRecord(t.Context(), store, *res.Run); err != nil || record.Code != res.Code || len(record.Stages) != len(res.Stages) {
			failed("the stored end is %+v, %v", record, err)
		}
		// The second run keeps going and does what is left.
		b.Count.N = nil
		b.Tweak = func(r *jobs.Runner) { r.KeepGoing, r.Parallel, r.Backoff = true, parallel, time.Microsecond }
		second, err := b.Run()
		if err != nil {
			failed("the second run: %v", err)
			continue
		}
		if err := p.check(second, true); err != nil {
			failed("the second run: %v\n%s", err, p.text)
		}
		for i, s := range res.Stages {
			if s.State.Done() && (second.Stages[i].State != runs.Cached || b.Count.N[s.Name] != 0) {
				failed("%s was done and is %s, run %d times", s.Name, second.Stages[i].State, b.Count.N[s.Name])
			}
			if s.State == runs.Failed && p.ends[s.Name] == "verdict" && b.Count.N[s.Name] != 0 {
				failed("the verdict of %s was measured again", s.Name)
			}
		}
		stages += len(p.names)
		store.Close()
	}
	t.Logf("%d graphs, %d stages, first seed %d", rounds, stages, base)
	leaks(t)
}

// playRandom is a child that runs the plan of a seed with the faults of its
// environment.
func playRandom(dir, text string) int {
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 2
	}
	injector, err := faults.Open(os.Getenv(faults.Env))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx := context.Background()
	store, err := storage.Open(ctx, filepath.Join(dir, "store"), &storage.Options{Around: injector.Around, Backoff: time.Millisecond, Tries: 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	b, _, _ := randomBench(ctx, &testing.B{}, seed, store, dir)
	b.Tweak = func(r *jobs.Runner) { r.KeepGoing, r.Parallel, r.TTL = true, 2, 20*time.Second }
	res, err := b.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return int(executor.Code(err))
	}
	return int(res.Code)
}

// A run of any graph that is killed at any operation, several times over, ends
// as one that nobody disturbed.
func TestAnyGraphKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a killed process looks like one that ended with 1")
	}
	rounds := []int{4, 40, 400}[jobstest.Tier]
	base := uint64(time.Now().UnixNano())
	killed := 0
	for i := range rounds {
		seed := base + uint64(i)
		random := rand.New(rand.NewPCG(seed, 2))
		dir := t.TempDir()
		var history []string
		for range 3 {
			fault := fmt.Sprintf("%s@%d,lost-reply@0.2/%d", kills[random.IntN(3)], 20+random.IntN(120), random.Uint64())
			history = append(history, fault)
			cmd := exec.Command(os.Args[0], "play-random", dir, strconv.FormatUint(seed, 10))
			cmd.Env = append(os.Environ(), faults.Env+"="+fault)
			_ = cmd.Run()
			if !cmd.ProcessState.Exited() {
				killed++
			}
		}
		store, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
		if err != nil {
			t.Fatal(err)
		}
		before := manifests(t, store)
		b, p, _ := randomBench(t.Context(), t, seed, store, dir)
		b.Tweak = func(r *jobs.Runner) { r.KeepGoing, r.TTL = true, 20*time.Second }
		res, err := b.Run()
		if err == nil {
			err = p.check(res, true)
		}
		if err != nil {
			t.Errorf("seed %d after %v: %v\n%s", seed, history, err, p.text)
			continue
		}
		calm, err := storage.Open(t.Context(), "mem://", nil)
		if err != nil {
			t.Fatal(err)
		}
		undisturbed, _, _ := randomBench(t.Context(), t, seed, calm, t.TempDir())
		undisturbed.Tweak = b.Tweak
		want, err := undisturbed.Run()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(jobstest.Digests(want), jobstest.Digests(res)); d != "" {
			t.Errorf("seed %d after %v: outputs differ: %s", seed, history, d)
		}
		for _, s := range res.Stages {
			if before["node/"+s.Key] > 0 && b.Count.N[s.Name] > 0 {
				t.Errorf("seed %d after %v: %s was committed and ran again", seed, history, s.Name)
			}
		}
		for key, n := range manifests(t, store) {
			if n != 1 {
				t.Errorf("seed %d after %v: %d manifests of %s", seed, history, n, key)
			}
		}
		store.Close()
		calm.Close()
	}
	t.Logf("%d graphs, %d kills, first seed %d", rounds, killed, base)
}
