//go:build e2e

package hf_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/mirror/hf/hftest"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
)

// TestPythonClient drives the stand-in with the real Python client, and lets the client read
// what the mirror made: both speak the same protocol.
func TestPythonClient(t *testing.T) {
	python := jobstest.Python(t, "HF_PYTHON", "huggingface_hub==2.4.0", "huggingface_hub")
	for _, chunk := range []int{0, 50_000} {
		hub := hftest.New(t)
		hub.Part = chunk
		mirrortest.Fill(t, hub)
		cmd := exec.Command(python, "-c", script)
		cmd.Env = append(os.Environ(), "HF_ENDPOINT="+hub.URL, "HF_TOKEN="+hftest.Token, "HF_HOME="+t.TempDir(), "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_XET=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "agreed") {
			t.Errorf("parts of %d: %v: %s", chunk, err, out)
		}
	}
}

const script = `
from huggingface_hub import HfApi, CommitOperationAdd, CommitOperationDelete, hf_hub_download
api = HfApi()
tags = {t.name: t.target_commit for t in api.list_repo_refs("team/news").tags}
assert set(tags) == {"v1", "v2", "champion", "latest"} and tags["latest"] == tags["v2"] and tags["champion"] == tags["v1"], tags
assert open(hf_hub_download("team/news", "model.safetensors", revision="champion")).read() == "one" * 40000
assert open(hf_hub_download("team/news", "deep/er/file.txt", revision="latest")).read() == "two"
api.create_repo("team/other", private=True)
api.create_repo("team/other", exist_ok=True)
big = b"x" * 120001
made = api.create_commit("team/other", [CommitOperationAdd("a.txt", b"small"), CommitOperationAdd("b.safetensors", big)], commit_message="first", parent_commit=api.model_info("team/other").sha)
api.create_tag("team/other", tag="t", revision=made.oid)
api.create_tag("team/other", tag="t", revision=made.oid, exist_ok=True)
api.create_commit("team/other", [CommitOperationDelete("a.txt")], commit_message="second")
assert open(hf_hub_download("team/other", "b.safetensors", revision="t"), "rb").read() == big
assert "a.txt" not in [s.rfilename for s in api.model_info("team/other").siblings]
api.delete_tag("team/other", tag="t")
assert not api.list_repo_refs("team/other").tags
print("agreed")
`
