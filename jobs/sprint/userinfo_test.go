//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoPasswordInAnAddress: a user or a password in any URL is refused, with the variable
// where it belongs, and shown and stored nowhere.
func TestNoPasswordInAnAddress(t *testing.T) {
	const gdelt = `name: demo
stages:
  - {name: fetch, with: {source: gdelt, gdelt: {query: storm, endpoint: "https://me:hunter2@api.example/doc"}}}
`
	// A mirror that cannot be, and a list of them with a field that there is not.
	mirrors := func(rest string) map[string]string {
		return map[string]string{"plan.yaml": "name: demo\nstages:\n  - {name: fetch, with: {source: files, files: {paths: [rows.jsonl]}}}\n" +
			"  - {name: publish, needs: [], with: {name: x, mirror: [{to: \"mlflow://host?token=hunter2\"" + rest + "}]}}\n"}
	}
	encoder := strings.Replace(canaryPlan, "%s", `"s3://KEY:hun/hunter2@bucket/encoder"`, 1)
	for name, c := range map[string]struct {
		files map[string]string
		env   []string
		args  []string
		code  int
		says  string
	}{
		"S3":                  {args: []string{"run", "--store", "s3://KEY:hun/hunter2+x@bucket/p?region=r"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"GCS":                 {args: []string{"plan", "--store", "gs://hunter2@bucket"}, code: 4, says: "GOOGLE_APPLICATION_CREDENTIALS"},
		"endpoint of S3":      {args: []string{"doctor", "--store", "s3://bucket?region=r&endpoint=https://KEY:hunter2@host"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"store in a variable": {env: []string{"SPRINT_STORE=s3://KEY:hunter2@bucket"}, args: []string{"status"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"store in a file":     {files: map[string]string{"sprint.yaml": "store: s3://KEY:hunter2@bucket\n"}, args: []string{"run", "-o", "json"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"in the environment":  {env: []string{"SPRINT_ENDPOINTS={chat: https://me:hunter2@host/v1}"}, args: []string{"run"}, code: 2, says: "http.key"},
		"beside the plan":     {files: map[string]string{"sprint.yaml": "endpoints: {chat: \"https://me:hun/hunter2@host/v1\"}\n"}, args: []string{"config", "--config", "sprint.yaml"}, code: 2, says: "http.key"},
		"found in the folder": {files: map[string]string{"sprint.yaml": "endpoints: {chat: \"https://me:hunter2@host/v1\"}\n"}, args: []string{"config"}, code: 2, says: "sprint.yaml:1"},
		"beside a mistake":    {files: map[string]string{"sprint.yaml": "endpoints: {chat: \"https://me:hunter2@host/v1\"}; x: 1\n"}, args: []string{"config"}, code: 2, says: "sprint.yaml:1"},
		"GDELT":               {files: map[string]string{"plan.yaml": gdelt}, args: []string{"run"}, code: 3, says: "HTTPS_PROXY"},
		"GDELT by --set":      {files: map[string]string{"plan.yaml": gdelt}, args: []string{"run", "--set", "fetch.gdelt.endpoint=https://x:hunter2@h"}, code: 3, says: "HTTPS_PROXY"},
		"mirror":              {files: mirrors(""), args: []string{"validate"}, code: 3, says: "is no registry that can be a mirror"},
		"mirror, as JSON":     {files: mirrors(""), args: []string{"validate", "-o", "json"}, code: 3, says: "is no registry that can be a mirror"},
		"mirror by --set":     {files: mirrors(""), args: []string{"validate", "-o", "json", "--set", "publish.mirror=[{to: \"oci://h/x?token=hunter2\"}]"}, code: 3, says: "--set publish.mirror=["},
		"mirror of a worker":  {files: mirrors(""), args: []string{"models", "mirror"}, code: 3, says: "mlflow://host?***"},
		"mirror and more":     {files: mirrors(", plane: true"), args: []string{"validate"}, code: 3, says: "unknown option"},
		"encoder":             {files: map[string]string{"plan.yaml": encoder, "tell.py": "", "end": ""}, args: []string{"run"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"hub":                 {files: map[string]string{"plan.yaml": strings.Replace(canaryPlan, "%s", "org/model", 1), "tell.py": "", "end": ""}, env: []string{"HF_ENDPOINT=https://me:hunter2@127.0.0.1:1"}, args: []string{"run"}, code: 4, says: "HF_TOKEN"},
		"file":                {args: []string{"run", "--set", "fetch.files.paths=[s3://KEY:hunter2@bucket/rows.jsonl]"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"file to doctor":      {args: []string{"doctor", "plan.yaml", "--set", "fetch.files.paths=[s3://KEY:hunter2@bucket/rows.jsonl]"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"file elsewhere":      {args: []string{"run", "--set", "fetch.files.paths=[https://me:hunter2@host/rows.jsonl]"}, code: 4, says: "unknown scheme"},
		"model":               {args: []string{"classify", "--model", "s3://KEY:hunter2@bucket/models/x/1", "text"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
		"worker":              {args: []string{"worker", "--store", "s3://KEY:hunter2@bucket", "--run", "r", "--stage", "s"}, code: 4, says: "AWS_SECRET_ACCESS_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := demo(t, c.files)
			for _, kv := range c.env {
				k, v, _ := strings.Cut(kv, "=")
				t.Setenv(k, v)
			}
			t.Chdir(dir)
			var out strings.Builder
			env := append([]string{"HOME=" + filepath.Join(dir, "home"), "PATH=" + os.Getenv("PATH")}, c.env...)
			code := run(t.Context(), c.args, env, strings.NewReader(""), &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("code %d, want %d and %q:\n%s", code, c.code, c.says, out.String())
			}
			if strings.Contains(out.String(), "hunter2") {
				t.Errorf("it is shown:\n%s", out.String())
			}
			err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil || !e.Type().IsRegular() || c.files[filepath.Base(path)] != "" {
					return err
				}
				b, err := os.ReadFile(path)
				if strings.Contains(path+string(b), "hunter2") {
					t.Errorf("it stands in %s", path)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
