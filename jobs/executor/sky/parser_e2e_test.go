//go:build e2e && unix

package sky

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/sky/skytest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// TestSkyPilot: real SkyPilot reads what the provider writes, and knows what it says.
func TestSkyPilot(t *testing.T) {
	path := jobstest.Python(t, "SKYPILOT_PYTHON", "skypilot==0.14.1", "sky.task") // 460 MB
	t.Run("reads the file", func(t *testing.T) { testReadsTheFile(t, path) })
	t.Run("knows the calls", func(t *testing.T) { testKnowsTheCalls(t, path) })
}

// testReadsTheFile lets SkyPilot's own parser read a task, and a wrong one.
func testReadsTheFile(t *testing.T, python string) {
	p := provider(t, skytest.New(t), func(o *Options) {
		o.Infra, o.MaxHourlyCost, o.Image = "aws/us-east-1", 2.5, "docker:python:3.12"
	})
	j := job(t, "exit 0")
	j.Resources = executor.Resources{GPUs: 2, GPUType: "h100", CPUs: 4, Memory: 16 << 30, Disk: 200e9, Preemptible: true}
	j.Argv = append(j.Argv, `--store=s3://b/ä & <p> "q" 'r' $HOME `+"\n\t\U0001F600")
	j.Env["AWS_REGION"] = "no" // which is false where YAML is read carelessly
	text, err := p.spec(j, nil)
	if err != nil {
		t.Fatal(err)
	}
	read := func(text []byte) (string, error) {
		file := filepath.Join(t.TempDir(), "task.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, "-c", script, file, j.ID)
		cmd.Env = append(os.Environ(), "SKYPILOT_DISABLE_USAGE_COLLECTION=1", "HOME="+t.TempDir(), "TMPDIR="+t.TempDir(), "RUN="+p.script(j))
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := read(text); err != nil || !strings.HasSuffix(out, "agreed") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := read([]byte(strings.Replace(string(text), "max_hourly_cost", "max_hourly_costs", 1))); err == nil {
		t.Errorf("its parser takes what it does not know: %s", out)
	}
}

const script = `
import os, sys, sky
file, name = sys.argv[1:]
t = sky.Task.from_yaml(file)
r, = t.resources
assert t.name == name and t.run == os.environ["RUN"], (t.name, t.run)
assert t.envs["AWS_REGION"] == "no", t.envs
assert (str(r.cloud), r.region, r.cpus, r.memory, r.disk_size) == ("AWS", "us-east-1", "4+", "16+", 200), r
assert list(r.accelerators.values()) == [2] and list(r.accelerators)[0].upper() == "H100", r.accelerators
assert r.max_hourly_cost == 2.5 and r.use_spot, r
assert r.job_recovery["max_restarts_on_errors"] == 0 and r.job_recovery["recover_on_exit_codes"] == [75], r.job_recovery
print("agreed")
`

// testKnowsTheCalls: SkyPilot's own command takes the arguments of every call, and
// its own records have the shape of what the stand-in says of jobs.
func testKnowsTheCalls(t *testing.T, python string) {
	s := skytest.New(t)
	p, j := provider(t, s), job(t, "echo hello; exit 3")
	j.Secrets = []string{"STORE_KEY"}
	if err := p.Probe(t.Context(), j, func(string, string) {}); err != nil {
		t.Fatal(err)
	}
	h := submit(t, p, j)
	watch(t, p, h)
	if err := p.Logs(t.Context(), h, io.Discard); err != nil {
		t.Fatal(err)
	}
	other := job(t, "exec sleep 60")
	other.ID += "-2"
	second := submit(t, p, other)
	if err := p.Cancel(t.Context(), second, 0); err != nil {
		t.Fatal(err)
	}
	queue := s.Answer(skytest.Call{Args: []string{"jobs", "queue", "-a", "-v", "-o", "json"}})
	input, err := json.Marshal(map[string]any{"calls": s.Calls(), "queue": queue.Stdout})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", calls)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "SKYPILOT_DISABLE_USAGE_COLLECTION=1", "HOME="+t.TempDir(), "TMPDIR="+t.TempDir(), "STORE_KEY=x", executor.EnvProgramURL+"=x")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	rows, ok := parse(out)
	if !ok || len(rows) != 2 || status(&rows[1]).ExitCode != 3 || rows[0].Status != stateCancelled {
		t.Errorf("of SkyPilot's own records %s is read %+v", out, rows)
	}
}

const calls = `
import json, sys
from sky.client.cli.command import cli
from sky.schemas.api.responses import ManagedJobRecord
given, names = json.load(sys.stdin), set()
for call in given["calls"]:
    args = ["task.yaml" if a.endswith(".yaml") else a for a in call["Args"]]
    if args == ["--version"]: continue
    group, words = cli, args
    while hasattr(group, "commands"): group, words = group.commands[words[0]], words[1:]
    group.make_context(args[1], list(words))
    names.add(" ".join(args[:2]))
assert names == {"check -o", "jobs queue", "jobs launch", "jobs logs", "jobs cancel"}, names
print(json.dumps([ManagedJobRecord(**r).model_dump(mode="json") for r in json.loads(given["queue"])], indent=2))
`
