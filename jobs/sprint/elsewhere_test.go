package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestElsewhereRefused: what no worker elsewhere could have is refused before any stage has
// run, with the line to change.
func TestElsewhereRefused(t *testing.T) {
	const config = "executors:\n  gpu:\n    kind: ssh\n    hosts: [nowhere.invalid]\n    offers: {gpus: 1}\n"
	const plan = "name: demo\nstages:\n  - {name: first, kind: command, with: {argv: [sh, -c, 'echo > $SPRINT_OUTPUTS/one'], outputs: [one]}}\n" +
		"  - name: far\n    kind: command\n    needs: []\n    RESOURCES\n    with: {argv: [sh, -c, 'echo > $SPRINT_OUTPUTS/out'], outputs: [out], secrets: SECRETS}\n"
	for name, c := range map[string]struct {
		resources, secrets, executor string
		local                        bool
		env                          []string
		code                         int
		want                         []string
	}{
		"local store":    {"{}", "{}", "far=gpu", true, nil, 4, []string{"the executor gpu cannot reach the store", "let `store:` of the config, or --store, name a bucket: s3://"}},
		"secret in file": {"{}", "{T: 'file:token'}", "far=gpu", false, nil, 4, []string{"stage far needs the secret file:", "refer to that, env:NAME", "`secrets` of executors.gpu"}},
		"not handed on":  {"{}", "{T: 'env:TOKEN'}", "far=gpu", false, []string{"TOKEN=s3cret-value"}, 4, []string{"workers of gpu need the variable TOKEN", "add TOKEN to executors.gpu.secrets"}},
		"nobody offers":  {"{gpus: 4}", "{}", "auto", false, nil, 4, []string{"stage far demands gpus: 4, which no executor offers", "plan.yaml:7"}},
		"here":           {"{}", "{T: 'file:token'}", "auto", false, nil, 0, []string{"far"}},
		"unknown":        {"{}", "{}", "far=gpus", false, nil, 2, []string{`no executor is called "gpus"`, "gpu"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{
				"own.yaml": config, "token": "s3cret-value",
				"plan.yaml": strings.NewReplacer("RESOURCES", "resources: "+c.resources, "SECRETS", c.secrets).Replace(plan),
			})
			url := filepath.Join(dir, "store")
			if !c.local {
				url = storagetest.S3URL(t, nil)()
			}
			t.Chdir(dir)
			var out, stderr bytes.Buffer
			env := append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, c.env...)
			code := run(t.Context(), []string{"run", "--store", url, "--config", "own.yaml", "--executor", c.executor}, env, strings.NewReader(""), &out, &stderr)
			said := stderr.String() + out.String()
			for _, want := range c.want {
				if code != c.code || !strings.Contains(said, want) {
					t.Errorf("code %d, no %q in %s", code, want, said)
				}
			}
			if strings.Contains(said, "s3cret") {
				t.Errorf("a secret is told: %s", said)
			}
			s, err := storage.Open(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			made := 0
			for _, err := range s.List(t.Context(), "manifests/") {
				if err != nil {
					t.Fatal(err)
				}
				made++
			}
			if (made > 0) != (c.code == 0) {
				t.Errorf("%d stages are done", made)
			}
		})
	}
}
