package wrapper_test

import (
	"context"
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
	return scriptIn(t, service, units[0].Data)
}

// scriptIn is the script in the file of a service's job.
func scriptIn(t *testing.T, service string, data []byte) string {
	t.Helper()
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
	if err := yaml.Unmarshal(data, &job); err != nil {
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
	files := map[string]string{"sprint_v0.1.0_linux_amd64/sprint": "#!/bin/sh\n[ \"$1\" != validate ] || exit 0\n" + refresh}
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

// TestJobStops: the signal that ends a service's job, which goes to its shell alone, reaches
// the refresh or the run, and the job ends as that does, whenever the signal comes.
func TestJobStops(t *testing.T) {
	for name, c := range map[string]struct {
		service string
		once    bool // it runs the plan, and is no schedule
		signal  syscall.Signal
		tries   int
	}{
		"pod":             {"kubernetes", false, syscall.SIGTERM, 30},
		"github, refresh": {"github", false, syscall.SIGINT, 3},
		"gitlab, refresh": {"gitlab", false, syscall.SIGTERM, 3},
		"github, run":     {"github", true, syscall.SIGINT, 3},
		"gitlab, run":     {"gitlab", true, syscall.SIGTERM, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, env := machine(t, "trap 'sleep ${SAVING:-0.1}; echo checkpointed >> log; exit 75' TERM INT\ntouch began\nn=0\nwhile [ $n -lt ${STEPS:-1000} ]; do sleep 0.01; n=$((n+1)); done\necho done >> log\nexit 5\n")
			text := script(t, c.service)
			if c.once {
				data, err := wrapper.File(c.service, options())
				if err != nil {
					t.Fatal(err)
				}
				text = scriptIn(t, c.service, data)
			}
			// A file: of what -c gives it, bash leaves its place to the last command by itself.
			if err := os.WriteFile(filepath.Join(dir, "script"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			at := dir
			if c.service == "kubernetes" {
				at = filepath.Join(dir, "plan")
			}
			for try := range c.tries {
				_, _ = os.Remove(filepath.Join(at, "began")), os.Remove(filepath.Join(at, "log"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "script")
				cmd.Dir, cmd.Env = dir, env
				if try > 0 { // the end of the program and the signals are close
					cmd.Env = append(cmd.Environ(), "STEPS=1", "SAVING=0")
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				for ctx.Err() == nil {
					if _, err := os.Stat(filepath.Join(at, "began")); err == nil {
						break
					}
					runtime.Gosched()
				}
				time.Sleep(time.Duration(try/2) * time.Millisecond)
				for range 1 + 2*(try%2) {
					_ = cmd.Process.Signal(c.signal) // it may have ended
					time.Sleep(time.Millisecond)
				}
				err := cmd.Wait()
				cancel()
				log, _ := os.ReadFile(filepath.Join(at, "log")) // what it says is asked below
				code := cmd.ProcessState.ExitCode()
				if try == 0 && string(log) != "checkpointed\n" || code != 75 && (code != 5 || !strings.Contains(string(log), "done")) || len(log) == 0 {
					t.Fatalf("try %d: %v: code %d, %q", try, err, code, log)
				}
			}
		})
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
