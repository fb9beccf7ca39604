//go:build e2e && linux

package slurm_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/slurm"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
	"github.com/sprint-ml/sprint/stages"
)

// TestLoginNode: a cluster whose commands are on another machine does the same, with
// secrets of that machine; one whose key is not known is refused.
func TestLoginNode(t *testing.T) {
	t.Parallel()
	c := slurmtest.Start(t, slurmtest.Options{Nodes: 1})
	login := sshtest.Start(t, 1, "TOKEN=s3cret-value", strings.Join(c.Env()[3:], " "))
	b := newBench(t, c, func(o *slurm.Options, env *[]string) {
		o.Login, o.SSHConfig, o.Folder = login.Names[0], login.Config, "there"
		*env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	})
	job, file := b.job("login", "secret")
	job.Secrets = []string{"TOKEN"}
	notes := map[string]string{}
	if err := b.Probe(t.Context(), job, func(name, value string) { notes[name] = value }); err != nil || notes["folder"] != login.Home(login.Names[0])+"/there" {
		t.Errorf("%v, %v", notes, err)
	}
	h := b.submit(job)
	if s := b.wait(b.follow(h), 30*time.Second); !s.Known || s.ExitCode != 0 || !strings.HasSuffix(read(file), "secret s3cret-value\n") {
		t.Errorf("status %+v, it said %q", s, read(file))
	}
	if err := b.Cancel(t.Context(), h, time.Second); err != nil {
		t.Error(err)
	}
	job, _ = b.job("login2", "secret")
	job.Secrets = []string{"OTHER"}
	if _, err := b.Submit(t.Context(), job); executor.CauseOf(err) != "" || !strings.Contains(executor.Hint(err), "for commands on "+login.Names[0]) {
		t.Errorf("%v, hint %q", err, executor.Hint(err))
	}
	if err := os.Remove(login.Known); err != nil {
		t.Fatal(err)
	}
	_, err := provider(t, b.o, b.env).Submit(t.Context(), job)
	if executor.Code(err) != stages.CodeEnvironment || executor.CauseOf(err) != "" || !strings.Contains(executor.Hint(err), "ssh -F '"+login.Config+"' "+login.Names[0]+" true") {
		t.Errorf("%v, hint %q", err, executor.Hint(err))
	}
}
