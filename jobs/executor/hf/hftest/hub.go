//go:build unix

// Package hftest is a stand-in for the part of the Hugging Face hub that runs jobs: it
// speaks its JSON API, and runs the commands of jobs as processes of this machine. The real
// Python client drives it in a test.
package hftest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Token is the one that the hub takes, Namespace the one that it may start jobs in.
const (
	Token     = "hf_stand_in_token"
	Namespace = "sprinters"
)

// Hub is the stand-in. It is safe for concurrent use.
type Hub struct {
	URL string
	// Grace is how long a cancelled job may take; then it is killed.
	Grace time.Duration

	home   string // of its jobs
	mu     sync.Mutex
	jobs   []*job
	faults []func(http.ResponseWriter, *http.Request) bool
}

type job struct {
	ID      string
	Spec    map[string]any
	Created time.Time
	Started *time.Time
	Ended   *time.Time
	Stage   string
	Message string
	lines   []string
	cmd     *exec.Cmd
	done    chan struct{}
}

// New starts a hub that ends with the test, and its jobs with it.
func New(t testing.TB) *Hub {
	// The test's folders are removed after what was begun later has ended: its jobs write there.
	h := &Hub{Grace: 10 * time.Second, home: t.TempDir()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/whoami-v2", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"name": Namespace, "type": "user"})
	})
	mux.HandleFunc("GET /api/jobs/hardware", func(w http.ResponseWriter, _ *http.Request) { answer(w, Hardware()) })
	mux.HandleFunc("GET /api/jobs/{ns}", h.list)
	mux.HandleFunc("POST /api/jobs/{ns}", h.submit)
	mux.HandleFunc("GET /api/jobs/{ns}/{id}", h.inspect)
	mux.HandleFunc("GET /api/jobs/{ns}/{id}/logs", h.logs)
	mux.HandleFunc("POST /api/jobs/{ns}/{id}/cancel", h.cancel)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := h.nextFault(); fault != nil && fault(w, r) {
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+Token {
			http.Error(w, `{"error":"Invalid credentials"}`, http.StatusUnauthorized)
			return
		}
		if parts := strings.Split(r.URL.Path, "/"); len(parts) > 3 && parts[2] == "jobs" && parts[3] != "hardware" && parts[3] != Namespace {
			http.Error(w, `{"error":"You don't have the right to use this namespace"}`, http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	h.URL = server.URL
	t.Cleanup(func() {
		for _, j := range h.all() {
			h.kill(j, syscall.SIGKILL)
			<-j.done
		}
		server.CloseClientConnections()
		server.Close()
	})
	return h
}

// Hardware is what the hub offers, with the shape of its answer.
func Hardware() []map[string]any {
	gpu := func(model, n string) map[string]any {
		return map[string]any{"type": "gpu", "model": model, "quantity": n, "vram": "24 GB", "manufacturer": "Nvidia"}
	}
	machine := func(name, cpu, ram string, accelerator any, usd float64) map[string]any {
		return map[string]any{"name": name, "prettyName": name, "cpu": cpu, "ram": ram, "ephemeralStorage": "100 GB", "accelerator": accelerator,
			"unitCostMicroUSD": int(usd * 1e6), "unitCostUSD": usd, "unitLabel": "minute"}
	}
	return []map[string]any{
		machine("a100-large", "12 vCPU", "142 GB", gpu("A100", "1"), 0.041667),
		machine("cpu-basic", "2 vCPU", "16 GB", nil, 0.000167),
		machine("cpu-upgrade", "8 vCPU", "32 GB", nil, 0.0005),
		machine("t4-small", "4 vCPU", "15 GB", gpu("T4", "1"), 0.006667),
		machine("a10g-largex2", "24 vCPU", "92 GB", gpu("A10G", "2"), 0.05),
	}
}

// Fault makes the next request meet f, which answers in the hub's place where it returns true.
func (h *Hub) Fault(f ...func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, f...)
}

// Status is a fault that answers with a status and a text.
func Status(code int, text string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "0")
		http.Error(w, text, code)
		return true
	}
}

func (h *Hub) nextFault() func(http.ResponseWriter, *http.Request) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.faults) == 0 {
		return nil
	}
	f := h.faults[0]
	h.faults = h.faults[1:]
	return f
}

func (h *Hub) all() []*job {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.jobs)
}

// Specs are the bodies of all submissions.
func (h *Hub) Specs() []map[string]any {
	var out []map[string]any
	for _, j := range h.all() {
		out = append(out, j.Spec)
	}
	return out
}

// Forget deletes all that the hub knows of its jobs, which go on.
func (h *Hub) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.jobs = nil
}

