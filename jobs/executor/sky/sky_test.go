//go:build unix

package sky

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/sky/skytest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/stages"
)

func TestMain(m *testing.M) {
	os.Exit(jobstest.Main(m, map[string]func([]string) int{skytest.Part: skytest.Play}))
}

// The values of secrets that must be nowhere but in the job's environment.
const (
	storeKey = "the-key-of-the-store"
	address  = "http://127.0.0.1:1/program?signature=abc"
)

// provider of a server, that asks often.
func provider(t *testing.T, s *skytest.Server, change ...func(*Options)) *Provider {
	t.Helper()
	o := Options{Command: s.Command}
	for _, f := range change {
		f(&o)
	}
	p := New("rented", &o, append(os.Environ(), "STORE_KEY="+storeKey))
	p.tries, p.tick, p.o.Poll = 50*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond
	return p
}

// job runs a shell script as its program.
func job(t *testing.T, script string) *executor.Job {
	t.Helper()
	dir := t.TempDir()
	text := []byte("#!/bin/sh\n" + script + "\n")
	sum := fmt.Sprintf("%x", sha256.Sum256(text))
	if err := os.WriteFile(filepath.Join(dir, sum), text, 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	return &executor.Job{
		ID: executor.JobID("run", t.Name(), 1, "x"), Run: "run", Stage: "train", Attempt: 1, Argv: []string{"worker"}, Env: map[string]string{executor.EnvProgramDir: dir},
		Program: executor.Program{Digest: sum, URL: func(context.Context, time.Duration) (string, error) { return address, nil }},
		Limits:  executor.Limits{Run: time.Minute, Grace: time.Second},
	}
}

func submit(t *testing.T, p *Provider, j *executor.Job) executor.Handle {
	t.Helper()
	h, err := p.Submit(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func watch(t *testing.T, p *Provider, h executor.Handle) (executor.Status, []executor.Phase) {
	t.Helper()
	var phases []executor.Phase
	s, err := p.Watch(t.Context(), h, func(s executor.Status) { phases = append(phases, s.Phase) })
	if err != nil {
		t.Fatal(err)
	}
	return s, phases
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		script string
		want   executor.Status
	}{
		{"exit 0", executor.Status{Known: true}},
		{"exit 1", executor.Status{Known: true, ExitCode: 1}},
		{"exit 75", executor.Status{Known: true, ExitCode: 75}}, // nobody asked it to: it is not started again
		{"kill -9 $$", executor.Status{Known: true, ExitCode: 137}},
	} {
		t.Run(c.script, func(t *testing.T) {
			p, j := provider(t, skytest.New(t)), job(t, c.script)
			got, phases := watch(t, p, submit(t, p, j))
			if got.Phase != executor.PhaseEnded || got.ExitCode != c.want.ExitCode || got.Known != c.want.Known || got.Gone || got.Lost || got.Restarts != 0 {
				t.Errorf("%+v", got)
			}
			if phases[len(phases)-1] != executor.PhaseEnded {
				t.Errorf("reported %v", phases)
			}
		})
	}
	t.Run("nobody ends it", func(t *testing.T) {
		p, j := provider(t, skytest.New(t)), job(t, "exec sleep 60")
		j.Limits = executor.Limits{Run: time.Second}
		if got, _ := watch(t, p, submit(t, p, j)); !got.TimedOut {
			t.Errorf("%+v", got)
		}
	})
}

// TestSpot: a spot machine is asked for by stages that may be interrupted, and by no other.
func TestSpot(t *testing.T) {
	p, j := provider(t, skytest.New(t)), job(t, "exit 0")
	for _, want := range []bool{true, false} {
		j.Resources.Preemptible = want
		text, err := p.spec(j, nil)
		if got := strings.Contains(string(text), `"use_spot": true`); err != nil || got != want {
			t.Errorf("preemptible %v: %s, %v", want, text, err)
		}
	}
}

// TestStartedAgain: a job whose machine was taken, or that was asked to end there, is
// started again by SkyPilot, and its provider says so.
func TestStartedAgain(t *testing.T) {
	for name, take := range map[string]func(*skytest.Server){"taken": (*skytest.Server).Preempt, "asked": (*skytest.Server).Shutdown} {
		t.Run(name, func(t *testing.T) {
			s := skytest.New(t)
			marker := filepath.Join(t.TempDir(), "begun")
			p, j := provider(t, s), job(t, fmt.Sprintf(`[ -e %[1]s ] && exit 0; trap 'exit 75' TERM; : >%[1]s; while :; do sleep 0.05; done`, marker))
			h := submit(t, p, j)
			await(t, marker)
			take(s)
			if got, _ := watch(t, p, h); !got.Known || got.ExitCode != 0 || got.Restarts != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func await(t *testing.T, file string) {
	t.Helper()
	for range 3000 {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the job has not begun")
}

// TestSubmitTwice: the second submit finds the first job, running or ended; other jobs are
// no reason to start none.
func TestSubmitTwice(t *testing.T) {
	s := skytest.New(t)
	p, j := provider(t, s), job(t, "sleep 0.5")
	other := *j
	other.ID += "-other"
	submit(t, p, &other)
	first := submit(t, p, j)
	if again := submit(t, p, j); again != first {
		t.Errorf("a second job %s beside %s", again, first)
	}
	watch(t, p, first)
	if again := submit(t, p, j); again != first || len(s.Launched()) != 2 {
		t.Errorf("a second job %s beside %s that has ended; %d jobs", again, first, len(s.Launched()))
	}
}

// TestSubmission: what SkyPilot is told, and that values of secrets are in no argument and no file.
func TestSubmission(t *testing.T) {
	s := skytest.New(t)
	p := provider(t, s, func(o *Options) {
		o.Infra, o.MaxHourlyCost, o.Image, o.GPUTypes = "aws/us-east-1", 2.5, "docker:python:3.12", map[string]string{"a100": "A100-80GB"}
	})
	j := job(t, `[ "$STORE_KEY" = `+storeKey+` ]`)
	j.Env["STORE_KEY"] = "not this"
	j.Secrets, j.Resources = []string{"STORE_KEY"}, executor.Resources{GPUs: 2, GPUType: "a100", CPUs: 4, Memory: 16<<30 + 1, Disk: 200e9}
	if got, _ := watch(t, p, submit(t, p, j)); got.ExitCode != 0 || !got.Known {
		t.Errorf("the job does not see its secret: %+v", got)
	}
	call := s.Launched()[0]
	if text := strings.Join(call.Args, " ") + string(call.File); strings.Contains(text, storeKey) || strings.Contains(text, address) {
		t.Errorf("a secret stands in %s", text)
	}
	if call.Secrets["STORE_KEY"] != storeKey || call.Secrets[executor.EnvProgramURL] != address {
		t.Errorf("secrets %v", call.Secrets)
	}
	var got spec
	decoder := json.NewDecoder(bytes.NewReader(call.File))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got.Resources)
	if want := `{"infra":"aws/us-east-1","accelerators":{"A100-80GB":2},"cpus":"4+","memory":"17+","disk_size":200,"image_id":"docker:python:3.12","max_hourly_cost":2.5,"job_recovery":{"max_restarts_on_errors":0,"recover_on_exit_codes":[75]}}`; string(text) != want {
		t.Errorf("resources %s", text)
	}
	if got.Name != j.ID || call.Args[3] != j.ID {
		t.Errorf("its name is %s, and %v", got.Name, call.Args)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "sprint-sky-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestCancel: every process of the job is gone when Cancel returns, those that ignore
// SIGTERM too; again, and of what is not there, it does nothing.
func TestCancel(t *testing.T) {
	s := skytest.New(t)
	s.Grace = 200 * time.Millisecond
	p := provider(t, s)
	marker := filepath.Join(t.TempDir(), "alive")
	h := submit(t, p, job(t, fmt.Sprintf(`trap "" TERM; (trap "" TERM; while sleep 0.05; do echo x >>%s; done) & wait`, marker)))
	await(t, marker)
	for range 2 {
		if err := p.Cancel(t.Context(), h, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(marker)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if after, err := os.ReadFile(marker); err != nil || len(after) != len(before) {
		t.Errorf("a process of a cancelled job goes on: %d bytes, then %d; %v", len(before), len(after), err)
	}
	if err := p.Cancel(t.Context(), "99 sprint-other", time.Second); err != nil {
		t.Errorf("of a job that is not there: %v", err)
	}
	if err := p.Cancel(t.Context(), "nonsense", time.Second); err == nil {
		t.Error("of what is no handle")
	}
}

func TestLogs(t *testing.T) {
	p := provider(t, skytest.New(t))
	h := submit(t, p, job(t, "echo one; echo two >&2; exit 3"))
	watch(t, p, h)
	var out bytes.Buffer
	if err := p.Logs(t.Context(), h, &out); err != nil || out.String() != "one\ntwo\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := p.Logs(t.Context(), "99 sprint-other", &out); err != nil || out.Len() > 0 {
		t.Errorf("of a job that is not there: %q, %v", out.String(), err)
	}
}

func TestProbe(t *testing.T) {
	s := skytest.New(t)
	notes := map[string]string{}
	note := func(name, value string) { notes[name] = value }
	p, j := provider(t, s, func(o *Options) { o.MaxHourlyCost = 2 }), job(t, "exit 0")
	if err := p.Probe(t.Context(), j, note); err != nil || notes["version"] != "0.14.1" || notes["clouds"] != "AWS" || notes["price"] != "at most 2.00 USD an hour" {
		t.Errorf("%v, %v", notes, err)
	}
	j.Secrets = []string{"NOT_SET"}
	refused(t, p.Probe(t.Context(), j, note), "NOT_SET")
	j.Secrets = nil
	s.Disable()
	refused(t, p.Probe(t.Context(), j, note), "no cloud is enabled")
	if len(s.Launched()) > 0 {
		t.Error("a probe launched a job")
	}
}

// TestList: what has not ended and has the name of a job of ours.
func TestList(t *testing.T) {
	p := provider(t, skytest.New(t))
	other := job(t, "exec sleep 60")
	other.ID = "sprint-of-words"
	submit(t, p, other)
	j := job(t, "exec sleep 60")
	h := submit(t, p, j)
	got, err := p.List(t.Context())
	if err != nil || len(got) != 1 || got[0].Handle != h || got[0].ID != j.ID || time.Since(got[0].Since).Abs() > 10*time.Minute {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := p.Cancel(t.Context(), h, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := p.List(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("it was ended: %+v, %v", got, err)
	}
}

// TestPrice: the bound is the price, as SkyPilot tells no other before it launches.
func TestPrice(t *testing.T) {
	s := skytest.New(t)
	if got, err := provider(t, s).Price(t.Context(), executor.Resources{}); err != nil || got != (executor.Price{}) {
		t.Errorf("%+v, %v", got, err)
	}
	p := provider(t, s, func(o *Options) { o.MaxHourlyCost = 2.5 })
	if got, err := p.Price(t.Context(), executor.Resources{}); err != nil || got.PerHour.String() != "2.5" || got.Currency != "USD" || !strings.Contains(got.Basis, "max_hourly_cost") {
		t.Errorf("%+v, %v", got, err)
	}
	p.o.MaxHourlyCost = math.NaN()
	_, err := p.Submit(t.Context(), job(t, "exit 0"))
	refused(t, err, "max_hourly_cost")
}

// refused checks an error that does not go away: code 4, with what to do.
func refused(t *testing.T, err error, text string) {
	t.Helper()
	f, ok := errors.AsType[*stages.Failure](err)
	if !ok || f.Lost || f.Code != stages.CodeEnvironment || f.Hint == "" || !strings.Contains(err.Error(), text) {
		t.Errorf("want a failure for good that says %q and what to do, got %v (%s)", text, err, executor.Hint(err))
	}
}
