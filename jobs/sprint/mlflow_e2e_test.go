//go:build e2e && unix

package main

import (
	osexec "os/exec"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow/mlflowtest"
)

// TestMLflowAnswers: MLflow runs what a run showed it, two releases in one process, and answers
// as sprint does.
func TestMLflowAnswers(t *testing.T) {
	python := jobstest.Python(t, "MLFLOW_PYTHON", mlflowtest.Requirement, mlflowtest.Modules)
	e := prepareFolder(t)
	server := mlflowtest.Start(t, python)
	run := "sprint run plan.yaml -o json --set publish.mirror='[{to: \"mlflow://" + strings.TrimPrefix(server.URL, "http://") + "\", plain: true}]'"
	e.ends(t, "0", run, `"state":"current"`)
	e.ends(t, "0", "sprint promote quickstart@1")
	e.ends(t, "0", run+" --set train.seed=8", `"state":"current"`, `"latest":2`)
	want := ""
	for _, ref := range []string{"quickstart@1", "quickstart@2"} {
		for _, text := range []string{"Storm closes the harbour", "Shares fall in early trade"} {
			want += e.one(t, "sprint classify --all --model "+ref+" '"+text+"' -o json") + "\n"
		}
	}
	cmd := osexec.Command(python, "-c", runBack)
	cmd.Dir, cmd.Stdin = e.dir, strings.NewReader(want)
	cmd.Env = append(e.env, "MLFLOW_TRACKING_URI="+server.URL, "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "agreed") {
		t.Errorf("%v: %s\nwant %s", err, out, want)
	}
}

const runBack = `
import json, sys
import mlflow, pandas
want = [json.loads(line) for line in sys.stdin if line.strip()]
models = [mlflow.pyfunc.load_model("models:/quickstart@" + alias) for alias in ("champion", "sprint-latest")]
frame = pandas.DataFrame({"title": ["Storm closes the harbour", "Shares fall in early trade"], "description": [None, ""]})
got = [row for m in models for row in m.predict(frame).to_dict("records")]
assert len(want) == len(got) == 4, (want, got)
for w, g in zip(want, got):
    assert w["categories"].keys() == g.keys() - {"top"}, (w, g)
    for name, c in w["categories"].items():
        assert abs(c["score"] - g[name]) < 1e-3, (name, w, g)
    assert w["top"] == g["top"] or w["top"] is None and not isinstance(g["top"], str), (w, g)
assert [m.metadata.flavors["sprint"]["version"] for m in models] == [1, 2], models
assert "model" not in sys.modules and "titles" not in sys.modules, "a release left its modules to the next one"
print("agreed")
`
