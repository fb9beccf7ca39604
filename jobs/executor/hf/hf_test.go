//go:build unix

package hf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/hf/hftest"
	"github.com/sprint-ml/sprint/stages"
)

// provider of a hub, that looks often.
func provider(t *testing.T, h *hftest.Hub, change ...func(*Options)) *Provider {
	t.Helper()
	o := Options{Namespace: hftest.Namespace, Token: "HF_TOKEN", Image: "python:3.12", Longest: 24 * time.Hour, Endpoint: h.URL}
	for _, f := range change {
		f(&o)
	}
	values := map[string]string{"HF_TOKEN": hftest.Token, "STORE_KEY": "the-key-of-the-store"}
	p, err := New("rented", o, func(name string) string { return values[name] })
	if err != nil {
		t.Fatal(err)
	}
	p.poll, p.mostPoll = 20*time.Millisecond, 50*time.Millisecond
	p.client.http.RetryWaitMin, p.client.http.RetryWaitMax = time.Millisecond, 5*time.Millisecond
	return p
}

// job runs a shell script as its program.
func job(t *testing.T, script string) *executor.Job {
	t.Helper()
	dir := t.TempDir()
	text := []byte("#!/bin/sh\n" + script + "\n")
	sum := fmt.Sprintf("%x", sha256.Sum256(text))
	if err := os.WriteFile(filepath.Join(dir, sum), text, 0o700); err != nil {
		t.Fatal(err)
	}
	return &executor.Job{
		ID: executor.JobID("run", t.Name(), 1, "x"), Stage: "train", Attempt: 1, Argv: []string{"worker"}, Env: map[string]string{executor.EnvProgramDir: dir},
		Program: executor.Program{Digest: sum, URL: func(context.Context, time.Duration) (string, error) { return "http://127.0.0.1:1/program", nil }},
		Limits:  executor.Limits{Run: time.Minute, Grace: time.Second},
	}
}

