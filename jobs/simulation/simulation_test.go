// Package simulation runs the shipped Runner and Store in worlds that a seed
// determines: several users run plans on one store until these are done, while
// operations fail, hang, lose their replies and kill the process that asked for
// them, and while clocks are wrong.
//
// A world is a bubble of testing/synctest. Every operation on the store waits at
// storage.Options.Around for its turn, which a scheduler gives when nothing else
// moves; it alone draws by chance, from the seed. So a seed is one history:
//
//	go test ./jobs/simulation -run TestSeeds -seed 4711 -v
//
// runs that world and prints its operations, the same ones each time, with the
// virtual millisecond of each. Further flags: -plant NAME gives its first user a
// mistake, -from N and -worlds N choose the seeds of a longer run. What is logged of
// many worlds begins with a digest of all their histories: it is the same in each
// process, and a change that should change nothing keeps it.
//
// What is real: Runner, Store, the driver of folders, executor.InProcess, the
// protocol between a runner and its workers. What is played: processes (a killed one
// is a set of goroutines whose operations are not done any more), the time, the
// store's clock. What is checked is listed in invariants_test.go.
//
//	world_test.go       the scheduler, and what an operation goes through
//	scenario_test.go    what a seed draws: plan, users, faults
//	process_test.go     users, their runs, and workers
//	invariants_test.go  what must be so, at each operation and at the end
//	plants_test.go      mistakes that the invariants must find
package simulation

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

var (
	oneSeed  = flag.String("seed", "", "simulate only the world of this seed, and print its operations with -v")
	mistake  = flag.String("plant", "", "the mistake of the first user of each world")
	fromSeed = flag.Uint64("from", 0, "the first seed")
	worlds   = flag.Uint64("worlds", []uint64{200, 600, 10_000}[jobstest.Tier], "the number of seeds")
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // worlds are small, and leave much behind
	os.Exit(inmemory.Run(m))
}

// TestSeeds: whatever goes wrong, every world ends as one without faults does.
func TestSeeds(t *testing.T) {
	known := &references{}
	if *oneSeed != "" {
		w := known.simulate(t, draw(parseSeed(t, *oneSeed), plant(*mistake)))
		t.Log("operations:\n" + strings.Join(w.trace, "\n"))
		for _, v := range w.violations {
			t.Error(v)
		}
		return
	}
	n := *worlds
	if testing.Short() {
		n /= 10
	}
	const shards = 4
	var mu sync.Mutex
	seen, operations := map[string]int{}, 0
	histories := make([][sha256.Size]byte, n)
	t.Run("shards", func(t *testing.T) {
		for shard := range uint64(shards) {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for seed := *fromSeed + shard; seed < *fromSeed+n; seed += shards {
					w := known.simulate(t, draw(seed, plant(*mistake)))
					for _, v := range w.violations {
						t.Errorf("-seed %d: %s", seed, v)
					}
					histories[seed-*fromSeed] = sha256.Sum256([]byte(strings.Join(w.trace, "\n")))
					mu.Lock()
					operations += len(w.trace)
					for what, times := range w.seen {
						seen[what] += times
					}
					mu.Unlock()
				}
			})
		}
	})
	all := sha256.New()
	for _, h := range histories {
		all.Write(h[:])
	}
	t.Logf("%d worlds, %d operations, histories %.6x, %v", n, operations, all.Sum(nil), seen)
	for what, least := range rarities {
		if n >= least && seen[what] == 0 {
			t.Errorf("in none of %d worlds: %s", n, what)
		}
	}
}

// TestReplay: the same seed gives the same operations, on one processor as on
// several.
func TestReplay(t *testing.T) {
	known := &references{}
	for seed := range []uint64{12, 50, 1000}[jobstest.Tier] {
		one := known.simulate(t, draw(seed, ""))
		before := runtime.GOMAXPROCS(1 + 3*int(seed%2))
		two := known.simulate(t, draw(seed, ""))
		runtime.GOMAXPROCS(before)
		if d := cmp.Diff(one.trace, two.trace); d != "" {
			t.Fatalf("-seed %d: %d and %d operations: %s", seed, len(one.trace), len(two.trace), d)
		}
	}
	if slices.Equal(known.simulate(t, draw(1, "")).trace, known.simulate(t, draw(2, "")).trace) {
		t.Error("two seeds give one world")
	}
}

// TestPlants: each mistake is found in one of 10,000 worlds.
func TestPlants(t *testing.T) {
	known := &references{}
	for p, says := range plants {
		t.Run(string(p), func(t *testing.T) {
			if testing.Short() && p == aliasWithoutCompare {
				t.Skip("it takes a hundred worlds")
			}
			t.Parallel()
			for seed := range uint64(10_000) {
				for _, v := range known.simulate(t, draw(seed, p)).violations {
					if strings.Contains(v, says) {
						t.Logf("found with -seed %d: %s", seed, v)
						return
					}
				}
			}
			t.Error("not found")
		})
	}
}
