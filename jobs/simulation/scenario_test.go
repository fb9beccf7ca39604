package simulation

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// scenario is what a seed stands for: who runs which plan, and what goes wrong how
// often. Each kind of fault is absent from many scenarios: what it hides is found
// where it is not.
type scenario struct {
	seed     uint64
	shape    uint64 // of the plan
	users    int
	variants bool // every second user runs the plan with another option
	parallel int
	ttl      time.Duration
	plant    plant // of the first user

	delay      time.Duration // of most operations, at most
	stalls     float64       // operations that hang for up to three ttls
	busy       float64
	lost       float64
	kills      float64
	outages    float64 // operations that find the store out of reach, for up to two ttls
	pauses     float64 // operations after which a process stands still, for half a ttl to two
	interrupts float64 // lives that a signal ends
	deadlines  float64 // lives with a deadline
	workers    float64 // attempts in a process of their own
	orphans    bool    // workers outlive their runner
	clocks     bool    // of machines are wrong
	collects   bool    // a gc runs beside, on a store that has a past
	promotes   bool    // two users move the alias meanwhile
}

// shapes is the number of plans.
const shapes = 16

// draw makes the scenario of a seed.
func draw(seed uint64, p plant) scenario {
	random := rand.New(rand.NewPCG(seed, 0))
	upTo := func(most float64) float64 {
		if random.IntN(3) == 0 {
			return 0
		}
		return most * random.Float64()
	}
	s := scenario{
		seed: seed, plant: p, shape: random.Uint64N(shapes), users: 2 + random.IntN(2), variants: random.IntN(2) == 0, parallel: 1 + random.IntN(3),
		ttl: 6 * time.Second, delay: time.Duration(1+random.IntN(40)) * grain,
		stalls: upTo(0.01), busy: upTo(0.1), lost: upTo(0.2), kills: upTo(0.012), outages: upTo(0.005), pauses: upTo(0.01),
		interrupts: upTo(0.5), deadlines: upTo(0.3), workers: upTo(1), orphans: random.IntN(3) > 0, clocks: random.IntN(2) == 0,
		collects: random.IntN(3) == 0, promotes: random.IntN(3) == 0,
	}
	if p == aliasWithoutCompare || p == leaseWithoutCompare {
		// Their moment is a pause between a look and a write.
		s.users, s.variants, s.promotes, s.stalls, s.collects = 4, true, true, 0.05, false
	}
	if p == absenceRemembered {
		s.collects = true
	}
	return s
}

// quiet is the scenario of a user for each variant, whom nothing disturbs.
func quiet(shape uint64) scenario {
	return scenario{shape: shape, users: variantCount, variants: true, parallel: 1, ttl: 6 * time.Second, delay: grain}
}

// variantCount is the number of variants of a plan: bit 0 makes another release, bit 1 gives each stage
// another key and the same content.
const variantCount = 4

// variant is the one that a user runs. Beside a gc it is never that of the past: what
// stages make is in the store then, and is nobody's.
func (w *world) variant(slot int) int {
	v := slot % variantCount
	switch {
	case !w.variants:
		v = 0
	case w.users < variantCount:
		v = slot % 2
	}
	if w.collects && !w.inPast {
		v |= 2
	}
	return v
}

