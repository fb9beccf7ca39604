package wrapper_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/wrapper"
)

var update = flag.Bool("update", false, "write the golden files")

func options() wrapper.Options {
	return wrapper.Options{
		Plan: "news/plan.yaml", Name: "Daily news", Store: "s3://bucket/news", Release: "v0.1.0", Repo: "https://example.org/it's/news",
		Secrets: []string{"CHAT_KEY"}, Device: "auto", Minutes: 60,
	}
}

// TestGolden: each service's file is as it was read and found right.
func TestGolden(t *testing.T) {
	for name, file := range map[string]string{"github": "github.yml", "gitlab": "gitlab.yml", "dstack": "dstack.yml", "colab": "colab.ipynb"} {
		got, err := wrapper.File(name, options())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s (%v):\n%s", name, err, got)
		}
		var v any
		if err := yaml.Unmarshal(got, &v); err != nil { // JSON is YAML
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefuses: what cannot work there is a mistake of usage that says what to change.
func TestRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		service string
		change  func(*wrapper.Options)
	}{
		"the services are github, gitlab, dstack, colab":      {"githib", func(*wrapper.Options) {}},
		"goes with the machine of github":                     {"github", func(o *wrapper.Options) { o.Store = "/tmp/store" }},
		"does not find the plan by ../plan.yaml":              {"dstack", func(o *wrapper.Options) { o.Plan = "../plan.yaml" }},
		"does not find the plan by -":                         {"gitlab", func(o *wrapper.Options) { o.Plan = "-" }},
		`"devel" is none`:                                     {"gitlab", func(o *wrapper.Options) { o.Release = "devel" }},
		"the machines of github have no GPU":                  {"github", func(o *wrapper.Options) { o.Device = "cuda" }},
		"has no files of the plan":                            {"colab", func(o *wrapper.Options) { o.Repo = "" }},
		"no name of a variable":                               {"github", func(o *wrapper.Options) { o.Secrets = []string{"A: b"} }},
		"has a control character":                             {"github", func(o *wrapper.Options) { o.Name = "a\nb" }},
		"a control character, or one that cannot be seen":     {"gitlab", func(o *wrapper.Options) { o.Plan = "a\u2028sprint: {script: [evil]}\u2028.yaml" }},
		"has ${{, which services replace":                     {"github", func(o *wrapper.Options) { o.Plan = "a${{ toJSON(secrets) }}.yaml" }},
		"the plan --only=x.yaml would be taken for an option": {"dstack", func(o *wrapper.Options) { o.Plan = "--only=x.yaml" }},
		"the address of the store holds a user":               {"github", func(o *wrapper.Options) { o.Store = "s3://AKIA:s3cret/x@bucket" }},
		"the address of the repository holds a user":          {"colab", func(o *wrapper.Options) { o.Repo = "https://ghp_s3cret@github.com/o/n" }},
		"of the repository holds a user or a password":        {"colab", func(o *wrapper.Options) { o.Repo = "ssh://git:s3cret@github.com/o/n" }},
		"15 minutes leave none":                               {"colab", func(o *wrapper.Options) { o.Minutes = 15 }},
	} {
		o := options()
		c.change(&o)
		_, err := wrapper.File(c.service, o)
		if usage, ok := errors.AsType[*diagnostic.UsageError](err); !ok || !strings.Contains(usage.Message, want) || usage.Hint == "" || strings.Contains(usage.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q and a hint", c.service, err, want)
		}
	}
	for name, hint := range map[string]string{"nope": "", "gitlba": `did you mean "gitlab"?`} {
		_, file := wrapper.File(name, options())
		_, schedule := wrapper.Schedule(name, scheduled())
		for _, err := range []error{file, schedule} {
			if usage, ok := errors.AsType[*diagnostic.UsageError](err); !ok || usage.Hint != hint || strings.Count(usage.Message, "gitlab") != 1 {
				t.Errorf("--for %s: %v, want the services once and the hint %q", name, err, hint)
			}
		}
	}
	o := options()
	o.Repo = "ssh://git@github.com/o/n"
	if _, err := wrapper.File("colab", o); err != nil {
		t.Errorf("the user of ssh: %v", err)
	}
}

