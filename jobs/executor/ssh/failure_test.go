//go:build unix

package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// scripted is a pool of one host that is reached by a script in the place of ssh. The
// script sees ssh's arguments; $line is what the host is to run.
func scripted(t *testing.T, script string, change ...func(*Options)) *Provider {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\nfor line; do :; done\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(text), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("HOME", dir)
	o := Options{Hosts: []string{"gpu1"}, Slots: 1, Folder: "sprint", LostTime: time.Second}
	for _, f := range change {
		f(&o)
	}
	p, err := New("gpu", o, os.Getenv, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func aJob() *executor.Job {
	return &executor.Job{
		ID: executor.JobID("run", "train", 1, "x"), Stage: "train", Argv: []string{"worker"},
		Program: executor.Program{Digest: strings.Repeat("0", 64), Platform: "linux/amd64", Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("p")), nil }},
	}
}

// wants checks the class of a failure, and what it says to do.
func wants(t *testing.T, err error, lost bool, text, hint string) {
	t.Helper()
	f, ok := errors.AsType[*stages.Failure](err)
	if !ok || f.Lost != lost || f.Code != stages.CodeEnvironment || !strings.Contains(err.Error(), text) || !strings.Contains(f.Hint, hint) {
		t.Errorf("want code 4, lost %v, %q and the hint %q, got %v (hint %q)", lost, text, hint, err, executor.Hint(err))
	}
}

// TestApart: the terminal's Ctrl-C, which goes to the runner's process group, does not reach ssh.
func TestApart(t *testing.T) {
	p := scripted(t, `ps -o pgid= -p $$`)
	out, err := p.output(t.Context(), "gpu1", "", nil, time.Minute)
	if group, parsed := strconv.Atoi(out); err != nil || parsed != nil || group == syscall.Getpgrp() {
		t.Errorf("ssh is in the group %q, this process in %d: %v", out, syscall.Getpgrp(), err)
	}
}

// TestRefused: what ssh, or the host, complains of when a job is submitted.
func TestRefused(t *testing.T) {
	there := `case $line in *'there=0'*) echo "there 0 program 0 busy 0"; exit;; esac; `
	for name, c := range map[string]struct {
		script     string
		lost       bool
		text, hint string
	}{
		"unknown host key": {`echo "No ED25519 host key is known for gpu1 and you have requested strict checking." >&2; echo "Host key verification failed." >&2; exit 255`, false, "not known", "fingerprint"},
		"another host key": {`echo "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @" >&2; echo "Host key verification failed." >&2; exit 255`, false, "may be another machine", "ssh-keygen -R"},
		"no right":         {`echo "me@gpu1: Permission denied (publickey)." >&2; exit 255`, false, "refuses this user", "`ssh gpu1 true`"},
		"no such host":     {`echo "ssh: Could not resolve hostname gpu1: Name or service not known" >&2; exit 255`, false, "is not known", "executors.gpu.hosts"},
		"no resolver":      {`echo "ssh: Could not resolve hostname gpu1: Temporary failure in name resolution" >&2; exit 255`, true, "not reached", "`ssh gpu1 true`"},
		"refused":          {`echo "ssh: connect to host gpu1 port 22: Connection refused" >&2; exit 255`, true, "not reached", "`ssh gpu1 true`"},
		"prose":            {`echo "Welcome to gpu1, be nice"`, true, "Welcome to gpu1", "print nothing"},
		"a tool is absent": {`echo "there is no flock here: install util-linux, coreutils and grep" >&2; exit 4`, false, "no flock", "doctor --executor gpu"},
		"a full disk":      {there + `echo "sh: 7: cannot create programs/x: No space left on device" >&2; exit 5`, false, "is full", "executors.gpu.folder"},
		"a quota":          {there + `echo "cat: write error: Disk quota exceeded" >&2; exit 5`, false, "is full", "executors.gpu.folder"},
		"a bad copy":       {there + `echo "the bytes that came are not the program"`, true, "did not take the program", "doctor --executor gpu"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scripted(t, c.script).Submit(t.Context(), aJob())
			wants(t, err, c.lost, c.text, c.hint)
		})
	}
	t.Run("no ssh", func(t *testing.T) {
		p := scripted(t, "")
		t.Setenv("PATH", t.TempDir())
		_, err := p.Submit(t.Context(), aJob())
		wants(t, err, false, "there is no ssh here", "openssh-client")
	})
	t.Run("a secret it does not get", func(t *testing.T) {
		j := aJob()
		j.Secrets = []string{"AWS_SECRET_ACCESS_KEY"}
		p := scripted(t, `case $line in *there=0*) echo "there 0 program 1 busy 0";; esac`)
		_, err := p.Submit(t.Context(), j)
		wants(t, err, false, "AWS_SECRET_ACCESS_KEY", "executors.gpu.secrets")
	})
	t.Run("a secret that is not set", func(t *testing.T) {
		p := scripted(t, `case $line in *there=0*) echo "there 0 program 1 busy 0";; esac`, func(o *Options) { o.Secrets = []string{"SPRINT_NOT_SET"} })
		_, err := p.Submit(t.Context(), aJob())
		wants(t, err, false, "SPRINT_NOT_SET", "set SPRINT_NOT_SET here")
	})
	t.Run("two GPUs for a job", func(t *testing.T) {
		j := aJob()
		j.Resources.GPUs = 2
		_, err := scripted(t, "").Submit(t.Context(), j)
		wants(t, err, false, "asks for 2", "resources.gpus")
	})
}

