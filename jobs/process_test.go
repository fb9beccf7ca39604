package jobs_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// TestMain lets the test binary play the parts of other processes: the worker
// that an executor starts, and a whole runner that a test may kill.
func TestMain(m *testing.M) {
	os.Exit(jobstest.Main(m, map[string]func(args []string) int{
		"play-random": func(args []string) int { return playRandom(args[0], args[1]) },
		"play-six":    func(args []string) int { return playSix(args[0], args[1]) },
	}))
}

// A runner killed at any moment and started again ends with the digests of a
// run that nobody disturbed.
func TestKillAndRunAgain(t *testing.T) {
	whole := t.TempDir()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // far more than all of it takes
	defer cancel()
	want, err := exec.CommandContext(ctx, os.Args[0], "play-runner", whole).Output()
	if err != nil {
		t.Fatal(err)
	}
	span := time.Since(start)
	digestsOf := func(out []byte) string { s, _, _ := strings.Cut(string(out), "]"); return s }
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	killed := 0
	for round := range rounds {
		dir := t.TempDir()
		for range 4 {
			cmd := exec.CommandContext(ctx, os.Args[0], "play-runner", dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			after := time.Duration(random.Int64N(int64(span)))
			timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			if cmd.Wait() != nil {
				killed++
			}
			timer.Stop()
		}
		cmd := exec.CommandContext(ctx, os.Args[0], "play-runner", dir)
		cmd.Stderr = os.Stderr
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("seed %d, round %d: the last run ended with %v", seed, round, err)
		}
		if d := cmp.Diff(digestsOf(want), digestsOf(got)); d != "" {
			t.Fatalf("seed %d, round %d: outputs differ: %s", seed, round, d)
		}
	}
	if killed == 0 {
		t.Errorf("no run was killed within %s: the test tries nothing", span)
	}
	t.Logf("killed %d runs of %s each", killed, span)
}
