package wrapper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/jobs/commandline"
)

// jupyter is the file of a notebook, format 4.
type jupyter struct {
	Cells    []cell   `json:"cells"`
	Metadata metadata `json:"metadata"`
	Format   int      `json:"nbformat"`
	Minor    int      `json:"nbformat_minor"`
}

type cell struct {
	Type     string         `json:"cell_type"`
	ID       string         `json:"id"`
	Metadata map[string]any `json:"metadata"`
	Source   []string       `json:"source"`
	// Count and Outputs are of code alone.
	Count   *json.RawMessage `json:"execution_count,omitempty"`
	Outputs *[]any           `json:"outputs,omitempty"`
}

type metadata struct {
	Kernel      map[string]string `json:"kernelspec"`
	Language    map[string]string `json:"language_info"`
	Accelerator string            `json:"accelerator,omitempty"`
	Colab       map[string]string `json:"colab,omitempty"`
}

// colab is a notebook. Its secrets are those of Colab's own panel, which each user gives
// to each notebook.
func colab(o Options) ([]byte, error) {
	n := jupyter{Metadata: metadata{Kernel: map[string]string{"name": "python3", "display_name": "Python 3"}, Language: map[string]string{"name": "python"}}, Format: 4, Minor: 5}
	if o.Device != "cpu" {
		n.Metadata.Accelerator, n.Metadata.Colab = "GPU", map[string]string{"gpuType": "T4"}
	}
	add := func(kind, id string, text ...string) {
		c := cell{Type: kind, ID: id, Metadata: map[string]any{}, Source: strings.SplitAfter(strings.Join(text, "\n"), "\n")}
		if kind == "code" {
			null, none := json.RawMessage("null"), []any{}
			c.Count, c.Outputs = &null, &none
		}
		n.Cells = append(n.Cells, c)
	}
	bash := func(id string, text ...string) {
		add("code", id, append([]string{"%%bash", "set -euo pipefail"}, text...)...)
	}
	quoted, err := json.Marshal(o.Secrets)
	if err != nil {
		return nil, err
	}
	add("markdown", "about", "# "+o.Name, "", fmt.Sprintf("Runs the plan `%s` on the store `%s`. Made by `sprint render --for colab`.", o.Plan, o.Store),
		"Put these into the secrets of Colab (the key at the left), and give this notebook access: `"+strings.Join(o.Secrets, "`, `")+"`.",
		"A machine that is taken away loses little: run all cells again, and the run goes on from its last checkpoint.")
	bash("files", "rm -rf plan", "git clone --depth 1 -- "+commandline.Quote(o.Repo)+" plan")
	bash("program", o.install()[:3]...)
	add("code", "secrets", "import os", "from google.colab import userdata", "", "for name in "+string(quoted)+":", "    os.environ[name] = userdata.get(name)")
	path := strings.Replace(o.install()[3], "$PWD/", "$PWD/../", 1)
	bash("run", append(append([]string{"cd plan", path}, o.credentials()...), o.run("plain"))...)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err = enc.Encode(n)
	return b.Bytes(), err
}