// LoseMachines kills the processes of all jobs, as when machines fail.
func (h *Hub) LoseMachines() {
	for _, j := range h.all() {
		h.kill(j, syscall.SIGKILL)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (h *Hub) submit(w http.ResponseWriter, r *http.Request) {
	var spec map[string]any
	if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
		http.Error(w, `{"error":"Invalid JSON"}`, http.StatusBadRequest)
		return
	}
	j := &job{Spec: spec, Created: time.Now(), Stage: "SCHEDULING", done: make(chan struct{})}
	h.mu.Lock()
	j.ID = fmt.Sprintf("%024x", len(h.jobs)+1)
	h.jobs = append(h.jobs, j)
	view := h.view(j)
	h.mu.Unlock()
	go h.run(j)
	answer(w, view)
}

// run is what a machine does with a job.
func (h *Hub) run(j *job) {
	defer close(j.done)
	var words []string
	for _, list := range []string{"command", "arguments"} {
		all, _ := j.Spec[list].([]any)
		for _, word := range all {
			words = append(words, fmt.Sprint(word))
		}
	}
	timeout := 30 * time.Minute // the hub's default
	if s, ok := j.Spec["timeoutSeconds"].(float64); ok {
		timeout = time.Duration(s * float64(time.Second))
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.home}
	for _, set := range []string{"environment", "secrets"} {
		values, _ := j.Spec[set].(map[string]any)
		for name, value := range values {
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%v", name, value))
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err == nil {
		err = cmd.Start()
	}
	h.mu.Lock()
	now := time.Now()
	j.Started = &now
	if err != nil {
		j.Stage, j.Message, j.Ended = "ERROR", "Job failed with exit code: 127", &now
		h.mu.Unlock()
		return
	}
	if j.Stage == "SCHEDULING" {
		j.Stage = "RUNNING"
	}
	j.cmd = cmd
	h.mu.Unlock()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		h.mu.Lock()
		j.lines = append(j.lines, lines.Text())
		h.mu.Unlock()
	}
	err = cmd.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	ended := time.Now()
	j.Ended = &ended
	switch {
	case j.Stage == "CANCELED":
	case ctx.Err() != nil:
		j.Stage, j.Message = "ERROR", "Job timeout"
	case err != nil && cmd.ProcessState.ExitCode() < 0:
		j.Stage, j.Message = "ERROR", fmt.Sprintf("Job failed with exit code: %d", 128+int(cmd.ProcessState.Sys().(syscall.WaitStatus).Signal()))
	case err != nil:
		j.Stage, j.Message = "ERROR", fmt.Sprintf("Job failed with exit code: %d", cmd.ProcessState.ExitCode())
	default:
		j.Stage = "COMPLETED"
	}
}

func (h *Hub) kill(j *job, signal syscall.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if j.cmd != nil && j.Ended == nil {
		_ = syscall.Kill(-j.cmd.Process.Pid, signal)
	}
}

// view is a job as the API shows it. The caller holds the lock.
func (h *Hub) view(j *job) map[string]any {
	secrets := map[string]any{}
	if set, ok := j.Spec["secrets"].(map[string]any); ok {
		for name := range maps.Keys(set) {
			secrets[name] = nil
		}
	}
	stamp := func(t *time.Time) any {
		if t == nil {
			return nil
		}
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return map[string]any{
		"id": j.ID, "createdAt": stamp(&j.Created), "startedAt": stamp(j.Started), "finishedAt": stamp(j.Ended), "dockerImage": j.Spec["dockerImage"],
		"command": j.Spec["command"], "arguments": j.Spec["arguments"], "environment": j.Spec["environment"], "secrets": secrets, "flavor": j.Spec["flavor"],
		"labels": j.Spec["labels"], "status": map[string]any{"stage": j.Stage, "message": cmp.Or[any](j.Message, nil)},
		"owner": map[string]any{"id": "5e9ecfc04957053f60648a3e", "name": Namespace, "type": "user"},
	}
}

func (h *Hub) list(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []map[string]any{}
	for _, j := range h.jobs {
		labels, _ := j.Spec["labels"].(map[string]any)
		wanted := true
		for _, l := range r.URL.Query()["label"] {
			key, value, _ := strings.Cut(l, "=")
			wanted = wanted && fmt.Sprint(labels[key]) == value
		}
		if stages := r.URL.Query()["stage"]; len(stages) > 0 {
			wanted = wanted && slices.Contains(stages, j.Stage)
		}
		if wanted {
			out = append(out, h.view(j))
		}
	}
	answer(w, out)
}

// find returns the job of a request, or answers that there is none.
func (h *Hub) find(w http.ResponseWriter, r *http.Request) *job {
	for _, j := range h.all() {
		if j.ID == r.PathValue("id") {
			return j
		}
	}
	http.Error(w, `{"error":"Job not found"}`, http.StatusNotFound)
	return nil
}

func (h *Hub) inspect(w http.ResponseWriter, r *http.Request) {
	if j := h.find(w, r); j != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		answer(w, h.view(j))
	}
}

func (h *Hub) cancel(w http.ResponseWriter, r *http.Request) {
	j := h.find(w, r)
	if j == nil {
		return
	}
	h.mu.Lock()
	if j.Ended == nil {
		j.Stage = "CANCELED"
	}
	view := h.view(j)
	h.mu.Unlock()
	h.kill(j, syscall.SIGTERM)
	go func() {
		select {
		case <-j.done:
		case <-time.After(h.Grace):
			h.kill(j, syscall.SIGKILL)
		}
	}()
	answer(w, view)
}

func (h *Hub) logs(w http.ResponseWriter, r *http.Request) {
	j := h.find(w, r)
	if j == nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	event := func(text string) {
		data, err := json.Marshal(map[string]string{"data": text, "timestamp": time.Now().UTC().Format(time.RFC3339)})
		if err == nil {
			fmt.Fprintf(w, "data: %s\n\n", data)
			_ = stream.Flush()
		}
	}
	event("===== Job started at 2026-01-02 03:04:05 =====")
	for sent := 0; ; {
		h.mu.Lock()
		lines, ended := j.lines[sent:], j.Ended != nil
		h.mu.Unlock()
		for _, line := range lines {
			event(line)
		}
		sent += len(lines)
		if ended && len(lines) == 0 {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
