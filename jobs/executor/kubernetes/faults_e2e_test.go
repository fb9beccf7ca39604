//go:build e2e && cluster && linux

package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor/kubernetes/kubernetestest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// ninePlan has a stage of nine pieces, with a checkpoint after each.
const ninePlan = "name: nine\nstages:\n  - {name: a, kind: slow, needs: [], with: {text: x, times: 9, pace: 1s, keep: true}}\n"

// work is a run whose stages are at work on a cluster.
type work struct {
	done chan *runs.Result

	mu     sync.Mutex
	log    strings.Builder
	pieces []int64 // the numbers of those that were made, in order
	at     string  // the node
}

// begin starts a run of a plan; bench is where.
func begin(t *testing.T, c *kubernetestest.Cluster, plan string) *work {
	t.Helper()
	w := &work{done: make(chan *runs.Result, 1)}
	b := jobstest.NewBench(t, plan)
	b.Store = openStore(t)
	e := elsewhere(t, c, b.Store)
	b.Tweak = func(r *jobs.Runner) { r.Executor, r.Parallel, r.Observer = e, 6, jobstest.Observe(w.observe) }
	go func() {
		res, err := b.Run()
		if err != nil {
			t.Error(err)
		}
		w.done <- res
	}()
	return w
}

func (w *work) observe(e runs.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.Type == runs.EventProgress && e.Progress != nil:
		w.pieces = append(w.pieces, e.Progress.Done)
	case e.Type == runs.EventNote && e.Note == "node":
		w.at = strings.TrimPrefix(e.Message, "node: ")
	}
	fmt.Fprintf(&w.log, "%s attempt %d: %s %s\n", e.Type, e.Attempt, e.Message, e.Reason)
}

func (w *work) String() string { w.mu.Lock(); defer w.mu.Unlock(); return w.log.String() }

func (w *work) node() string { w.mu.Lock(); defer w.mu.Unlock(); return w.at }

func (w *work) made() []int64 { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.pieces) }

// once waits for the end, and checks that the work was done, and again only what was
// being made at the fault: what a worker said last before it was killed may be lost.
func (w *work) once(t *testing.T, limit time.Duration) *runs.Result {
	t.Helper()
	var res *runs.Result
	select {
	case res = <-w.done:
	case <-time.After(limit):
		t.Fatalf("no end in %s:\n%s", limit, w)
	}
	if res == nil || res.Code != 0 {
		t.Fatalf("result %+v\n%s", res, w)
	}
	if pieces := w.made(); len(pieces) < 8 || len(pieces) > 10 || slices.Max(pieces) != 9 {
		t.Errorf("pieces %v\n%s", pieces, w)
	}
	here := jobstest.NewBench(t, strings.Replace(ninePlan, "pace: 1s, ", "", 1))
	if want, got := jobstest.Digests(here.MustRun(0, "succeeded")), jobstest.Digests(res); !maps.Equal(got, want) || len(got) == 0 {
		t.Errorf("made %v there, %v here", got, want)
	}
	return res
}

// testPreempted: work that gives way to pods of more weight is tried again from its
// checkpoint.
func testPreempted(t *testing.T, c *kubernetestest.Cluster) {
	w := begin(t, c, ninePlan)
	c.Await(time.Minute, "the second piece", func() bool { return len(w.made()) >= 2 })
	for n := range 3 {
		c.Must(http.MethodPost, c.PodsPath(), map[string]any{
			"metadata": map[string]any{"name": fmt.Sprint("urgent", n)},
			"spec": map[string]any{
				"hostNetwork": true, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "priorityClassName": "urgent",
				"containers": []any{map[string]any{
					"name": "one", "image": c.Image, "command": []string{"sleep", "5"},
					"resources": map[string]any{"limits": map[string]any{"nvidia.com/gpu": "1"}},
				}},
			},
		})
	}
	res := w.once(t, 2*time.Minute)
	if res.Stages[0].Attempt != 2 || !strings.Contains(w.String(), "PreemptionByScheduler") {
		t.Errorf("%d attempts, and nothing tells of the preemption:\n%s", res.Stages[0].Attempt, w)
	}
	for n := range 3 {
		c.Must(http.MethodDelete, fmt.Sprint(c.PodsPath(), "/urgent", n), nil)
	}
}

