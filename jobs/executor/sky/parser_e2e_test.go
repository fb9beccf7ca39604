//go:build e2e && unix

package sky

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/sky/skytest"
)

// python is one that has SkyPilot: SKYPILOT_PYTHON names it, or python3 is it. In CI it is
// installed; it takes 460 MB.
func python(t *testing.T) string {
	t.Helper()
	for _, path := range []string{os.Getenv("SKYPILOT_PYTHON"), "python3"} {
		if path != "" && exec.Command(path, "-c", "import sky.task").Run() == nil {
			return path
		}
	}
	if os.Getenv("CI") != "true" {
		t.Skip("no SkyPilot is here: pip install skypilot==0.14.1, and let SKYPILOT_PYTHON name its python")
	}
	venv := filepath.Join(t.TempDir(), "venv")
	if out, err := exec.Command("python3", "-m", "venv", venv).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path := filepath.Join(venv, "bin", "python")
	if out, err := exec.Command(path, "-m", "pip", "install", "--quiet", "skypilot==0.14.1").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// TestSkyPilotReadsTheFile lets SkyPilot's own parser read a task, and a wrong one.
func TestSkyPilotReadsTheFile(t *testing.T) {
	python := python(t)
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
		cmd.Env = append(os.Environ(), "SKYPILOT_DISABLE_USAGE_COLLECTION=1", "HOME="+t.TempDir(), "RUN="+p.script(j))
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
