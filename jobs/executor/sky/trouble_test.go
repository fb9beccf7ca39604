//go:build unix

package sky

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/sky/skytest"
	"github.com/sprint-ml/sprint/stages"
)

// TestRefused: what does not go away by itself ends a submit with code 4, and says what to
// do; no value of a secret is repeated.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		stderr string
		code   int
		want   string
	}{
		"no cloud":      {"sky.exceptions.NoCloudAccessError: Cloud access is not set up.", 1, "NoCloudAccessError"},
		"not enabled":   {"sky.exceptions.ResourcesUnavailableError: Task requires AWS which is not enabled.", 1, "not enabled"},
		"none so fit":   {"sky.exceptions.ResourcesUnavailableError: Catalog does not contain any instances satisfying the request", 1, "does not contain"},
		"no such infra": {"ValueError: Invalid infra format: nowhere. Expected cloud/region/zone", 1, "Invalid infra"},
		"no right":      {"sky.exceptions.PermissionDeniedError: user may not launch here", 1, "PermissionDenied"},
		"logged out":    {"sky.exceptions.ApiServerAuthenticationError: Authentication failed for " + address, 1, "Authentication"},
		"old versions":  {"sky.exceptions.APIVersionMismatchError: the client is too old", 1, "too old"},
		"an old sky":    {"Usage: sky jobs\n\nError: No such option: --secret", 2, "No such option"},
		"bad task":      {"ValueError: Invalid task YAML: Found unsupported field 'run'.", 1, "unsupported field"},
		"full disk":     {"OSError: [Errno 28] No space left on device", 1, "No space"},
	} {
		t.Run(name, func(t *testing.T) {
			s := skytest.New(t)
			s.Fault(skytest.Pass, skytest.Says("", c.stderr+"\n", c.code)) // the second call is the launch
			_, err := provider(t, s).Submit(t.Context(), job(t, "exit 0"))
			refused(t, err, c.want)
			if err != nil && strings.Contains(err.Error(), "signature") {
				t.Errorf("a secret is repeated: %v", err)
			}
		})
	}
	t.Run("no SkyPilot", func(t *testing.T) {
		p := provider(t, skytest.New(t), func(o *Options) { o.Command = "no-such-sky" })
		_, err := p.Submit(t.Context(), job(t, "exit 0"))
		refused(t, err, "there is no SkyPilot here")
	})
	t.Run("no type of GPU", func(t *testing.T) {
		j := job(t, "exit 0")
		j.Resources.Device = "cuda"
		_, err := provider(t, skytest.New(t)).Submit(t.Context(), j)
		refused(t, err, "demands a GPU")
		if _, err := provider(t, skytest.New(t), func(o *Options) { o.GPU = "L4" }).spec(j, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("no such secret", func(t *testing.T) {
		j := job(t, "exit 0")
		j.Secrets = []string{"NOT_SET"}
		_, err := provider(t, skytest.New(t)).Submit(t.Context(), j)
		refused(t, err, "NOT_SET")
	})
	t.Run("no name of a variable", func(t *testing.T) {
		j := job(t, "exit 0")
		j.Env["A;rm -rf"] = "x"
		_, err := provider(t, skytest.New(t)).Submit(t.Context(), j)
		refused(t, err, "no name of a variable")
	})
}

// TestPasses: what goes away by itself is ridden out.
func TestPasses(t *testing.T) {
	prose := skytest.Says("\x1b[2mFailed to connect to SkyPilot API server. Starting a local server.\x1b[0m\n<html>maintenance</html>\n", "", 0)
	trouble := []skytest.Fault{
		skytest.Says("", "sky.exceptions.ApiServerConnectionError: Could not connect to SkyPilot API server", 1),
		skytest.Says("", "requests.exceptions.HTTPError: 429 Client Error: Too Many Requests", 1),
		skytest.Says("", "requests.exceptions.HTTPError: 500 Server Error: Internal Server Error", 1),
		prose,
		skytest.Says("", "sky.exceptions.ClusterNotUpError: No in-progress managed jobs.", 1), // for a moment
		skytest.Says(`[{"job_id": null}]`, "", 0),
	}
	t.Run("watch", func(t *testing.T) {
		s := skytest.New(t)
		p := provider(t, s)
		h := submit(t, p, job(t, "sleep 1"))
		s.Fault(trouble...)
		if got, _ := watch(t, p, h); !got.Known || got.ExitCode != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		s := skytest.New(t)
		p := provider(t, s)
		h := submit(t, p, job(t, "exec sleep 60"))
		s.Fault(trouble...)
		if err := p.Cancel(t.Context(), h, 0); err != nil {
			t.Fatal(err)
		}
		if got, _ := watch(t, p, h); got.Phase != executor.PhaseEnded || got.Known {
			t.Errorf("%+v", got)
		}
	})
	t.Run("submit", func(t *testing.T) {
		s := skytest.New(t)
		p := provider(t, s)
		for _, f := range trouble[:4] {
			s.Fault(f)
			if _, err := p.Submit(t.Context(), job(t, "exit 0")); !stages.IsLost(err) {
				t.Errorf("%v", err)
			}
		}
	})
	t.Run("a launch that was taken without an answer", func(t *testing.T) {
		s := skytest.New(t)
		p := provider(t, s)
		s.Fault(skytest.Pass, func(c skytest.Call) (skytest.Answer, bool) {
			s.Launch(c)
			return skytest.Answer{Stderr: "sky.exceptions.ApiServerConnectionError: Remote end closed connection", Code: 1}, true
		})
		submit(t, p, job(t, "exit 0"))
		if n := len(s.Launched()); n != 1 {
			t.Errorf("%d jobs were launched", n)
		}
	})
}

// TestLaunchedTwice: a job that was launched twice, by a launch that outlived its runner, is
// ended twice.
func TestLaunchedTwice(t *testing.T) {
	s := skytest.New(t)
	p := provider(t, s)
	j := job(t, "exec sleep 60")
	h := submit(t, p, j)
	s.Launch(s.Launched()[0])
	if got, err := p.List(t.Context()); err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := p.Cancel(t.Context(), h, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := p.List(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("left are %+v, %v", got, err)
	}
}

// TestGone: a job that was deleted by hand has ended, and is told from one that is not
// listed for a moment.
func TestGone(t *testing.T) {
	s := skytest.New(t)
	p := provider(t, s)
	h := submit(t, p, job(t, "exec sleep 60"))
	submit(t, p, &executor.Job{ID: "sprint-other", Program: job(t, "exit 0").Program})
	s.Forget()
	if got, _ := watch(t, p, h); !got.Gone {
		t.Errorf("%+v", got)
	}
}

// TestStates: what SkyPilot's words mean.
func TestStates(t *testing.T) {
	for name, c := range map[string]struct {
		state, failure string
		restarts       int
		want           executor.Status
		hint           string
	}{
		"waits":       {"PENDING", "", 0, executor.Status{Phase: executor.PhaseQueued}, ""},
		"rents":       {"STARTING", "", 0, executor.Status{Phase: executor.PhaseQueued}, ""},
		"again":       {"RECOVERING", "", 2, executor.Status{Phase: executor.PhaseQueued, Restarts: 2}, ""},
		"runs":        {"RUNNING", "", 0, executor.Status{Phase: executor.PhaseRunning}, ""},
		"being ended": {"CANCELLING", "", 0, executor.Status{Phase: executor.PhaseRunning}, ""},
		"new word":    {"WARMING", "", 0, executor.Status{Phase: executor.PhaseRunning}, ""},
		"cancelled":   {"CANCELLED", "", 0, executor.Status{Phase: executor.PhaseEnded}, ""},
		"prechecks":   {"FAILED_PRECHECKS", "no such image", 0, executor.Status{Phase: executor.PhaseEnded, Hopeless: true}, "image"},
		"no machine":  {"FAILED_NO_RESOURCE", "", 0, executor.Status{Phase: executor.PhaseEnded, Hopeless: true}, "max_hourly_cost"},
		"quota":       {"FAILED_NO_RESOURCE", "Quota 'GPUS' exceeded", 0, executor.Status{Phase: executor.PhaseEnded, Hopeless: true}, "quota"},
		"controller":  {"FAILED_CONTROLLER", "it crashed", 0, executor.Status{Phase: executor.PhaseEnded, Lost: true}, "--controller"},
		"new failure": {"FAILED_SOMEHOW", "", 0, executor.Status{Phase: executor.PhaseEnded}, ""},
		"memory":      {"FAILED", "the pod was OOMKilled", 0, executor.Status{Phase: executor.PhaseEnded, OutOfMemory: true}, ""},
		"orphan":      {"FAILED", "Job exited with exit code 76 (user program failure).", 0, executor.Status{Phase: executor.PhaseEnded, Known: true, ExitCode: 75}, ""},
		"two codes":   {"FAILED", "Job exited with exit codes [1, 137]", 0, executor.Status{Phase: executor.PhaseEnded, Known: true, ExitCode: 1}, ""},
		"stale":       {"FAILED", "Job exited with exit code 4", 1, executor.Status{Phase: executor.PhaseEnded, Known: true, ExitCode: 4, Lost: true, Restarts: 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			id := int64(7)
			got := status(&row{ID: &id, Status: c.state, Failure: c.failure, Restarts: c.restarts})
			if !strings.Contains(got.Hint, c.hint) || c.hint == "" && got.Hint != "" {
				t.Errorf("hint %q", got.Hint)
			}
			got.Hint, got.Reason = "", ""
			if got.Restarts = c.restarts; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