// testLaunchedTwice: controllers that are killed, and find two pods where they want one,
// do the work once.
func testLaunchedTwice(t *testing.T, c *kubernetestest.Cluster) {
	w := begin(t, c, ninePlan)
	c.Await(time.Minute, "the second piece", func() bool { return len(w.made()) >= 2 && len(c.Pods()) == 1 })
	c.KillController()
	name := c.Pods()[0].Metadata.Name
	var second map[string]any
	c.Call(http.MethodGet, c.PodsPath()+"/"+name, nil, &second)
	meta, _ := second["metadata"].(map[string]any)
	second["metadata"] = map[string]any{"name": name + "-2", "labels": meta["labels"], "annotations": meta["annotations"], "ownerReferences": meta["ownerReferences"], "finalizers": meta["finalizers"]}
	spec, _ := second["spec"].(map[string]any)
	delete(spec, "nodeName")
	delete(second, "status")
	c.Must(http.MethodPost, c.PodsPath(), second)
	c.Await(time.Minute, "two workers", func() bool {
		n := 0
		for _, o := range c.Pods() {
			if o.Status.Phase == "Running" {
				n++
			}
		}
		return n == 2
	})
	c.StartController()
	w.once(t, 2*time.Minute)
}

// testNodeLost: the work of a node that is lost is done elsewhere within a minute of the
// cluster noticing.
func testNodeLost(t *testing.T, c *kubernetestest.Cluster) {
	w := begin(t, c, ninePlan)
	c.Await(time.Minute, "the second piece", func() bool { return len(w.made()) >= 2 && w.node() != "" })
	lost := c.NodeNumber(w.node())
	c.KillNode(lost)
	began := time.Now()
	c.Await(time.Minute, "the cluster to notice", func() bool { return !c.Ready(lost) })
	noticed := time.Now()
	res := w.once(t, time.Minute)
	t.Logf("noticed after %s, done %s later", noticed.Sub(began).Round(100*time.Millisecond), time.Since(noticed).Round(100*time.Millisecond))
	if res.Stages[0].Attempt != 2 {
		t.Errorf("%d attempts\n%s", res.Stages[0].Attempt, w)
	}
	c.Await(time.Minute, "the release of its pod", func() bool { return len(c.Pods()) == 0 })
	c.StartNode(lost)
}

// sixPlan has six stages that need nothing from each other.
func sixPlan() string {
	plan := "name: six\nstages:\n"
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		plan += fmt.Sprintf("  - {name: %s, kind: slow, needs: [], with: {text: %[1]s, times: 4, pace: 500ms, keep: true}}\n", name)
	}
	return plan
}

// testSixStages: six stages on three GPUs wait for each other, end, and make what they
// make here; a runner that comes later finds all done.
func testSixStages(t *testing.T, c *kubernetestest.Cluster) {
	all := func(state string) string { return strings.TrimSuffix(strings.Repeat(state+" ", 6), " ") }
	here := jobstest.NewBench(t, sixPlan())
	want := jobstest.Digests(here.MustRun(0, all("succeeded")))
	there := jobstest.NewBench(t, sixPlan())
	there.Store = openStore(t)
	e := elsewhere(t, c, there.Store)
	there.Tweak = func(r *jobs.Runner) { r.Executor, r.Parallel = e, 6 }
	stop, most := make(chan struct{}), 0
	var counting sync.WaitGroup
	counting.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				n := 0
				for _, o := range c.Pods() {
					if o.Status.Phase == "Running" {
						n++
					}
				}
				most = max(most, n)
			}
		}
	})
	res := there.MustRun(0, all("succeeded"))
	close(stop)
	counting.Wait()
	if got := jobstest.Digests(res); !maps.Equal(got, want) || len(got) == 0 {
		t.Errorf("made %v there, %v here", got, want)
	}
	if most < 2 || most > 3 {
		t.Errorf("%d pods ran at once on three GPUs", most)
	}
	queued := slices.ContainsFunc(there.Seen.Events, func(e runs.Event) bool {
		return e.Type == runs.EventLog && strings.Contains(e.Message, "Insufficient nvidia.com/gpu")
	})
	if !queued {
		lines, _ := json.Marshal(there.Seen.Events)
		t.Errorf("nothing tells of a stage that waits for a GPU: %s", lines)
	}
	there.MustRun(0, all("cached"))
}