// TestNoToken: nothing is asked of the hub without one.
func TestNoToken(t *testing.T) {
	p := provider(t, hftest.New(t), func(o *Options) { o.Token = "OTHER" })
	_, err := p.Submit(t.Context(), job(t, "exit 0"))
	if f, ok := errors.AsType[*stages.Failure](err); !ok || !strings.Contains(f.Error(), "OTHER is not set") || !strings.Contains(f.Hint, "executors.rented.token") {
		t.Errorf("%v", err)
	}
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

func submit(t *testing.T, p *Provider, j *executor.Job) executor.Handle {
	t.Helper()
	h, err := p.Submit(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		script string
		limit  time.Duration
		want   executor.Status
	}{
		{script: "exit 0", want: executor.Status{Known: true}},
		{script: "exit 75", want: executor.Status{Known: true, ExitCode: 75}},
		{script: "kill -9 $$", want: executor.Status{Known: true, ExitCode: 137}},
		{script: "sleep 60", limit: time.Second, want: executor.Status{TimedOut: true}},
	} {
		t.Run(c.script, func(t *testing.T) {
			p, j := provider(t, hftest.New(t)), job(t, c.script)
			if c.limit > 0 {
				j.Limits = executor.Limits{Run: c.limit}
			}
			got, phases := watch(t, p, submit(t, p, j))
			if got.Phase != executor.PhaseEnded || got.ExitCode != c.want.ExitCode || got.Known != c.want.Known || got.TimedOut != c.want.TimedOut || got.Gone || got.Lost {
				t.Errorf("%+v", got)
			}
			if phases[len(phases)-1] != executor.PhaseEnded {
				t.Errorf("reported %v", phases)
			}
		})
	}
}

// TestSubmitTwice: the second submit finds the first job, running or ended; another hub's
// pages and other jobs are no reason to start one.
func TestSubmitTwice(t *testing.T) {
	hub := hftest.New(t)
	p, j := provider(t, hub), job(t, "sleep 0.2")
	other := *j
	other.ID += "-other"
	submit(t, p, &other)
	first := submit(t, p, j)
	if again := submit(t, p, j); again != first {
		t.Errorf("a second job %s beside %s", again, first)
	}
	watch(t, p, first)
	if again := submit(t, p, j); again != first || len(hub.Specs()) != 2 {
		t.Errorf("a second job %s beside %s that has ended; %d jobs", again, first, len(hub.Specs()))
	}
}

// TestSubmission: what the hub is told: one attempt, a limit of its own, and secrets nowhere
// but among secrets.
func TestSubmission(t *testing.T) {
	hub := hftest.New(t)
	p, j := provider(t, hub), job(t, `[ "$STORE_KEY" = the-key-of-the-store ]`)
	j.Secrets, j.Resources = []string{"STORE_KEY"}, executor.Resources{Device: "cuda"}
	if s, _ := watch(t, p, submit(t, p, j)); s.ExitCode != 0 || !s.Known {
		t.Errorf("the job does not see its secret: %+v", s)
	}
	spec := hub.Specs()[0]
	if spec["attempts"] != 1.0 || spec["timeoutSeconds"] != 61.0 || spec["flavor"] != "t4-small" {
		t.Errorf("%v", spec)
	}
	delete(spec, "secrets")
	if text := fmt.Sprint(spec); strings.Contains(text, "the-key") || strings.Contains(text, hftest.Token) || strings.Contains(text, "127.0.0.1:1/") {
		t.Errorf("a secret outside secrets: %s", text)
	}
	j = job(t, "exit 0")
	j.ID, j.Limits = j.ID+"-2", executor.Limits{}
	watch(t, p, submit(t, p, j)) // it still writes into its folder until it ends
	if got := hub.Specs()[1]["timeoutSeconds"]; got != (24 * time.Hour).Seconds() {
		t.Errorf("without a limit the hub's own of half an hour counts: %v", got)
	}
}

// TestCancel: every process of the job is gone when Cancel returns, those that ignore
// SIGTERM too; again, and of what is not there, it does nothing.
func TestCancel(t *testing.T) {
	hub := hftest.New(t)
	hub.Grace = 200 * time.Millisecond
	p := provider(t, hub)
	marker := filepath.Join(t.TempDir(), "alive")
	j := job(t, fmt.Sprintf(`trap "" TERM; (trap "" TERM; while sleep 0.05; do echo x >>%s; done) & wait`, marker))
	h := submit(t, p, j)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(marker); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the job has not begun: %v", err)
		}
	}
	for range 2 {
		if err := p.Cancel(t.Context(), h, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(marker)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	time.Sleep(200 * time.Millisecond)
	if after := size(); after != before {
		t.Errorf("a process of a cancelled job goes on: %d bytes, then %d", before, after)
	}
	if err := p.Cancel(t.Context(), "000000000000000000000099", time.Second); err != nil {
		t.Errorf("of a job that is not there: %v", err)
	}
}

// TestTrouble: answers that may go away are ridden out; those that do not end with code 4
// and name what to do; none repeats the token.
func TestTrouble(t *testing.T) {
	prose := func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, "<html>maintenance "+hftest.Token+"</html>")
		return true
	}
	t.Run("passes", func(t *testing.T) {
		hub := hftest.New(t)
		p := provider(t, hub)
		h := submit(t, p, job(t, "sleep 0.3"))
		hub.Fault(hftest.Status(429, "slow down"), hftest.Status(500, "oops"), hftest.Status(502, "oops"), prose, prose)
		hub.Fault(hftest.Status(404, "no such job"), hftest.Status(404, "for a moment"))
		if s, _ := watch(t, p, h); !s.Known || s.ExitCode != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a submission that was taken without an answer", func(t *testing.T) {
		hub := hftest.New(t)
		p, j := provider(t, hub), job(t, "exit 0")
		pass := func(http.ResponseWriter, *http.Request) bool { return false }
		hub.Fault(pass, pass, func(w http.ResponseWriter, r *http.Request) bool { // the third request is the submission
			r2, err := http.NewRequestWithContext(r.Context(), r.Method, hub.URL+r.URL.Path, r.Body)
			if err == nil {
				r2.Header = r.Header
				if resp, err := http.DefaultClient.Do(r2); err == nil {
					resp.Body.Close()
				}
			}
			http.Error(w, "bad gateway", http.StatusBadGateway)
			return true
		})
		_, err := p.Submit(t.Context(), j)
		if err == nil || !stages.IsLost(err) {
			t.Fatalf("want an error that may go away, got %v", err)
		}
		submit(t, p, j)
		if n := len(hub.Specs()); n != 1 {
			t.Errorf("%d jobs were started", n)
		}
	})
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request) bool
		want  string
	}{
		"token":    {hftest.Status(401, `{"error":"Invalid credentials"}`), "refuses the token"},
		"payment":  {hftest.Status(402, `{"error":"Payment required"}`), "payment"},
		"redirect": {hftest.Status(302, ""), "redirection"},
		"refused":  {hftest.Status(400, `{"error":"bad `+hftest.Token+`"}`), "refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			hub := hftest.New(t)
			p := provider(t, hub)
			hub.Fault(c.fault)
			_, err := p.Submit(t.Context(), job(t, "exit 0"))
			f, ok := errors.AsType[*stages.Failure](err)
			if !ok || f.Lost || f.Code != stages.CodeEnvironment || f.Hint == "" || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error(), hftest.Token) {
				t.Errorf("the token is in the error: %v", err)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		hub := hftest.New(t)
		p := provider(t, hub)
		h := submit(t, p, job(t, "exit 0"))
		hub.Forget()
		if s, _ := watch(t, p, h); !s.Gone {
			t.Errorf("%+v", s)
		}
	})
}

