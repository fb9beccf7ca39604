//go:build e2e

package serve

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// tritonScript asks a server through Triton's own client, with texts in the JSON and
// behind it, and prints what it gets.
const tritonScript = `
import sys
import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
print(client.is_server_live(), client.is_server_ready(), client.is_model_ready("news"), client.is_model_ready("news", "3"), client.is_model_ready("news", "4"))
print(client.get_server_metadata()["name"], [x["name"] for x in client.get_model_metadata("news")["outputs"]])
for shape in ([2], [2, 1]):
    for binary in (True, False):
        title = triton.InferInput("title", shape, "BYTES")
        title.set_data_from_numpy(numpy.array(["ab", "åcd"], dtype=object).reshape(shape), binary_data=binary)
        description = triton.InferInput("description", shape, "BYTES")
        description.set_data_from_numpy(numpy.array(["", "more"], dtype=object).reshape(shape), binary_data=binary)
        got = client.infer("news", [title, description], model_version="3", request_id="7")
        print(got.get_response()["id"], got.as_numpy("label").tolist(), got.as_numpy("scores").tolist(), got.as_numpy("tags").tolist(), got.as_numpy("categories").tolist())
text = triton.InferInput("text", [1], "BYTES")
text.set_data_from_numpy(numpy.array(["ab"], dtype=object))
got = client.infer("news", [text], outputs=[triton.InferRequestedOutput("label", binary_data=False)])
print(got.as_numpy("label").tolist(), got.as_numpy("scores"))
got = client.infer("news", [text], outputs=[triton.InferRequestedOutput("label"), triton.InferRequestedOutput("scores")])
print(got.as_numpy("label").tolist(), got.as_numpy("scores").tolist())
try:
    client.infer("news", [text], model_version="4")
except InferenceServerException as error:
    print(error.message())
`

// TestTritonClient: Triton's client for Python speaks with the server as with its own.
func TestTritonClient(t *testing.T) {
	t.Parallel()
	python := jobstest.Python(t, "TRITON_PYTHON", "tritonclient[http]==2.73.0", "tritonclient.http")
	_, s := serve(t, lettersClassifier(t), Options{})
	out, err := exec.Command(python, "-c", tritonScript, strings.TrimPrefix(s.URL, "http://")).CombinedOutput()
	const row = `7 [b'fire', b'money'] [[0.5, -0.25], [0.25, 0.75]] [[b'big', b''], [b'big', b'']] [b'fire', b'money']` + "\n"
	want := "True True True True False\nsprint ['label', 'scores', 'tags', 'categories']\n" + strings.Repeat(row, 4) +
		"['fire'] None\n[b'fire'] [[0.5, -0.25]]\nversion \"4\" of news is not served; 3 is\n"
	if err != nil || string(out) != want {
		t.Errorf("%v:\n%s\nwant\n%s", err, out, want)
	}
}

// TestSchemathesis: requests made of the document, right and wrong ones, are answered as it
// says, and none fails the server.
func TestSchemathesis(t *testing.T) {
	t.Parallel()
	python := jobstest.Python(t, "SCHEMATHESIS_PYTHON", "schemathesis==4.32.5", "schemathesis")
	_, s := serve(t, lettersClassifier(t), Options{})
	cmd := exec.Command(filepath.Join(filepath.Dir(python), "schemathesis"), "run", s.URL+"/openapi.json",
		"--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "7", "--generation-deterministic", "--no-color",
		// What the document cannot say: texts of a tensor are as many as its shape says, and a
		// description alone is none.
		"--exclude-checks", "positive_data_acceptance", "--request-timeout", "20")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	if !strings.Contains(string(out), "passed") && !strings.Contains(string(out), "No issues found") {
		t.Errorf("it says\n%s", out)
	}
}