func parseSeed(t *testing.T, text string) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// planOf is the plan of a shape: stages that read some of those before them, and a
// release at the end. No sum of their paces is one of the runner's periods.
func planOf(shape uint64) string {
	random := rand.New(rand.NewPCG(shape, 2))
	var b strings.Builder
	b.WriteString("name: simulated\nstages:\n")
	nodes := 2 + random.IntN(3)
	for i := range nodes {
		var reads, needs []string
		for j := range i {
			if random.IntN(2) == 0 {
				needs, reads = append(needs, fmt.Sprintf("n%d", j)), append(reads, fmt.Sprintf("a%d", j))
			}
		}
		name, makes := fmt.Sprintf("n%d", i), fmt.Sprintf("a%d", i)
		if i == nodes-1 {
			name, makes = "last", "end"
		}
		end := "end: done"
		if random.IntN(4) == 0 {
			end = "end: flaky" // it fails twice
		}
		kind, pace := "node", 37<<random.IntN(6)
		if random.IntN(3) == 0 {
			kind, pace = "early", 37<<7
		}
		fmt.Fprintf(&b, "  - {name: %s, kind: %s, needs: [%s], retry: {failure: 2}, with: {reads: [%s], makes: %s, text: t%d, times: %d, pace: %dms, keep: %t, %s}}\n",
			name, kind, strings.Join(needs, ", "), strings.Join(reads, ", "), makes, i, 1+random.IntN(3), pace, random.IntN(2) == 0, end)
	}
	b.WriteString("  - {name: ship}\n")
	return b.String()
}

// reference is a shape's plan in its variants, and what a world without faults
// made of them.
type reference struct {
	graphs  [variantCount]*graph.Graph
	digests [variantCount]map[string]string // of the results
	commits map[string]commit               // by kind/key
}

// references are made once for each shape, for all tests that ask at once.
type references struct {
	making [shapes]sync.Mutex
	known  [shapes]*reference
}

// of returns the reference of a shape.
func (all *references) of(t *testing.T, shape uint64) *reference {
	t.Helper()
	all.making[shape].Lock()
	defer all.making[shape].Unlock()
	if known := all.known[shape]; known != nil {
		return known
	}
	known := &reference{}
	for variant := range known.graphs {
		b := &jobstest.Bench{T: t, Dir: t.TempDir(), Ctx: t.Context(), Plan: planOf(shape), Registry: registry}
		if variant&1 != 0 {
			b.Set = append(b.Set, "last.text=other")
		}
		if variant&2 != 0 {
			b.Plan = strings.ReplaceAll(b.Plan, "makes: ", "rate: 0.7, makes: ")
		}
		known.graphs[variant] = b.Graph()
	}
	w := simulate(t, quiet(shape), known)
	for _, v := range w.violations {
		t.Fatalf("nothing disturbed the plan of shape %d: %s", shape, v)
	}
	known.digests, known.commits = w.digests, w.commits
	all.known[shape] = known
	return known
}

// simulate lets a scenario happen, beside its reference.
func (all *references) simulate(t *testing.T, s scenario) *world {
	t.Helper()
	return simulate(t, s, all.of(t, s.shape))
}

// disturbed reports whether faults happen now.
func (w *world) disturbed() bool { return !w.inPast && w.now() < calmAfter }

// latency is how long the next operation is on its way.
func (w *world) latency() time.Duration {
	if w.disturbed() && w.random.Float64() < w.stalls {
		return time.Duration(w.random.Int64N(int64(3*w.ttl/grain))) * grain
	}
	return time.Duration(w.random.Int64N(int64(w.delay/grain)+1)) * grain
}

// draw decides what happens to an operation whose turn it is.
func (w *world) draw(r *request) fault {
	if !w.disturbed() {
		return none
	}
	if w.now() < r.p.unreachableUntil {
		return busy
	}
	after := func(least, most time.Duration) time.Duration {
		return w.now() + least + time.Duration(w.random.Int64N(int64((most-least)/grain)))*grain
	}
	x := w.random.Float64()
	for _, f := range []struct {
		chance float64
		fault  fault
		begin  func()
	}{
		{w.kills / 2, killBefore, nil},
		{w.kills / 2, killAfter, nil},
		{w.busy, busy, nil},
		{w.lost, lostReply, nil},
		{w.outages, busy, func() { r.p.unreachableUntil = after(0, 2*w.ttl); w.note("outage") }},
		{w.pauses, none, func() { r.p.pausedUntil = after(w.ttl/2, 2*w.ttl); w.note("pause") }},
	} {
		if x -= f.chance; x < 0 {
			if f.begin != nil {
				f.begin()
			}
			return f.fault
		}
	}
	return none
}
