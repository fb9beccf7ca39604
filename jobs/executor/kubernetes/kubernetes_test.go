package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
	"go.yaml.in/yaml/v4"
)

const goodToken = "{token: good}"

// newProvider is one that reaches the fake, and does not wait long before it tries again.
func newProvider(t *testing.T, f *fake, o Options) *Provider {
	t.Helper()
	if o.Kubeconfig == "" {
		o.Kubeconfig = f.kubeconfig(goodToken)
	}
	p, err := New(&o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.api.backoff = time.Millisecond
	return p
}

func newJob() *executor.Job {
	return &executor.Job{
		ID: executor.JobID("20260102-030405-00012345", "train", 1, "abc"), Run: "20260102-030405-00012345", Stage: "train", Attempt: 1,
		Argv: []string{"worker", "--stage", "train"}, Env: map[string]string{"A": "$(HOME) $$"}, Secrets: []string{"KEY"},
		Program: executor.Program{Digest: strings.Repeat("ab", 32), Platform: "linux/amd64", URL: func(context.Context, time.Duration) (string, error) {
			return "https://store/program?sig=1", nil
		}},
		Resources: executor.Resources{GPUs: 2, GPUType: "h100", CPUs: 3, Memory: 1 << 30, Disk: 1 << 20},
		Limits:    executor.Limits{Run: time.Hour, Grace: 20 * time.Second},
	}
}

var withSecret = Options{Secrets: map[string]string{"KEY": "store/key"}}

func submit(t *testing.T, p *Provider, j *executor.Job) executor.Handle {
	t.Helper()
	h, err := p.Submit(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// watched is a watch in the background.
type watched struct {
	t      *testing.T
	states chan executor.Status
	end    chan executor.Status
	err    chan error
}

func watchJob(t *testing.T, p *Provider, h executor.Handle) *watched {
	w := &watched{t, make(chan executor.Status, 100), make(chan executor.Status, 1), make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan any)
	go func() {
		defer close(done)
		s, err := p.Watch(ctx, h, func(s executor.Status) { w.states <- s })
		w.end <- s
		w.err <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return w
}

// until returns the first status of that phase with that reason.
func (w *watched) until(phase executor.Phase, reason string) executor.Status {
	w.t.Helper()
	var seen []executor.Status
	for {
		select {
		case s := <-w.states:
			seen = append(seen, s)
			if s.Phase == phase && strings.Contains(s.Reason, reason) {
				return s
			}
		case <-time.After(20 * time.Second):
			w.t.Fatalf("no %s %q among %+v", phase, reason, seen)
		}
	}
}

func (w *watched) result() (executor.Status, error) {
	w.t.Helper()
	select {
	case s := <-w.end:
		return s, <-w.err
	case <-time.After(20 * time.Second):
		w.t.Fatal("the watch does not end")
		return executor.Status{}, nil
	}
}

func running(o *pod) {
	o.Spec.NodeName, o.Status.Phase = "n1", "Running"
	o.Status.Containers = []containerStatus{{Name: containerName, State: containerState{Running: &struct{}{}}}}
}

func exits(code int, reason string) func(*pod) {
	return func(o *pod) {
		o.Spec.NodeName, o.Status.Phase = "n1", "Failed"
		if code == 0 {
			o.Status.Phase = "Succeeded"
		}
		o.Status.Containers = []containerStatus{{Name: containerName, State: containerState{Terminated: &terminated{ExitCode: code, Reason: reason}}}}
	}
}

// TestLife: a job is made once, is followed from the queue to its end, and leaves nothing.
func TestLife(t *testing.T) {
	f := newFake(t)
	p := newProvider(t, f, withSecret)
	j := newJob()
	h := submit(t, p, j)
	if again := submit(t, newProvider(t, f, withSecret), j); again != h {
		t.Errorf("submitted again: %s, not %s", again, h)
	}
	if jobs, pods := f.counts(); jobs != 1 || pods != 1 {
		t.Fatalf("%d jobs, %d pods", jobs, pods)
	}
	w := watchJob(t, p, h)
	w.until(executor.PhaseQueued, "waits for a node")
	f.change(func(o *pod) {
		o.Status.Conditions = []condition{{Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}}
	})
	if s := w.until(executor.PhaseQueued, "Insufficient"); s.Hint == "" {
		t.Error("a full cluster has no hint")
	}
	f.change(func(o *pod) {
		o.Spec.NodeName = "n1"
		o.Status.Conditions = nil
		o.Status.Containers = []containerStatus{{Name: containerName, State: containerState{Waiting: &waiting{Reason: "ContainerCreating"}}}}
	})
	w.until(executor.PhaseStarting, "")
	f.change(running)
	if s := w.until(executor.PhaseRunning, ""); s.Node != "n1" {
		t.Errorf("%+v", s)
	}
	f.change(exits(0, "Completed"))
	if s, err := w.result(); err != nil || s.Phase != executor.PhaseEnded || !s.Known || s.ExitCode != 0 || s.Lost || s.Gone || s.Node != "n1" {
		t.Errorf("%+v %v", s, err)
	}
	var log bytes.Buffer
	if err := p.Logs(t.Context(), h, &log); err != nil || !strings.HasPrefix(log.String(), "log of "+j.ID) {
		t.Errorf("%q %v", log.String(), err)
	}
	for range 2 { // the second finds nothing
		if err := p.Cancel(t.Context(), h, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if jobs, pods := f.counts(); jobs != 0 || pods != 0 {
		t.Errorf("%d jobs and %d pods are left", jobs, pods)
	}
	if s, err := p.Watch(t.Context(), h, func(executor.Status) {}); err != nil || !s.Gone {
		t.Errorf("of a job that is not there: %+v %v", s, err)
	}
}

// TestEnds: what ended a pod is told apart, with what to do.
func TestEnds(t *testing.T) {
	disrupted := func(reason string, end func(*pod)) func(*pod) {
		return func(o *pod) {
			if end != nil {
				end(o)
			}
			o.Status.Conditions = []condition{{Type: "DisruptionTarget", Status: "True", Reason: reason, Message: "told"}}
		}
	}
	for name, c := range map[string]struct {
		end  func(*pod)
		want executor.Status
	}{
		"failed":     {exits(3, "Error"), executor.Status{ExitCode: 3, Known: true, Reason: "Error"}},
		"checkpoint": {disrupted("PreemptionByScheduler", exits(75, "Error")), executor.Status{ExitCode: 75, Known: true, Preempted: true, Reason: "PreemptionByScheduler: told"}},
		"drained":    {disrupted("EvictionByEvictionAPI", exits(143, "Error")), executor.Status{ExitCode: 143, Known: true, Preempted: true, Reason: "EvictionByEvictionAPI: told"}},
		"collected":  {disrupted("DeletionByPodGC", func(o *pod) { o.Status.Phase, o.Spec.NodeName = "Failed", "n1" }), executor.Status{Lost: true, Reason: "DeletionByPodGC: told"}},
		"memory":     {exits(137, "OOMKilled"), executor.Status{ExitCode: 137, Known: true, OutOfMemory: true, Reason: "OOMKilled", Hint: memoryHint}},
		"evicted": {func(o *pod) {
			exits(137, "Error")(o)
			o.Status.Reason, o.Status.Message = "Evicted", "The node was low on resource: memory."
		}, executor.Status{ExitCode: 137, Known: true, OutOfMemory: true, Reason: "Evicted: The node was low on resource: memory.", Hint: memoryHint}},
		"disk": {func(o *pod) {
			exits(137, "Error")(o)
			o.Status.Reason, o.Status.Message = "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi."
		}, executor.Status{ExitCode: 137, Known: true, Reason: "Evicted: Pod ephemeral local storage usage exceeds the total limit of containers 1Mi.", Hint: diskHint}},
		"limit": {func(o *pod) {
			exits(137, "Error")(o)
			o.Status.Reason = "DeadlineExceeded"
		}, executor.Status{ExitCode: 137, Known: true, TimedOut: true, Reason: "DeadlineExceeded"}},
		"no shell":  {exits(128, "StartError"), executor.Status{ExitCode: 128, Hopeless: true, Reason: "StartError", Hint: shellHint}},
		"forgotten": {exits(137, "ContainerStatusUnknown"), executor.Status{Lost: true}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := newProvider(t, f, withSecret)
			w := watchJob(t, p, submit(t, p, newJob()))
			f.change(c.end)
			c.want.Phase, c.want.Node = executor.PhaseEnded, "n1"
			if s, err := w.result(); err != nil || s != c.want {
				t.Errorf("%+v %v, not %+v", s, err, c.want)
			}
		})
	}
}

// TestWaits: what a job waits for is told, with what to do, and what can never begin is.
func TestWaits(t *testing.T) {
	waits := func(reason, message string) func(*pod) {
		return func(o *pod) {
			o.Spec.NodeName = "n1"
			o.Status.Containers = []containerStatus{{Name: containerName, State: containerState{Waiting: &waiting{reason, message}}}}
		}
	}
	for name, c := range map[string]struct {
		edit     func(*pod)
		hopeless bool
		hint     string
	}{
		"image not there":      {waits("ErrImagePull", `failed to pull and unpack image "x": not found`), true, "`image`"},
		"image not for us":     {waits("ImagePullBackOff", `pull access denied`), true, "`pull_secrets`"},
		"registry silent":      {waits("ImagePullBackOff", `dial tcp: i/o timeout`), false, "`image`"},
		"image no name":        {waits("InvalidImageName", ""), true, "`image`"},
		"secret not there":     {waits("CreateContainerConfigError", `secret "store" not found`), true, "namespace news"},
		"container not made":   {waits("CreateContainerError", "x"), true, "/bin/sh"},
		"taint":                {unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint(s)"), false, "`tolerations`"},
		"no node of that type": {unschedulable("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector"), false, "`gpu_types`"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := newProvider(t, f, withSecret)
			w := watchJob(t, p, submit(t, p, newJob()))
			w.until(executor.PhaseQueued, "waits for a node")
			f.change(c.edit)
			s := <-w.states
			if s.Hopeless != c.hopeless || !strings.Contains(s.Hint, c.hint) || s.Reason == "" {
				t.Errorf("%+v", s)
			}
			if c.hopeless {
				if s, err := w.result(); err != nil || !s.Hopeless || s.Phase != executor.PhaseEnded {
					t.Errorf("%+v %v", s, err)
				}
			}
		})
	}
}

func unschedulable(message string) func(*pod) {
	return func(o *pod) {
		o.Status.Conditions = []condition{{Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: message}}
	}
}

// TestNoPod: why no pod is made is asked of the events.
func TestNoPod(t *testing.T) {
	f := newFake(t)
	f.noPods = true
	f.events = []event{{Type: "Warning", Reason: "FailedCreate", Message: `pods "x" is forbidden: exceeded quota: gpus, requested: 2`}}
	p := newProvider(t, f, withSecret)
	w := watchJob(t, p, submit(t, p, newJob()))
	if s := w.until(executor.PhaseQueued, "exceeded quota"); !strings.Contains(s.Hint, "kubectl describe quota -n news") || s.Hopeless {
		t.Errorf("%+v", s)
	}
}

// TestQueue: a job of Kueue waits until it is begun, and goes back when its machine is
// taken; the address of its program is signed anew while it waits.
func TestQueue(t *testing.T) {
	f := newFake(t)
	o := withSecret
	o.Queue = "gpus"
	p := newProvider(t, f, o)
	j := newJob()
	h := submit(t, p, j)
	j.Program.URL = func(context.Context, time.Duration) (string, error) { return "https://store/program?sig=2", nil }
	p.programs.remember(j.ID, j.Program, time.Now().Add(-refreshAfter))
	f.mu.Lock()
	made := f.jobs[j.ID]
	f.mu.Unlock()
	if made.Metadata.Labels[labelQueue] != "gpus" || !made.Spec.Suspend {
		t.Errorf("%+v", made.Metadata)
	}
	w := watchJob(t, p, h)
	w.until(executor.PhaseQueued, "waits in the queue gpus")
	for {
		f.mu.Lock()
		address := f.jobs[j.ID].Spec.Template.Metadata.Annotations[annotationProgram]
		f.mu.Unlock()
		if address == "https://store/program?sig=2" {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the address is not signed anew")
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.changeJob(func(j *job) { j.Spec.Suspend = false })
	w.until(executor.PhaseQueued, "waits for a node")
	f.change(running)
	w.until(executor.PhaseRunning, "")
	f.mu.Lock()
	f.jobs[j.ID].Spec.Suspend, f.jobs[j.ID].Status.Active = true, 0
	f.put("jobs", "MODIFIED", j.ID)
	for name := range f.pods {
		f.put("pods", "DELETED", name)
		delete(f.pods, name)
	}
	f.mu.Unlock()
	w.until(executor.PhaseQueued, "waits in the queue gpus")
	f.changeJob(func(j *job) { j.Spec.Suspend = false })
	if s := w.until(executor.PhaseQueued, "waits for a node"); s.Restarts != 1 {
		t.Errorf("%+v", s)
	}
}

// TestNodeLost: the pod of a machine that is gone is released, and the attempt is lost.
func TestNodeLost(t *testing.T) {
	f := newFake(t)
	f.stubborn = true
	p := newProvider(t, f, withSecret)
	h := submit(t, p, newJob())
	w := watchJob(t, p, h)
	f.change(running)
	w.until(executor.PhaseRunning, "")
	now := time.Now()
	f.change(func(o *pod) {
		o.Metadata.Deleted = &now
		o.Status.Conditions = []condition{{Type: "DisruptionTarget", Status: "True", Reason: "DeletionByTaintManager"}}
	})
	if s, err := w.result(); err != nil || !s.Lost || s.Preempted || s.Known || s.Node != "n1" {
		t.Errorf("%+v %v", s, err)
	}
	if _, pods := f.counts(); pods != 0 {
		t.Error("the pod is still there")
	}
	if !slices.ContainsFunc(f.requests, func(r string) bool { return strings.HasPrefix(r, "PATCH ") && strings.HasSuffix(r, "/status") }) {
		t.Error("its end is not told to the controllers")
	}
	if err := p.Cancel(t.Context(), h, time.Second); err != nil {
		t.Error(err)
	}
}

// TestDeletedByHand: a job that somebody deletes has ended, whether or not its pod ran.
func TestDeletedByHand(t *testing.T) {
	for _, ran := range []bool{false, true} {
		f := newFake(t)
		p := newProvider(t, f, withSecret)
		w := watchJob(t, p, submit(t, p, newJob()))
		w.until(executor.PhaseQueued, "")
		if ran {
			f.change(running)
			w.until(executor.PhaseRunning, "")
		}
		f.mu.Lock()
		f.deleteJob(newJob().ID)
		f.mu.Unlock()
		if s, err := w.result(); err != nil || !s.Gone && !(ran && s.ExitCode == 143) {
			t.Errorf("%+v %v", s, err)
		}
	}
}

// TestCollision: a job of that name which is another's is neither taken nor touched.
func TestCollision(t *testing.T) {
	for name, edit := range map[string]func(*job){
		"not ours":        func(j *job) { delete(j.Metadata.Labels, labelManager) },
		"another attempt": func(j *job) { j.Metadata.Annotations[annotationSpec] = "x" },
	} {
		f := newFake(t)
		p := newProvider(t, f, withSecret)
		submit(t, p, newJob())
		f.changeJob(edit)
		_, err := p.Submit(t.Context(), newJob())
		wantFailure(t, name, err, false, "not this attempt", "kubectl delete job")
	}
}

func wantFailure(t *testing.T, name string, err error, lost bool, text, hint string) {
	t.Helper()
	failure, ok := errors.AsType[*stages.Failure](err)
	if !ok || failure.Lost != lost || failure.Code != stages.CodeEnvironment || !strings.Contains(failure.Error(), text) || !strings.Contains(failure.Hint, hint) {
		t.Errorf("%s: %v (%+v)", name, err, failure)
	}
}

// TestBadAnswers: what may go away is ridden out; what does not is told with what to do.
func TestBadAnswers(t *testing.T) {
	creating := func(r *http.Request) bool { return r.Method == http.MethodPost }
	all := func(*http.Request) bool { return true }
	watching := func(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }
	for name, serve := range map[string]http.HandlerFunc{
		"429": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "0")
			answerStatus(429, "TooManyRequests", "busy")(w, r)
		},
		"500": answerStatus(500, "InternalError", "etcdserver: leader changed"), "prose": prose(200), "prose of 502": prose(502), "prose of 403": prose(403),
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the client's leaving is not seen
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := newProvider(t, f, withSecret)
			if name == "silent" {
				p.api.client.Transport.(*http.Transport).ResponseHeaderTimeout = 50 * time.Millisecond
			}
			f.fail(2, creating, serve)
			h := submit(t, p, newJob())
			f.fail(3, watching, serve)
			f.fail(2, func(r *http.Request) bool { return r.Method == http.MethodGet && !watching(r) }, serve)
			w := watchJob(t, p, h)
			w.until(executor.PhaseQueued, "")
			f.change(exits(0, ""))
			if s, err := w.result(); err != nil || !s.Known {
				t.Errorf("%+v %v", s, err)
			}
			f.fail(1000, all, serve)
			_, err := p.Submit(t.Context(), newJob())
			wantFailure(t, name, err, true, "the Kubernetes API", "kubectl version")
		})
	}
}

// TestLostAnswer: a job whose making was not answered is found, not made twice.
func TestLostAnswer(t *testing.T) {
	for _, tries := range []int{1, 3} {
		testLostAnswer(t, tries)
	}
}

func testLostAnswer(t *testing.T, tries int) {
	f := newFake(t)
	p := newProvider(t, f, withSecret)
	p.api.tries = tries
	f.fail(1, func(r *http.Request) bool { return r.Method == http.MethodPost }, func(_ http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.create(discard{}, r)
		panic(http.ErrAbortHandler)
	})
	h := submit(t, p, newJob())
	if jobs, _ := f.counts(); jobs != 1 || !strings.Contains(string(h), f.jobs[newJob().ID].Metadata.UID) {
		t.Errorf("%s, %d jobs", h, jobs)
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// TestRelist: a watch that can no longer continue sees what happened in between.
func TestRelist(t *testing.T) {
	f := newFake(t)
	p := newProvider(t, f, withSecret)
	w := watchJob(t, p, submit(t, p, newJob()))
	w.until(executor.PhaseQueued, "")
	f.change(running)
	w.until(executor.PhaseRunning, "")
	for range 5 {
		f.cutWatches()
	}
	f.mu.Lock()
	for _, o := range f.pods { // without a record: no watch tells it
		exits(0, "")(o)
	}
	f.mu.Unlock()
	f.forget()
	if s, err := w.result(); err != nil || !s.Known || s.ExitCode != 0 {
		t.Errorf("%+v %v", s, err)
	}
}

// TestGoneMeanwhile: what was deleted while no watch stood is seen to be gone.
func TestGoneMeanwhile(t *testing.T) {
	f := newFake(t)
	p := newProvider(t, f, withSecret)
	w := watchJob(t, p, submit(t, p, newJob()))
	w.until(executor.PhaseQueued, "")
	f.change(running)
	w.until(executor.PhaseRunning, "")
	f.mu.Lock()
	clear(f.jobs)
	clear(f.pods)
	f.mu.Unlock()
	f.forget()
	if s, err := w.result(); err != nil || !s.Gone {
		t.Errorf("%+v %v", s, err)
	}
}

// TestDenied: missing rights are told with the file that gives them.
func TestDenied(t *testing.T) {
	f := newFake(t)
	p := newProvider(t, f, withSecret)
	f.denied["create jobs"] = true
	_, err := p.Submit(t.Context(), newJob())
	wantFailure(t, "create", err, false, "answered 403", "examples/kubernetes/rbac.yaml")
	err = p.Probe(t.Context(), newJob(), func(string, string) {})
	wantFailure(t, "probe", err, false, "may not create jobs in namespace news", "examples/kubernetes/rbac.yaml")
	clear(f.denied)
	h := submit(t, p, newJob())
	f.denied["watch pods"] = true
	_, err = p.Watch(t.Context(), h, func(executor.Status) {})
	wantFailure(t, "watch", err, false, "answered 403", "examples/kubernetes/rbac.yaml")
	f.fail(1, func(r *http.Request) bool { return r.Method == http.MethodPost }, answerStatus(403, "Forbidden", "exceeded quota: jobs"))
	other := newJob()
	other.ID += "x"
	_, err = p.Submit(t.Context(), other)
	wantFailure(t, "quota", err, false, "exceeded quota", "kubectl describe quota")
	f.fail(1, func(r *http.Request) bool { return r.Method == http.MethodPost }, answerStatus(404, "NotFound", `namespaces "news" not found`))
	_, err = p.Submit(t.Context(), other)
	wantFailure(t, "namespace", err, false, "answered 404", "kubectl get namespaces")
	stranger := newProvider(t, f, Options{Kubeconfig: f.kubeconfig("{token: bad}")})
	_, err = stranger.Submit(t.Context(), newJob())
	wantFailure(t, "401", err, false, "answered 401", "kubectl auth whoami")
}

// TestStubborn: a pod that goes on is an error, never silence.
func TestStubborn(t *testing.T) {
	f := newFake(t)
	f.stubborn = true
	p := newProvider(t, f, withSecret)
	h := submit(t, p, newJob())
	f.change(running)
	name, uid, err := p.parse(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.deletePods(t.Context(), name, time.Second); err != nil {
		t.Fatal(err)
	}
	f.change(func(o *pod) {
		if o.Metadata.Deleted == nil {
			t.Error("the pod was not asked to end")
		}
	})
	err = p.gone(t.Context(), name, uid, time.Now())
	wantFailure(t, "stubborn", err, true, "on node n1 is still there", "kubectl describe job")
}

// TestProbe notes what is found, makes nothing, and names optional rights.
func TestProbe(t *testing.T) {
	f := newFake(t)
	p := newProvider(t, f, withSecret)
	f.denied["patch pods/status"] = true
	var notes []string
	if err := p.Probe(t.Context(), newJob(), func(name, value string) { notes = append(notes, name+": "+value) }); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(notes, "\n")
	if !strings.Contains(all, "v1.99.0, context test, namespace news") || !strings.Contains(all, "without the right to patch pods/status") {
		t.Error(all)
	}
	if jobs, _ := f.counts(); jobs != 0 {
		t.Error("the probe made a job")
	}
	_, err := newProvider(t, f, Options{}).Submit(t.Context(), newJob())
	wantFailure(t, "secret", err, false, "stage train needs KEY", "`secrets: {KEY: SECRET/KEY}`")
}

// TestCredentials: a plugin is asked for a token, and again once it is not taken.
func TestCredentials(t *testing.T) {
	f := newFake(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "plugin")
	text := "#!/bin/sh\nn=$(cat " + dir + "/n 2>/dev/null); echo x$n > " + dir + "/n\ntoken=good; [ -n \"$n\" ] || token=old\n" +
		`echo "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"$token\"}}"` + "\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	user := "{exec: {apiVersion: client.authentication.k8s.io/v1, command: " + script + "}}"
	p := newProvider(t, f, Options{Kubeconfig: f.kubeconfig(user), Secrets: withSecret.Secrets})
	submit(t, p, newJob())
	if n, _ := os.ReadFile(filepath.Join(dir, "n")); strings.TrimSpace(string(n)) != "xx" {
		t.Errorf("the plugin was asked %q", n)
	}
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	submit(t, newProvider(t, f, Options{Kubeconfig: f.kubeconfig("{tokenFile: " + file + "}"), Secrets: withSecret.Secrets}), newJob())
	_, err := newProvider(t, f, Options{Kubeconfig: f.kubeconfig("{exec: {command: " + dir + "/none}}")}).Submit(t.Context(), newJob())
	wantFailure(t, "plugin", err, false, "credential plugin", "kubectl version")
}

// TestKubeconfig: what cannot be read says what is wrong and where.
func TestKubeconfig(t *testing.T) {
	f := newFake(t)
	for name, c := range map[string]struct{ edit, to, text string }{
		"context": {"current-context: test", "current-context: other", `no context "other"`},
		"cluster": {"name: c,", "name: d,", `no cluster "c"`},
		"user":    {"name: u,", "name: v,", `no user "u"`},
		"server":  {f.server.URL, "nowhere", "is no address"},
	} {
		path := f.kubeconfig(goodToken)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(data), c.edit, c.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = New(&Options{Kubeconfig: path}, nil)
		wantFailure(t, name, err, false, c.text, "kubectl config get-contexts")
	}
	_, err := New(&Options{Kubeconfig: "/none"}, nil)
	wantFailure(t, "file", err, false, "/none", "KUBECONFIG")
	_, err = New(&Options{Kubeconfig: f.kubeconfig(goodToken), Tolerations: []string{"a:Never"}}, nil)
	wantFailure(t, "toleration", err, false, `"a:Never"`, "NoSchedule")
	// Another server than the one whose certificate is known.
	other := newFake(t)
	path := f.kubeconfig(goodToken)
	data, _ := os.ReadFile(path)
	_ = os.WriteFile(path, []byte(strings.Replace(string(data), "certificate-authority-data: ", "tls-server-name: wrong.test, certificate-authority-data: ", 1)), 0o600)
	_ = other
	_, err = newProvider(t, f, Options{Kubeconfig: path, Secrets: withSecret.Secrets}).Submit(t.Context(), newJob())
	wantFailure(t, "certificate", err, false, "wrong.test", "kubectl version")
}

// TestPause: the server's wish is heard, within reason; and waits grow.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{backoff: time.Second}
		if d := a.pause(1, &apiError{after: time.Hour}); d != 20*time.Second {
			t.Error(d)
		}
		if d := a.pause(3, nil); d < 2*time.Second || d > 4*time.Second {
			t.Error(d)
		}
		if d := a.pause(10, nil); d > 10*time.Second {
			t.Error(d)
		}
	})
}

// TestRights: the role of the example gives what is asked for, and no more.
func TestRights(t *testing.T) {
	data, err := os.ReadFile("../../../examples/kubernetes/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var role struct {
		Rules []struct {
			Groups    []string `yaml:"apiGroups"`
			Resources []string `yaml:"resources"`
			Verbs     []string `yaml:"verbs"`
		} `yaml:"rules"`
	}
	if err := yaml.Unmarshal(data, &role); err != nil {
		t.Fatal(err)
	}
	var given, asked []string
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			given = append(given, rule.Groups[0]+" "+rule.Resources[0]+" "+verb)
		}
	}
	for _, r := range rights {
		asked = append(asked, r.Group+" "+r.name()+" "+r.Verb)
	}
	slices.Sort(given)
	slices.Sort(asked)
	if !slices.Equal(given, asked) {
		t.Errorf("given %q\nasked %q", given, asked)
	}
}

// TestPreemptible: a pod that may be taken away goes to such nodes, another keeps off them.
func TestPreemptible(t *testing.T) {
	o := withSecret
	o.PriorityClass = "normal"
	o.Preemptible = Preemptible{NodeSelector: map[string]string{"capacity-type": "spot"}, Tolerations: []string{"spot=true:NoSchedule"}, PriorityClass: "low"}
	p := newProvider(t, newFake(t), o)
	pod := func(preemptible bool) podSpec {
		j := newJob()
		j.Resources.Preemptible = preemptible
		m, err := p.manifest(j, "")
		if err != nil {
			t.Fatal(err)
		}
		return m.Spec.Template.Spec
	}
	tolerated := func(s podSpec) bool {
		return slices.Contains(s.Tolerations, toleration{Key: "spot", Operator: "Equal", Value: "true", Effect: "NoSchedule"})
	}
	if s := pod(true); s.NodeSelector["capacity-type"] != "spot" || !tolerated(s) || s.PriorityClass != "low" || s.Affinity != nil {
		t.Errorf("one that may be taken away: %+v", s)
	}
	s := pod(false)
	if s.NodeSelector["capacity-type"] != "" || tolerated(s) || s.PriorityClass != "normal" || s.Affinity == nil {
		t.Fatalf("one that must stay: %+v", s)
	}
	want := []nodeTerm{{[]expression{{Key: "capacity-type", Operator: "NotIn", Values: []string{"spot"}}}}}
	if got := s.Affinity.Node.Required.Terms; !reflect.DeepEqual(got, want) {
		t.Errorf("it keeps off %+v", got)
	}
}

// TestManifest: the Job holds no value of a secret, escapes what Kubernetes would
// expand, limits what is demanded, and tolerates a silent node for as long as is said.
func TestManifest(t *testing.T) {
	o := withSecret
	o.User, o.Tolerations, o.Unreachable, o.GPUTypes = 65532, []string{"dedicated=ml:NoSchedule", "spot"}, 7*time.Second, map[string]string{"h100": "NVIDIA-H100"}
	f := newFake(t)
	j := newJob()
	m, err := newProvider(t, f, o).manifest(j, "https://store/program?sig=1")
	if err != nil {
		t.Fatal(err)
	}
	spec := m.Spec.Template.Spec
	c := spec.Containers[0]
	env := map[string]variable{}
	for _, v := range c.Env {
		env[v.Name] = v
	}
	if got := strings.ReplaceAll(c.Command[2], "$$", "$"); got != j.Script() || strings.Contains(c.Command[2], "sig=1") {
		t.Errorf("the line is %s", c.Command[2])
	}
	if env["A"].Value != "$$(HOME) $$$$" || *env["KEY"].From.Secret != (secretKey{"store", "key"}) || env[executor.EnvProgramURL].From.Field == nil {
		t.Errorf("%+v", env)
	}
	if spec.Grace != 20 || spec.Deadline != 3600+40+60 || m.Spec.BackoffLimit != 0 || spec.RestartPolicy != "Never" || *spec.MountToken || !*spec.SecurityContext.RunAsNonRoot {
		t.Errorf("%+v", spec)
	}
	if c.Resources.Limits["nvidia.com/gpu"] != "2" || c.Resources.Limits["memory"] != "1073741824" || c.Resources.Requests["cpu"] != "3" || c.Resources.Limits["cpu"] != "" {
		t.Errorf("%+v", c.Resources)
	}
	if spec.NodeSelector["nvidia.com/gpu.product"] != "NVIDIA-H100" || spec.NodeSelector["kubernetes.io/arch"] != "amd64" {
		t.Errorf("%+v", spec.NodeSelector)
	}
	if len(spec.Tolerations) != 5 || *spec.Tolerations[0].Seconds != 7 || spec.Tolerations[3] != (toleration{Key: "dedicated", Operator: "Equal", Value: "ml", Effect: "NoSchedule"}) {
		t.Errorf("%+v", spec.Tolerations)
	}
}
