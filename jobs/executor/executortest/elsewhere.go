package executortest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// elsewhere are the cases of workers that nobody is beside.
func (s Subject) elsewhere(t *testing.T) {
	t.Run("followed after the death of its runner", s.adopted)
	t.Run("over when its runner comes back", s.adoptedLate)
	t.Run("started twice", s.startedTwice)
	t.Run("clocks off by an hour", s.clocksOff)
	t.Run("started again by the place", s.startedAgain)
	t.Run("machine lost", s.machineLost)
	t.Run("asked to end by the place", s.preempted)
	t.Run("orphan", s.orphan)
	t.Run("timeout there", s.timeoutThere)
	t.Run("much log", s.muchLog)
	t.Run("store not reached", s.storeUnreached)
	t.Run("paid", s.paid)
	t.Run("money spent", s.spent)
	t.Run("tried", s.tried)
	t.Run("tried and stopped", s.triedAndStopped)
}

func (s Subject) remote(t *testing.T, store *storage.Store, env ...string) *remote.Executor {
	t.Helper()
	e, ok := s.New(t, store, env...).(*remote.Executor)
	if !ok {
		t.Fatal("an executor elsewhere is a *remote.Executor")
	}
	return e
}

// leave starts an attempt as a runner that was killed after its submit left it.
func (s Subject) leave(t *testing.T, e *remote.Executor, a *runs.Attempt) (*executor.Job, executor.Handle) {
	t.Helper()
	job, err := e.Job(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := a.Digest()
	if err := runs.SaveJob(t.Context(), e.Store, a.Kind, a.Key, runs.Job{Run: a.Run, Stage: a.Stage, Attempt: a.Number, Digest: digest, Executor: e.Name}); err != nil {
		t.Fatal(err)
	}
	h, err := e.Provider.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Provider.Cancel(context.Background(), h, 0) })
	return job, h
}

// next is the attempt that the next runner makes of the same work.
func next(t *testing.T, store *storage.Store, a *runs.Attempt) *runs.Attempt {
	t.Helper()
	b := *a
	b.Run, b.CacheDir = "20260102-040506-00054321", t.TempDir()
	if err := runs.SaveAttempt(t.Context(), store, &b); err != nil {
		t.Fatal(err)
	}
	return &b
}

// adopted: a runner that comes after another's death follows what runs there.
func (s Subject) adopted(t *testing.T) {
	store := s.openStore(t)
	o := s.slow()
	o.Times = 2
	a := s.attempt(t, store, o)
	e := s.remote(t, store)
	s.leave(t, e, a)
	awaitWorkers(t, store, 1)
	seen := &sink{}
	out := e.Execute(t.Context(), next(t, store, a), seen)
	if out.State != runs.Succeeded || out.Manifest.Run != a.Run {
		t.Errorf("outcome %+v", out)
	}
	if !strings.Contains(seen.log.String(), "left at work") {
		t.Errorf("log %q", seen.log.String())
	}
}

// adoptedLate: what ended while there was no runner is not done again.
func (s Subject) adoptedLate(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	e := s.remote(t, store)
	_, h := s.leave(t, e, a)
	if _, err := e.Provider.Watch(t.Context(), h, func(executor.Status) {}); err != nil {
		t.Fatal(err)
	}
	made, err := store.Manifest(t.Context(), a.Kind, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	out := e.Execute(t.Context(), next(t, store, a), &sink{})
	if out.State != runs.Succeeded || !out.Manifest.Finished.Equal(made.Finished) {
		t.Errorf("outcome %+v", out)
	}
}

// startedTwice: a place that starts a job twice has one effect.
func (s Subject) startedTwice(t *testing.T) {
	store := s.openStore(t)
	o := s.slow()
	o.Times = 2
	a := s.attempt(t, store, o)
	e := s.remote(t, store, jobstest.WorkerBegins+"=1")
	job, _ := s.leave(t, e, a)
	awaitWorkers(t, store, 1)
	again := exec.Command(os.Args[0], job.Argv...)
	again.Env = os.Environ()
	for k, v := range job.Env {
		again.Env = append(again.Env, k+"="+v)
	}
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	out := e.Execute(t.Context(), next(t, store, a), &sink{})
	err := again.Wait()
	if out.State != runs.Succeeded || err != nil {
		t.Errorf("outcome %+v, the second worker: %v", out, err)
	}
	if begun, err := jobstest.Begun(t.Context(), store); err != nil || !slices.Equal(begun, []string{"1"}) {
		t.Errorf("the work was begun so: %q, %v", begun, err)
	}
}

// machineLost: a worker that is gone without a word is tried again from its checkpoint.
func (s Subject) machineLost(t *testing.T) {
	store := s.openStore(t)
	o := s.slow()
	o.Keep = true
	a := s.attempt(t, store, o)
	seen := &sink{onProgress: func() { killWorkers(t, store, syscall.SIGKILL) }}
	out := s.New(t, store).Execute(t.Context(), a, seen)
	if out.State != runs.Lost || out.Cause != executor.CauseMachine || out.Manifest != nil {
		t.Errorf("outcome %+v", out)
	}
	if there, err := store.HasCheckpoint(t.Context(), a.Kind, a.Key); err != nil || !there {
		t.Errorf("a checkpoint is there: %v, %v", there, err)
	}
}

// preempted: a worker that is asked to end by others than its runner is lost, not failed
// and not ended by its user: it is tried again, at the cost of interruptions.
func (s Subject) preempted(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, s.slow())
	seen := &sink{onProgress: func() { killWorkers(t, store, syscall.SIGTERM) }}
	out := s.New(t, store).Execute(t.Context(), a, seen)
	if out.State != runs.Lost || out.Cause != executor.CauseInterruption || !out.Checkpointed {
		t.Errorf("outcome %+v", out)
	}
}

