package ssh

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stopped is a worker that ends by itself with 5 unless it is asked to end before.
const stopped = `trap 'echo 75 >"$HOME/said"; exit 75' TERM; : >"$HOME/began"; sleep 0.02; echo 5 >"$HOME/said"; exit 5`

// TestStopAtTheEnd: a job that is asked to end, more than once and as it ends anyway, is over
// when its worker is, with the worker's code or as interrupted, whichever shell the host has.
func TestStopAtTheEnd(t *testing.T) {
	for _, shell := range []string{"dash", "bash"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		dir := t.TempDir()
		if err := os.Symlink(path, filepath.Join(dir, "sh")); err != nil {
			t.Fatal(err)
		}
		p := scripted(t, `exec sh -c "$line"`)
		home := os.Getenv("HOME")
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		await := func(name string) string {
			for ctx.Err() == nil {
				if data, err := os.ReadFile(filepath.Join(home, name)); err == nil {
					return strings.TrimSpace(string(data))
				}
				runtime.Gosched()
			}
			t.Fatalf("%s: there is no %s", shell, name)
			return ""
		}
		for try := range 30 {
			_, _ = os.Remove(filepath.Join(home, "began")), os.Remove(filepath.Join(home, "said"))
			if err := os.RemoveAll(filepath.Join(home, "sprint", "jobs", "job")); err != nil {
				t.Fatal(err)
			}
			if out, err := p.output(ctx, "gpu1", p.script(startScript, "job", stopped, "1", "0"), strings.NewReader(""), time.Minute); err != nil || out != "started" {
				t.Fatalf("%s: %v: %s", shell, err, out)
			}
			number, _, _ := strings.Cut(await("sprint/jobs/job/pid"), " ")
			pid, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			_ = await("began")
			time.Sleep(time.Duration(try) * time.Millisecond)
			for range 3 {
				_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended
				time.Sleep(time.Millisecond)
			}
			code := await("sprint/jobs/job/exit")
			said, _ := os.ReadFile(filepath.Join(home, "said")) // what it says is asked below
			if len(said) == 0 || code != "75" && code != strings.TrimSpace(string(said)) {
				t.Fatalf("%s, try %d: the job ends with %s, its worker with %q", shell, try, code, said)
			}
		}
	}
}
