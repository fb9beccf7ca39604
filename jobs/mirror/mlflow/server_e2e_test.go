//go:build e2e && unix

package mlflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow/mlflowtest"
)

// TestServer holds the mirror to its suite on a real MLflow server, and reads what it shows
// with MLflow's own client.
func TestServer(t *testing.T) {
	python := jobstest.Python(t, "MLFLOW_PYTHON", mlflowtest.Requirement, mlflowtest.Modules)
	server := mlflowtest.Start(t, python)
	s := mlflowtest.Subject(func(t *testing.T) *mlflowtest.Reader {
		server.Clear(t)
		return server
	})
	s.Few = true
	mirrortest.Run(t, s)
	t.Run("KilledProcesses", func(t *testing.T) { killProcesses(t, s, server) })
	server.Clear(t)
	mirrortest.Fill(t, server)
	cmd := exec.Command(python, "-c", readBack)
	cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+server.URL, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "agreed") {
		t.Errorf("%v: %s", err, out)
	}
}

// killProcesses kills `sprint models mirror` at the server.
func killProcesses(t *testing.T, s mirrortest.Subject, server *mlflowtest.Reader) {
	program := filepath.Join(t.TempDir(), "sprint")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./jobs/sprint")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mirrortest.Processes{
		Subject: s, Time: 8 * time.Second,
		Push: func(t *testing.T, store string, _ mirrortest.Server) *exec.Cmd {
			words := mirrortest.Words("../../../examples/quickstart/plan.yaml", "mlflow://"+strings.TrimPrefix(server.URL, "http://"))
			return exec.CommandContext(t.Context(), program, append(words, "--store", store)...)
		},
	}.Run(t)
}

const readBack = `
import os
import mlflow
from mlflow import MlflowClient
from mlflow.models import Model
client = MlflowClient()
two = client.get_model_version_by_alias("news", "sprint-latest")
assert two.tags["sprint.version"] == "2", two
assert client.get_model_version_by_alias("news", "champion").tags["sprint.version"] == "1"
assert len(client.search_model_versions("name='news'")) == 2
folder = mlflow.artifacts.download_artifacts("models:/news@sprint-latest")
assert open(os.path.join(folder, "deep/er/file.txt")).read() == "two"
assert open(os.path.join(folder, "model.safetensors")).read() == "two" * 40000
model = Model.load(folder)
assert model.flavors["sprint"]["digest"] == two.tags["sprint.digest"], model.flavors
assert [c.name for c in model.signature.inputs] == ["title", "description", "language"], model.signature
assert [c.required for c in model.signature.inputs] == [True, False, False]
print("agreed")
`
