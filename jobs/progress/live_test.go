package progress

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

func state(stage string, s runs.State, reason string) runs.Event {
	return runs.Event{Type: runs.EventState, Stage: stage, State: &s, Reason: reason}
}

func reported(stage string, p stages.Progress) runs.Event {
	return runs.Event{Type: runs.EventProgress, Stage: stage, Progress: &p}
}

// two is a plan of two stages, one after the other.
var two = &graph.Graph{Nodes: []*graph.Node{{Name: "fetch"}, {Name: "train", Needs: []string{"fetch"}}}}

// watch shows what do tells a view of two stages; the clock stands still but for sleep.
func watch(t *testing.T, mode string, estimates map[string]float64, do func(View)) string {
	t.Helper()
	var results, out strings.Builder
	synctest.Test(t, func(t *testing.T) {
		v := New(mode, Options{
			Out: &sanitize.Writer{Out: &results}, Err: &sanitize.Writer{Out: &out},
			Getenv: func(string) string { return "1" }, Log: slog.New(slog.DiscardHandler), Graph: two, Parallel: 2,
		})
		v.Observe(runs.Event{Type: runs.EventRun, Stages: []string{"fetch", "train"}, Estimates: estimates})
		do(v)
		v.Close()
	})
	if mode == "github" {
		return results.String()
	}
	return out.String()
}

// TestHeartbeatOnGithub: a job's log is not silent while a stage is long at work.
func TestHeartbeatOnGithub(t *testing.T) {
	got := watch(t, "github", nil, func(v View) {
		v.Observe(state("train", runs.Running, "never done"))
		sleep(65 * time.Second)
	})
	if n := strings.Count(got, "never done\n"); n != 3 || !strings.Contains(got, "train        60s  never done\n") {
		t.Errorf("%d lines in\n%s", n, got)
	}
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestHeartbeat: a stage of which nothing was written for 30 s is told of, each by
// itself, also while its demands are tried; one that has ended is not.
func TestHeartbeat(t *testing.T) {
	got := watch(t, "plain", nil, func(v View) {
		v.Observe(reported("train", stages.Progress{Done: 1e6, Total: 90e6, Unit: "bytes", Text: "downloading"}))
		sleep(20 * time.Second)
		v.Observe(reported("train", stages.Progress{Done: 12e6, Total: 90e6, Unit: "bytes", Text: "downloading"}))
		sleep(10 * time.Second)
		v.Observe(state("fetch", runs.Running, "never done"))
		sleep(29 * time.Second)
		v.Observe(state("fetch", runs.Succeeded, ""))
		v.Observe(state("train", runs.Running, "never done"))
		sleep(59 * time.Second)
		v.Observe(reported("train", stages.Progress{Done: 40, Total: 108, Unit: "steps", Loss: 0.31, Left: 91 * time.Second}))
		sleep(time.Second)
		v.Observe(state("train", runs.Succeeded, ""))
		sleep(time.Minute)
	})
	want := `train        30s  downloading 12 of 90 MB
fetch      running: never done; stage 1 of 2
fetch      succeeded in 0.0 s
train      running: never done; stage 2 of 2
train        30s  never done
train        60s  step 40 of 108, loss 0.3100, about 90 s left
train      succeeded in 0.0 s
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestLiveLines: the terminal shows what a demand downloads, and how far the run is.
func TestLiveLines(t *testing.T) {
	got := watch(t, "tty", nil, func(v View) {
		v.Observe(reported("train", stages.Progress{Done: 12e6, Total: 90e6, Unit: "bytes", Text: "downloading"}))
		sleep(time.Second)
		v.Observe(state("fetch", runs.Cached, "unchanged"))
		v.Observe(state("train", runs.Running, "never\ndone"))
		sleep(time.Second)
	})
	for _, want := range []string{"train         1s  downloading 12 of 90 MB\nstage 1 of 2\n", "train         1s  never done\nstage 2 of 2\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%q", want, got)
		}
	}
	if _, last, _ := strings.Cut(got, "never done"); strings.Contains(last, "downloading") {
		t.Errorf("the download stays: %q", last)
	}
}

// TestTimeLeft: what is left is the estimates of what is not done, less the time that the
// stage at work has taken; a new estimate of it, and what it says itself, count for more.
func TestTimeLeft(t *testing.T) {
	got := watch(t, "tty", map[string]float64{"fetch": 20, "train": 100}, func(v View) {
		v.Observe(state("fetch", runs.Running, "a"))
		sleep(15 * time.Second)
		v.Observe(state("fetch", runs.Succeeded, ""))
		e := state("train", runs.Running, "b")
		e.Estimates = map[string]float64{"train": 50}
		v.Observe(e)
		sleep(10 * time.Second)
		v.Observe(reported("train", stages.Progress{Total: 2, Unit: "programs", Text: "compiling", Left: 30 * time.Second}))
		sleep(time.Second)
		v.Observe(reported("train", stages.Progress{Text: "c", Left: 8 * time.Second}))
		sleep(3 * time.Second)
	})
	for _, want := range []string{
		"    0s  a\nstage 1 of 2, about 120 s left\n", "   10s  a\nstage 1 of 2, about 110 s left\n",
		"    0s  b\nstage 2 of 2, about 50 s left\n", "   10s  b\nstage 2 of 2, about 40 s left\n",
		"   11s  compiling 0 of 2 programs, about 30 s left\nstage 2 of 2, about 80 s left\n",
		"   13s  c, about 8 s left\nstage 2 of 2, about 6 s left\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%q", want, got)
		}
	}
	if got := watch(t, "plain", map[string]float64{"fetch": 20}, func(v View) { v.Observe(state("fetch", runs.Running, "a")) }); got != "fetch      running: a; stage 1 of 2\n" {
		t.Errorf("with an unknown stage %q", got)
	}
}

// TestNarrowedTerminal: lines that a narrower terminal has broken are taken back whole.
func TestNarrowedTerminal(t *testing.T) {
	for width, want := range map[int]int{80: 3, 40: 4, 20: 6} {
		if got := rowsOf([]int{79, 0, 20}, width); got != want {
			t.Errorf("%d wide: %d rows, want %d", width, got, want)
		}
	}
}