// TestUnfitHosts: what a host lacks is told before anything is submitted.
func TestUnfitHosts(t *testing.T) {
	const good = "platform Linux x86_64\ndisk 90000000\nmemory 64000000\ncores 8\nlibc glibc 2.36\n"
	for name, c := range map[string]struct {
		says       string
		demand     executor.Resources
		text, hint string
	}{
		"platform": {strings.Replace(good, "x86_64", "aarch64", 1), executor.Resources{}, "the program is for linux/amd64", "executors.gpu.hosts"},
		"disk":     {strings.Replace(good, "90000000", "1000", 1), executor.Resources{}, "of disk free", "executors.gpu.folder"},
		"memory":   {good, executor.Resources{Memory: 1 << 40}, "of memory", "resources.memory"},
		"cores":    {good, executor.Resources{CPUs: 9}, "has 8 cores", "resources.cpus"},
		"no GPU":   {good, executor.Resources{Device: "cuda"}, "has 0 GPUs", "nvidia-smi"},
		"a driver that is broken": {good + "gpuless NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", executor.Resources{GPUs: 1},
			"has 0 GPUs", "check the driver"},
	} {
		t.Run(name, func(t *testing.T) {
			j := aJob()
			j.Resources = c.demand
			err := scripted(t, fmt.Sprintf("printf '%%s' '%s'", strings.ReplaceAll(c.says, "'", `'\''`))).Probe(t.Context(), j, func(string, string) {})
			wants(t, err, false, c.text, c.hint)
		})
	}
}

// TestWatchAnswers: words that contradict each other, breaks and prose end no job that has
// not ended; a folder that was removed by hand is one that has.
func TestWatchAnswers(t *testing.T) {
	// The n-th call prints the n-th line of words.
	turns := func(words ...string) string {
		return fmt.Sprintf(`n=$(($(cat "$HOME/n" 2>/dev/null || echo 0) + 1)); echo $n >"$HOME/n"
case $n in
%s
*) exit 255;;
esac`, func() (all string) {
			for i, w := range words {
				all += fmt.Sprintf("%d) %s;;\n", i+1, w)
			}
			return all
		}())
	}
	for name, c := range map[string]struct {
		words []string
		want  executor.Status
	}{
		"back and forth": {[]string{"echo running; echo queued; echo 'Have a nice day'; exit 255", "echo queued", "echo running; echo 'ended 3'"}, executor.Status{Known: true, ExitCode: 3}},
		"by hand":        {[]string{"echo running; echo gone"}, executor.Status{Gone: true, Reason: "its folder there is gone"}},
		"killed":         {[]string{"echo killed"}, executor.Status{Lost: true, Reason: "its processes are gone without an end"}},
		"rebooted":       {[]string{"echo running", "echo rebooted"}, executor.Status{Lost: true, Reason: "the machine was started again"}},
		"no code":        {[]string{"echo 'ended soon'"}, executor.Status{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scripted(t, turns(c.words...), func(o *Options) { o.LostTime = time.Minute }).Watch(t.Context(), "gpu1/"+executor.Handle(aJob().ID), func(executor.Status) {})
			c.want.Phase, c.want.Node = executor.PhaseEnded, "gpu1"
			if err != nil || got != c.want {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
	t.Run("silence", func(t *testing.T) {
		got, err := scripted(t, "exit 255").Watch(t.Context(), "gpu1/x", func(executor.Status) {})
		if err != nil || !got.Lost || !strings.Contains(got.Reason, "has not answered for 1s") {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("another host key meanwhile", func(t *testing.T) {
		_, err := scripted(t, `echo "Host key verification failed." >&2; exit 255`).Watch(t.Context(), "gpu1/x", func(executor.Status) {})
		wants(t, err, false, "not known", "fingerprint")
	})
}
