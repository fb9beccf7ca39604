//go:build e2e && unix

package hf

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor/hf/hftest"
)

// TestPythonClient drives the stand-in with the real Python client, and lets the client see
// the jobs of the provider: both speak the same protocol.
func TestPythonClient(t *testing.T) {
	venv := filepath.Join(t.TempDir(), "venv")
	if out, err := exec.Command("python3", "-m", "venv", venv).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command(filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", "huggingface_hub==2.4.0").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	hub := hftest.New(t)
	p, j := provider(t, hub), job(t, "echo from the provider")
	h := submit(t, p, j)
	watch(t, p, h)
	cmd := exec.Command(filepath.Join(venv, "bin", "python"), "-c", script, string(h), j.ID)
	cmd.Env = append(os.Environ(), "HF_ENDPOINT="+hub.URL, "HF_TOKEN="+hftest.Token, "HF_HOME="+t.TempDir(), "HF_HUB_DISABLE_TELEMETRY=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "agreed") {
		t.Errorf("%v: %s", err, out)
	}
}

const script = `
import sys, time
from huggingface_hub import HfApi
api, (ours, label) = HfApi(), sys.argv[1:]
seen = api.inspect_job(job_id=ours)
assert seen.status.stage == "COMPLETED" and seen.labels["sprint-job"] == label and seen.docker_image == "python:3.12" and seen.finished_at, seen
assert [j.id for j in api.list_jobs(labels={"sprint-job": label})] == [ours]
assert list(api.fetch_job_logs(job_id=ours)) == ["from the provider"]
job = api.run_job(image="python:3.12", command=["sh", "-c", "echo hello $WHO; exit 3"], env={"WHO": "you"}, secrets={"S": "hidden"}, flavor="cpu-basic", timeout="5m")
while api.inspect_job(job_id=job.id).status.stage in ("SCHEDULING", "RUNNING"): time.sleep(.05)
end = api.inspect_job(job_id=job.id)
assert end.status.stage == "ERROR" and "exit code: 3" in end.status.message and end.secrets == {"S": None}, end
assert list(api.fetch_job_logs(job_id=job.id)) == ["hello you"]
long = api.run_job(image="python:3.12", command=["sleep", "60"])
api.cancel_job(job_id=long.id)
assert api.inspect_job(job_id=long.id).status.stage == "CANCELED"
assert api.list_jobs_hardware()[1].name == "cpu-basic"
print("agreed")
`