func TestHardware(t *testing.T) {
	p := provider(t, hftest.New(t))
	for _, c := range []struct {
		r    executor.Resources
		want string
	}{
		{executor.Resources{}, "cpu-basic"}, {executor.Resources{CPUs: 4}, "cpu-upgrade"}, {executor.Resources{Device: "cuda"}, "t4-small"},
		{executor.Resources{GPUs: 2}, "a10g-largex2"}, {executor.Resources{GPUType: "A100"}, "a100-large"}, {executor.Resources{Memory: 20e9}, "cpu-upgrade"},
		{executor.Resources{GPUs: 9}, ""},
	} {
		if got, err := p.flavor(t.Context(), c.r); got.Name != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v; want %q", c.r, got.Name, err, c.want)
		}
	}
	price, err := p.Price(t.Context(), executor.Resources{Device: "cuda"})
	if want := (executor.Price{PerHour: 400_020, Currency: "USD", Basis: "t4-small of the hub"}); err != nil || price != want {
		t.Errorf("a t4-small costs %+v, %v; want %+v", price, err, want)
	}
	named := provider(t, hftest.New(t), func(o *Options) { o.Flavor = "cpu-basics" })
	if _, err := named.flavor(t.Context(), executor.Resources{}); err == nil || !strings.Contains(err.Error(), "cpu-basics") {
		t.Errorf("an unknown flavor: %v", err)
	}
	small := provider(t, hftest.New(t), func(o *Options) { o.Flavor = "cpu-basic" })
	if _, err := small.Submit(t.Context(), &executor.Job{ID: "x", Resources: executor.Resources{Device: "cuda"}}); err == nil {
		t.Error("a stage that demands cuda was sent to cpu-basic")
	}
}

func TestLogs(t *testing.T) {
	p := provider(t, hftest.New(t))
	h := submit(t, p, job(t, "echo one; echo two "+hftest.Token+" >&2"))
	watch(t, p, h)
	var out bytes.Buffer
	if err := p.Logs(t.Context(), h, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !slices.Contains(lines, "one") || strings.Contains(out.String(), hftest.Token) {
		t.Errorf("%q", out.String())
	}
}

func TestProbe(t *testing.T) {
	notes := map[string]string{}
	note := func(name, value string) { notes[name] = value }
	p, j := provider(t, hftest.New(t)), job(t, "exit 0")
	if err := p.Probe(t.Context(), j, note); err != nil || !strings.Contains(notes["hardware"], "USD an hour") {
		t.Errorf("%v, %v", notes, err)
	}
	j.Secrets = []string{"NOT_SET"}
	if err := p.Probe(t.Context(), j, note); err == nil || !strings.Contains(err.Error(), "NOT_SET") {
		t.Errorf("a secret that cannot be had: %v", err)
	}
}
