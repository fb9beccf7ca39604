package places

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

// spot are places of which some have machines that they may take away.
const spot = `executors:
  a-hosts: {kind: ssh, hosts: [b], offers: {gpus: 1}}
  b-cluster: {kind: slurm, offers: {gpus: 1}}
  c-cluster: {kind: slurm, preemptible: {qos: scavenger}, offers: {gpus: 1}}
  d-pods: {kind: kubernetes, preemptible: {node_selector: {karpenter.sh/capacity-type: spot}}}
  e-pods: {kind: kubernetes}
  hub: {kind: hf, namespace: us}
`

// TestPreemptible: a stage that may be interrupted goes by itself only to a place that has
// such machines, and is refused where it is told to go and there are none.
func TestPreemptible(t *testing.T) {
	for name, c := range map[string]struct{ demand, executor, goes, err, hint string }{
		"by itself":       {"gpus: 1, preemptible: true", "auto", "c-cluster", "", ""},
		"stays":           {"preemptible: true", "auto", "", "", ""},
		"told to stay":    {"gpus: 1, preemptible: true", "local", "", "", ""},
		"told":            {"preemptible: true", "slow=d-pods", "d-pods", "", ""},
		"hosts":           {"preemptible: true", "slow=a-hosts", "", "kind ssh have none", "take `preemptible` out"},
		"hub":             {"preemptible: true", "hub", "", "kind hf have none", "take `preemptible` out"},
		"cluster silent":  {"preemptible: true", "b-cluster", "", "does not say", "executors.b-cluster preemptible: {partition: NAME}"},
		"pods silent":     {"preemptible: true", "e-pods", "", "does not say", "executors.e-pods preemptible: {node_selector:"},
		"nobody has both": {"gpus: 9, preemptible: true", "auto", "", "of a preemptible machine", "plan.yaml:4"},
	} {
		t.Run(name, func(t *testing.T) {
			b := jobstest.NewBench(t, "name: p\nstages:\n  - name: make\n  - {name: slow, needs: [], with: {keep: true}, resources: {"+c.demand+"}}\n")
			goes, err := choose(load(t, spot, c.executor), b.Graph())
			if goes["slow"] != c.goes || (err != nil) != (c.err != "") {
				t.Errorf("goes to %v, error %v", goes, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.err) || !strings.Contains(executor.Hint(err), c.hint) || executor.Code(err) != 4) {
				t.Errorf("%v (code %d), hint %q", err, executor.Code(err), executor.Hint(err))
			}
		})
	}
}

// TestOrder: the first executor of the config that offers what a stage demands gets it,
// whatever it is called.
func TestOrder(t *testing.T) {
	for first, text := range map[string]string{
		"zeta":  "executors:\n  zeta: {kind: ssh, hosts: [b], offers: {gpus: 1}}\n  alpha: {kind: ssh, hosts: [a], offers: {gpus: 1}}\n",
		"omega": "executors: {none: {kind: ssh, hosts: [b]}, omega: {kind: ssh, hosts: [b], offers: {gpus: 2}}, beta: {kind: ssh, hosts: [a], offers: {gpus: 1}}}\n",
	} {
		b := jobstest.NewBench(t, "name: p\nstages:\n  - name: make\n  - {name: slow, needs: [], with: {keep: true}, resources: {gpus: 1}}\n")
		if goes, err := choose(load(t, text, "auto"), b.Graph()); err != nil || goes["slow"] != first {
			t.Errorf("goes to %v, want %s (%v)", goes, first, err)
		}
	}
}

const twoPlaces = `executors:
  big: {kind: ssh, hosts: [b], offers: {gpus: 1, gpu_type: h100, memory: 80GB}}
  small: {kind: ssh, hosts: [a], offers: {gpus: 1}}
`

func load(t *testing.T, text, executorWord string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.LoadConfig(config.Source{File: file, Flags: map[string]any{"executor": executorWord}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestChoose: a stage goes where it is told to, else to the first executor that offers
// what it demands, else it stays; what nobody has is refused with the line to change.
func TestChoose(t *testing.T) {
	plan := func(demand string) string {
		return "name: p\nstages:\n  - name: make\n  - {name: slow, needs: [], resources: {" + demand + "}}\n"
	}
	for name, c := range map[string]struct{ demand, executor, goes, err string }{
		"nothing demanded":     {"", "auto", "", ""},
		"the first that meets": {"gpus: 1", "auto", "big", ""},
		"by type":              {"gpu_type: H100", "auto", "big", ""},
		"what is not said":     {"gpus: 1, disk: 1TB", "auto", "big", ""},
		"too much memory":      {"gpus: 1, memory: 81GB", "auto", "small", ""},
		"told":                 {"gpus: 1", "slow=small", "small", ""},
		"told to stay":         {"gpus: 1", "slow=local", "", ""},
		"told for all":         {"", "small", "small", ""},
		"nobody has it":        {"gpus: 9", "auto", "", "plan.yaml:4"},
		"no such executor":     {"", "smal", "", `no executor is called "smal"`},
		"no such stage":        {"", "slo=small", "", `no stage "slo"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := jobstest.NewBench(t, plan(c.demand))
			goes, err := choose(load(t, twoPlaces, c.executor), b.Graph())
			text := ""
			if err != nil {
				text = err.Error() + executor.Hint(err)
			}
			if goes["slow"] != c.goes || goes["make"] != "" || (err != nil) != (c.err != "") || !strings.Contains(text, c.err) {
				t.Errorf("goes to %v, error %q", goes, text)
			}
		})
	}
}

// TestLimitsByDefault: a config that is silent has the limits that code falls back to.
func TestLimitsByDefault(t *testing.T) {
	o, err := load(t, twoPlaces, "auto").ExecutorOptions("big")
	if err != nil {
		t.Fatal(err)
	}
	if want := (config.Limits{Queue: executor.DefaultQueue, Start: executor.DefaultStart, Grace: executor.DefaultGrace}); o.Limits != want {
		t.Errorf("%+v, want %+v", o.Limits, want)
	}
}

// TestLocalStore: a store that is of this machine alone is refused before anything runs.
func TestLocalStore(t *testing.T) {
	for _, url := range []string{t.TempDir(), "mem://"} {
		s, err := storage.Open(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, _, err = Open(Options{Config: load(t, twoPlaces, "auto"), Store: s}, "big", nil)
		if err == nil || executor.Code(err) != 4 || !strings.Contains(executor.Hint(err), "s3://") {
			t.Errorf("%s: %v", url, err)
		}
		s.Close()
	}
}
