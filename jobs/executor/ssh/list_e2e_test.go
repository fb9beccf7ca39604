//go:build e2e

package ssh_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/ssh"
	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
)

// shellJob is a job whose program is a shell script.
func shellJob(t *testing.T, script string) *executor.Job {
	t.Helper()
	text := "#!/bin/sh\n" + script + "\n"
	return &executor.Job{
		ID: executor.JobID("run", t.Name(), 1, "x"), Run: "run", Stage: "train", Attempt: 1, Argv: []string{"worker"},
		Program: executor.Program{
			Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(text))), Size: int64(len(text)),
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
		},
		Limits: executor.Limits{Grace: time.Second},
	}
}

// TestList: what runs on a host is listed and can be ended, also when its folder was removed
// by hand; a host that does not answer hides no other.
func TestList(t *testing.T) {
	hosts := sshtest.Start(t, 1)
	p := pool(t, hosts, nil)
	job := shellJob(t, "exec sleep 60")
	h, err := p.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Cancel(context.Background(), h, 0) })
	// Other jobs of this user on this machine, of tests beside this one, are seen too.
	list := func(p *ssh.Provider) ([]executor.Listed, error) {
		all, err := p.List(t.Context())
		return slices.DeleteFunc(all, func(l executor.Listed) bool { return l.ID != job.ID }), err
	}
	got, err := list(p)
	if err != nil || len(got) != 1 || got[0].Handle != h || got[0].ID != job.ID || got[0].Status.Node != hosts.Names[0] {
		t.Fatalf("%+v, %v", got, err)
	}
	if age := time.Since(got[0].Since); age < -time.Minute || age > 10*time.Minute {
		t.Errorf("it began %s ago", age)
	}
	half := pool(t, hosts, func(o *ssh.Options) { o.Hosts = append([]string{"nowhere.invalid"}, o.Hosts...) })
	if got, err := list(half); err == nil || executor.Code(err) != 4 || len(got) != 1 {
		t.Errorf("of a host that is there and one that is not: %+v, %v", got, err)
	}
	if err := os.RemoveAll(filepath.Join(hosts.Home(hosts.Names[0]), ".cache/sprint/ssh/jobs", job.ID)); err != nil {
		t.Fatal(err)
	}
	if got, err := list(p); err != nil || len(got) != 1 || !got[0].Since.IsZero() {
		t.Errorf("without its folder: %+v, %v", got, err)
	}
	if err := p.Cancel(t.Context(), h, time.Second); err != nil {
		t.Fatal(err)
	}
	if got, err := list(p); err != nil || len(got) != 0 {
		t.Errorf("it was ended: %+v, %v", got, err)
	}
}

// TestStartCutOff: a job of which nothing but its folder was made, before the host went
// down, does not wait in a queue for ever.
func TestStartCutOff(t *testing.T) {
	hosts := sshtest.Start(t, 1)
	p := pool(t, hosts, nil)
	job := shellJob(t, "exit 0")
	dir := filepath.Join(hosts.Home(hosts.Names[0]), ".cache/sprint/ssh/jobs", job.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Minute)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	h, err := p.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if got, err := p.Watch(ctx, h, func(executor.Status) {}); err != nil || !got.Lost {
		t.Errorf("%+v, %v", got, err)
	}
	if err := p.Cancel(t.Context(), h, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
}