// TestGPU: a demand for a GPU, or for none, reaches the service.
func TestGPU(t *testing.T) {
	for _, c := range []struct{ service, device, mark string }{{"dstack", "cpu", "gpu:"}, {"colab", "cpu", "accelerator"}, {"gitlab", "auto", "tags:"}} {
		o := options()
		without := c.device
		o.Device = without
		plain, err := wrapper.File(c.service, o)
		o.Device = "cuda"
		gpu, err2 := wrapper.File(c.service, o)
		if err := errors.Join(err, err2); err != nil || strings.Contains(string(plain), c.mark) || !strings.Contains(string(gpu), c.mark) {
			t.Errorf("%s: %v\n%s\n%s", c.service, err, plain, gpu)
		}
	}
}

// logCalls is a program that notes how it was called, with the variables that it was given.
const logCalls = `#!/bin/sh
echo "$(basename "$0") $* [$AWS_ACCESS_KEY_ID]" >> "$CALLS"
[ "$(basename "$0")" != git ] || mkdir -p plan
`

// driver does with a notebook what Jupyter does, as far as ours need it.
const driver = `
import json, subprocess, sys
names = {}
for c in json.load(open(sys.argv[1]))["cells"]:
    text = "".join(c["source"])
    if c["cell_type"] != "code":
        continue
    if text.startswith("%%bash\n"):
        subprocess.run(["bash"], input=text[7:].encode(), check=True)
    else:
        exec(text, names)
`

// TestColabRuns: the cells of the notebook, in their order, fetch files and program,
// check it, and run the plan with the secrets of Colab. The shell's programs are stood in.
func TestColabRuns(t *testing.T) {
	for _, name := range []string{"python3", "bash"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	o := options()
	o.Store = "gs://bucket/news"
	book, err := wrapper.File("colab", o)
	if err != nil {
		t.Fatal(err)
	}
	var parsed map[string]any
	if err := json.Unmarshal(book, &parsed); err != nil || parsed["nbformat"] != 4.0 {
		t.Fatal(err, parsed["nbformat"])
	}
	dir := t.TempDir()
	files := map[string]string{
		"book.ipynb": string(book), "driver.py": driver,
		"python/google/colab/__init__.py": "class userdata:\n    def get(name):\n        return 'secret of ' + name\n",
	}
	for _, name := range []string{"curl", "git", "tar", "sha256sum"} {
		files["bin/"+name] = logCalls
	}
	files["sprint_v0.1.0_linux_amd64/sprint"] = "#!/bin/sh\necho \"sprint $* in $(basename \"$PWD\") [$CHAT_KEY] $(cat \"$GOOGLE_APPLICATION_CREDENTIALS\")\" >> \"$CALLS\"\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // stand-ins are run
			t.Fatal(err)
		}
	}
	calls := filepath.Join(dir, "calls")
	cmd := exec.CommandContext(t.Context(), "python3", "driver.py", "book.ipynb")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CALLS="+calls, "PYTHONPATH="+filepath.Join(dir, "python"), "PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"), "AWS_ACCESS_KEY_ID=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(calls)
	const base = "https://github.com/sprint-ml/sprint/releases/download/v0.1.0/"
	const want = `git clone --depth 1 -- https://example.org/it's/news plan []
curl -fsSL --remote-name-all ` + base + `sprint_v0.1.0_linux_amd64.tar.gz ` + base + `SHA256SUMS []
sha256sum --check --strict --ignore-missing SHA256SUMS []
tar -xzf sprint_v0.1.0_linux_amd64.tar.gz []
sprint run news/plan.yaml --store gs://bucket/news -o plain --deadline 50m in plan [secret of CHAT_KEY] secret of GOOGLE_CREDENTIALS
`
	if err != nil || string(got) != want {
		t.Errorf("%v: got\n%s\nwant\n%s", err, got, want)
	}
}
