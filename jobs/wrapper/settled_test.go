package wrapper_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/sprint-ml/sprint/jobs/wrapper"
)

// script is what a scheduled job of a service gives to its shell.
func script(t *testing.T, service string) string {
	t.Helper()
	units, err := wrapper.Schedule(service, scheduled())
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Jobs struct {
			Sprint struct{ Steps []struct{ Run string } }
		}
		Sprint struct{ Script []string }
		Spec   struct {
			JobTemplate struct {
				Spec struct {
					Template struct {
						Spec struct{ Containers []struct{ Args []string } }
					}
				}
			} `yaml:"jobTemplate"`
		}
	}
	if err := yaml.Unmarshal(units[0].Data, &job); err != nil {
		t.Fatal(err)
	}
	switch service {
	case "github":
		return job.Jobs.Sprint.Steps[1].Run
	case "gitlab":
		return job.Sprint.Script[0]
	}
	return strings.ReplaceAll(job.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args[0], "$$", "$")
}

// machine is a folder in which a job's shell finds stand-ins of all that it calls.
func machine(t *testing.T, refresh string) (dir string, env []string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no job of these services runs on Windows")
	}
	dir = t.TempDir()
	files := map[string]string{"sprint_v0.1.0_linux_amd64/sprint": "#!/bin/sh\n[ \"$1\" = refresh ] || exit 0\n" + refresh}
	for _, name := range []string{"curl", "git", "tar", "sha256sum", "apt-get"} {
		files["bin/"+name] = "#!/bin/sh\n[ " + name + " != git ] || mkdir -p plan\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // stand-ins are run
			t.Fatal(err)
		}
	}
	return dir, append(os.Environ(), "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"), "PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// shells are how services run a script.
var shells = map[string][]string{"github": {"bash", "-e", "-c"}, "gitlab": {"bash", "-c"}, "kubernetes": {"bash", "-euo", "pipefail", "-c"}}

// TestRefusedIsDone: the job of a service ends well where the challenger was refused, and
// says so; it fails by the code of all else.
func TestRefusedIsDone(t *testing.T) {
	for service, shell := range shells {
		for code, want := range map[int]int{0: 0, 10: 0, 1: 1, 5: 5, 9: 9, 11: 11, 75: 75, 101: 101} {
			dir, env := machine(t, fmt.Sprintf("echo '# Refresh'\nexit %d\n", code))
			cmd := exec.CommandContext(t.Context(), shell[0], append(shell[1:len(shell):len(shell)], script(t, service))...)
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.CombinedOutput()
			got := cmd.ProcessState.ExitCode()
			if exit := (*exec.ExitError)(nil); got != want || err != nil && !errors.As(err, &exit) {
				t.Errorf("%s: the refresh ended with %d, the job with %d, want %d (%v): %s", service, code, got, want, err, out)
			}
			if told := strings.Contains(string(out), "the challenger was refused and the champion stays"); told != (code == 10) {
				t.Errorf("%s: of code %d it says %s", service, code, out)
			}
			report := string(out)
			for _, name := range []string{"summary", "refresh.md"} {
				data, _ := os.ReadFile(filepath.Join(dir, name)) // each service has one at most
				report += string(data)
			}
			if !strings.Contains(report, "# Refresh") {
				t.Errorf("%s: no report: %s", service, out)
			}
		}
	}
}

// TestPodStops: the signal that ends a pod reaches the refresh, and the pod ends as it does.
func TestPodStops(t *testing.T) {
	dir, env := machine(t, "trap 'sleep 0.3; echo checkpointed; exit 75' TERM\ntouch began\nwhile :; do sleep 0.05; done\n")
	cmd := exec.CommandContext(t.Context(), "bash", append(shells["kubernetes"][1:], script(t, "kubernetes"))...)
	var out strings.Builder
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "plan", "began")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 75 || !strings.Contains(out.String(), "checkpointed") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// TestOverrides: what a plan was described by is what it is run and refreshed by.
func TestOverrides(t *testing.T) {
	for _, service := range wrapper.ScheduleNames() {
		o := scheduled()
		o.Overrides = []string{"--set", "train.epochs=1", "--values", "values/night.yaml"}
		units, err := wrapper.Schedule(service, o)
		if err != nil || !strings.Contains(string(units[0].Data), "refresh news/plan.yaml --set train.epochs=1 --values values/night.yaml --store") {
			t.Errorf("%s (%v):\n%s", service, err, units[0].Data)
		}
		o.Overrides[3] = "/tmp/night.yaml"
		if _, err := wrapper.Schedule(service, o); (err == nil) != wrapper.Here(service) {
			t.Errorf("%s: values at /tmp: %v", service, err)
		}
	}
	o := options()
	o.Overrides = []string{"--set", "train.epochs=1"}
	if data, err := wrapper.File("dstack", o); err != nil || !strings.Contains(string(data), "sprint run news/plan.yaml --set train.epochs=1 --store") {
		t.Errorf("%v:\n%s", err, data)
	}
}
