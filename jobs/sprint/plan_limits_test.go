package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

const limitedConfig = `executors:
  cluster: {kind: slurm, preemptible: {qos: scavenger}, limits: {queue: 90m, grace: 30s}}
  gpu: {kind: ssh, hosts: [nowhere.invalid]}
executor: label=cluster
`

// TestPlanLimits: plan says where stages go, how long each part of their jobs may take by
// the words of the config, and how often their machine may be taken away.
func TestPlanLimits(t *testing.T) {
	stage := "- name: label\n    timeout: 2h\n    resources: {preemptible: true}\n    retry: {interruptions: 7}\n    with: {source: [rules, encoder], encoder: {model: all-minilm-l6-v2}}\n"
	dir, url := demo(t, map[string]string{"config.yaml": limitedConfig, "spot.yaml": strings.Replace(goodPlan, "- name: label\n", stage, 1)}), storagetest.S3URL(t, nil)()
	say := func(args ...string) (string, string) {
		t.Helper()
		t.Chdir(dir)
		var out, stderr bytes.Buffer
		env := append(os.Environ(), "HOME="+t.TempDir())
		if code := run(t.Context(), append(args, "--store", url, "--offline"), env, strings.NewReader(""), &out, &stderr); code != 0 {
			t.Fatalf("%v: code %d: %s", args, code, &stderr)
		}
		return out.String(), stderr.String()
	}
	if out, _ := say("plan"); strings.Contains(out, "QUEUE") {
		t.Errorf("a plan without anything to tell:\n%s", out)
	}
	out, _ := say("plan", "spot.yaml", "--config", "config.yaml")
	var got []string
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 2 && words[1] == "cluster" {
			got = words
		}
	}
	if want := "label cluster 1h30m 15m 2h 30s preemptible, 7 interruptions at most, on demand after 2"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q in\n%s", got, want, out)
	}
	text, _ := say("plan", "spot.yaml", "--config", "config.yaml", "-o", "json")
	var answer struct {
		Stages []struct {
			Stage string
			Place struct {
				Executor      string
				Limits        map[string]string
				Interruptions int
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	for _, s := range answer.Stages {
		if s.Stage == "label" && (s.Place.Executor != "cluster" || s.Place.Limits["queue"] != "1h30m" || s.Place.Limits["run"] != "2h" || s.Place.Interruptions != 7) {
			t.Errorf("%s", text)
		}
	}
}

// TestPreemptibleWithoutCheckpoints: a stage that would begin anew after each interruption
// is a mistake of the plan, wherever it is read.
func TestPreemptibleWithoutCheckpoints(t *testing.T) {
	dir := demo(t, map[string]string{"plan.yaml": strings.Replace(goodPlan, "- name: label\n", "- name: label\n    resources: {preemptible: true}\n", 1)})
	for command, want := range map[string]string{"validate": "`sprint plan` says how long that takes", "plan": "it never ran in this store", "run": "it never ran in this store"} {
		code, _, stderr := exec(t, dir, command)
		if code != 3 || !strings.Contains(stderr, "plan.yaml:7:30: stages.label.resources.preemptible: kind label keeps no checkpoints") || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d\n%s", command, code, stderr)
		}
	}
}