// orphan: a worker whose runner is gone for good ends itself.
func (s Subject) orphan(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, s.slow())
	e := s.remote(t, store)
	e.WorkerFlags = append(e.WorkerFlags, "--orphan", "1s", "--ttl", "2s")
	_, h := s.leave(t, e, a)
	status, err := e.Provider.Watch(t.Context(), h, func(executor.Status) {})
	if err != nil || status.Phase != executor.PhaseEnded || status.Known && status.ExitCode != int(stages.CodeInterrupted) {
		t.Errorf("status %+v, %v", status, err)
	}
	if there, err := store.HasCheckpoint(t.Context(), a.Kind, a.Key); err != nil || !there {
		t.Errorf("a checkpoint is there: %v, %v", there, err)
	}
}

// timeoutThere: an attempt that takes longer than its timeout ends, and the record says
// which limit it was.
func (s Subject) timeoutThere(t *testing.T) {
	store := s.openStore(t)
	o := s.slow()
	options := s.attempt(t, store, o)
	a := next(t, store, options)
	a.Run, a.Timeout = "20260102-050607-00054321", time.Second
	if err := runs.SaveAttempt(t.Context(), store, a); err != nil {
		t.Fatal(err)
	}
	seen := &sink{}
	out := s.New(t, store).Execute(t.Context(), a, seen)
	if out.State != runs.Failed || out.Err == nil || !strings.Contains(out.Err.Error(), "(limit run: 1s)") || !out.Checkpointed || seen.notes[executor.NoteEndedBy] != executor.LimitRun {
		t.Errorf("outcome %+v, notes %v", out, seen.notes)
	}
}

// muchLog: a worker that says 100 MB does its work in little memory; what is missing of its
// log is told, and its end is there.
func (s Subject) muchLog(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{Noise: 100})
	seen, peak := &sink{}, peaks(store)
	out := s.New(t, store).Execute(t.Context(), a, seen)
	if most := peak(); out.State != runs.Succeeded || most == 0 || most > 400<<20 {
		t.Errorf("outcome %+v, in %d MB", out, most>>20)
	}
	if text := seen.log.String(); !strings.Contains(text[max(0, len(text)-2000):], "wrote bytes=") {
		t.Errorf("the log ends with %q", text[max(0, len(text)-2000):])
	}
	if text := seen.log.String(); len(text) < 90<<20 && !strings.Contains(text, "messages are missing here") {
		t.Errorf("%d bytes of log came, and nothing says that some are missing", len(text))
	}
}

// workers are the processes of this machine that work on a store.
func workers(store *storage.Store) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		line, err := os.ReadFile(file)
		words := strings.Split(string(line), "\x00")
		if err == nil && len(words) > 4 && words[1] == "worker" && words[4] == store.Source() {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// awaitWorkers waits until so many have begun.
func awaitWorkers(t *testing.T, store *storage.Store, n int) {
	t.Helper()
	for range 600 {
		if len(workers(store)) >= n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no worker has begun")
}

func killWorkers(t *testing.T, store *storage.Store, signal syscall.Signal) {
	t.Helper()
	for _, pid := range workers(store) {
		if worker, err := os.FindProcess(pid); err == nil {
			_ = worker.Signal(signal)
		}
	}
}
