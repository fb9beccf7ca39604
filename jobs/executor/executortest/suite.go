// Package executortest holds what every executor must do, whatever carries out
// its attempts: the cases that the runner relies on, over the toy kinds of
// jobstest.
package executortest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Subject is an executor to be tested.
type Subject struct {
	// New makes the executor over a store. Its workers, if it has some, see the
	// environment variables env beside their own.
	New func(t *testing.T, store *storage.Store, env ...string) executor.Executor
	// Kind is the toy kind that this executor is tried with, without inputs:
	// "make", or "slow", which asks for a process of its own.
	Kind string
	// Output is what the kind makes: "raw" of "make", "end" of "slow".
	Output string
	// Store opens the store that attempts and their workers use; nil is a folder.
	Store func(t *testing.T) *storage.Store
	// Elsewhere is set if workers are out of reach: then New makes a *remote.Executor,
	// messages come late, and Preflight tries the place alone.
	Elsewhere bool
	// Process is set if attempts run in processes of their own: then one that is
	// killed must be told. The package's TestMain must be jobstest.Main, which plays
	// the worker.
	Process bool
}

// Run tests a subject.
func Run(t *testing.T, s Subject) {
	if flag.Arg(0) == "worker" {
		t.Fatal("a worker runs the tests that started it: give this package jobstest.Main as its TestMain")
	}
	t.Run("success", s.success)
	t.Run("twice", s.twice)
	t.Run("failures", s.failures)
	t.Run("failed gate", s.failedGate)
	t.Run("cancelled", s.cancelled)
	t.Run("timeout", s.timeout)
	t.Run("preflight", s.preflight)
	t.Run("tried again", s.triedAgain)
	t.Run("store gone", s.storeGone)
	if s.Process {
		t.Run("killed", s.killed)
		t.Run("out of memory", s.outOfMemory)
		t.Run("grace over", s.graceOver)
		t.Run("killed after its commit", s.killedAfterCommit)
	}
	if s.Elsewhere {
		s.elsewhere(t)
	}
}

// attempt is an attempt whose record is stored.
func (s Subject) attempt(t *testing.T, store *storage.Store, o jobstest.Options) *runs.Attempt {
	t.Helper()
	if o.Text == "" {
		o.Text = "x"
	}
	if o.Times == 0 {
		o.Times = 1
	}
	if o.End == "" {
		o.End = "done"
	}
	options, err := json.Marshal(&o)
	if err != nil {
		t.Fatal(err)
	}
	a := &runs.Attempt{
		Run: "20260102-030405-00012345", Plan: "suite", Stage: "stage", Number: 1, Kind: s.Kind, Key: strings.Repeat("ab", 32), Generation: 1,
		Preimage: json.RawMessage(`{}`), Options: options, Device: "auto", CacheDir: t.TempDir(), Version: "test",
	}
	if err := runs.SaveAttempt(t.Context(), store, a); err != nil {
		t.Fatal(err)
	}
	return a
}

func (s Subject) openStore(t *testing.T) *storage.Store {
	t.Helper()
	if s.Store != nil {
		return s.Store(t)
	}
	store, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// slow are options of an attempt that goes on for long enough to be ended by who saw it
// begin.
func (s Subject) slow() jobstest.Options {
	if s.Elsewhere {
		return jobstest.Options{Times: 9, Pace: 2 * time.Second}
	}
	return jobstest.Options{Times: 9, Pace: 100 * time.Millisecond}
}

// sink keeps what an attempt reports.
type sink struct {
	mu       sync.Mutex
	progress []stages.Progress
	notes    map[string]any
	log      strings.Builder
	// onProgress, if set, is called with each report of progress.
	onProgress func()
}

func (s *sink) Progress(p stages.Progress) {
	s.mu.Lock()
	s.progress = append(s.progress, p)
	s.mu.Unlock()
	if s.onProgress != nil {
		s.onProgress()
	}
}

func (s *sink) Note(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes == nil {
		s.notes = map[string]any{}
	}
	s.notes[name] = value
}

func (s *sink) Log(_ slog.Level, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.WriteString(text + "\n")
}

// success: the outcome holds the manifest that is in the store, and the sink was
// told how it went.
func (s Subject) success(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{Times: 3})
	seen := &sink{}
	o := s.New(t, store).Execute(t.Context(), a, seen)
	if o.State != runs.Succeeded || o.Manifest == nil || o.Err != nil {
		t.Fatalf("outcome %+v", o)
	}
	stored, err := store.Manifest(t.Context(), a.Kind, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	made, ok := stored.Output(s.Output)
	if told, _ := o.Manifest.Output(s.Output); !ok || told.Digest != made.Digest {
		t.Errorf("the outcome has %v, the store %v", told, made)
	}
	if stored.Run != a.Run || stored.Stage != a.Stage || stored.Attempt != a.Number || stored.Generation != a.Generation || stored.Device != "toy" {
		t.Errorf("manifest %+v", stored)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if n := len(seen.progress); n != 3 || seen.progress[2].Done != 3 {
		t.Errorf("progress %+v", seen.progress)
	}
	if seen.notes["device"] != "toy" || !strings.Contains(seen.log.String(), "wrote bytes=3") {
		t.Errorf("notes %v, log %q", seen.notes, seen.log.String())
	}
}

// twice: an attempt that is executed again ends with the manifest that is there.
func (s Subject) twice(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	e := s.New(t, store)
	first, second := e.Execute(t.Context(), a, &sink{}), e.Execute(t.Context(), a, &sink{})
	if first.State != runs.Succeeded || second.State != runs.Succeeded {
		t.Fatalf("outcomes %+v and %+v", first, second)
	}
	if !first.Manifest.Finished.Equal(second.Manifest.Finished) {
		t.Error("the second execution replaced the manifest of the first")
	}
}

// failures: what the stage says is wrong arrives with its code, its next step and
// the budget of another try, and nothing is committed.
func (s Subject) failures(t *testing.T) {
	for end, want := range map[string]struct {
		state runs.State
		cause executor.Cause
		code  stages.Code
		hint  string
	}{
		"fail":  {runs.Failed, "", stages.CodeSource, "give it more"},
		"lost":  {runs.Lost, executor.CauseNetwork, stages.CodeEnvironment, "try later"},
		"flaky": {runs.Failed, executor.CauseFailure, stages.CodeStage, ""},
		"panic": {runs.Failed, executor.CauseFailure, stages.CodeStage, "this is a bug of sprint: please report it with the lines above"},
	} {
		t.Run(end, func(t *testing.T) {
			store := s.openStore(t)
			a := s.attempt(t, store, jobstest.Options{End: end})
			o := s.New(t, store).Execute(t.Context(), a, &sink{})
			if o.State != want.state || o.Cause != want.cause || o.Manifest != nil {
				t.Errorf("outcome %+v, want %s with cause %q", o, want.state, want.cause)
			}
			if code, hint := executor.Code(o.Err), executor.Hint(o.Err); code != want.code || hint != want.hint {
				t.Errorf("error %v with code %d and hint %q, want %d and %q", o.Err, code, hint, want.code, want.hint)
			}
			if _, err := store.Manifest(t.Context(), a.Kind, a.Key); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("the store has a manifest: %v", err)
			}
		})
	}
}

// failedGate: a failed gate is a result. It is committed and not tried again.
func (s Subject) failedGate(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{End: "verdict"})
	o := s.New(t, store).Execute(t.Context(), a, &sink{})
	var gate *stages.Verdict
	if o.State != runs.Failed || o.Cause != "" || o.Manifest == nil || !errors.As(o.Err, &gate) || gate.Code != stages.CodeGate {
		t.Errorf("outcome %+v", o)
	}
}

// cancelled: an attempt that is asked to stop checkpoints and ends as interrupted.
func (s Subject) cancelled(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, s.slow())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := s.New(t, store).Execute(ctx, a, &sink{onProgress: cancel})
	s.interrupted(t, store, a, o)
}

// timeout: a context that ends at its time is no failure of the stage either: the
// runner says what it means.
func (s Subject) timeout(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, s.slow())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	seen := &sink{onProgress: func() { cancel(context.DeadlineExceeded) }}
	s.interrupted(t, store, a, s.New(t, store).Execute(ctx, a, seen))
}

func (s Subject) interrupted(t *testing.T, store *storage.Store, a *runs.Attempt, o executor.Outcome) {
	t.Helper()
	if o.State != runs.Interrupted || o.Manifest != nil || !o.Checkpointed || o.Cause != "" {
		t.Errorf("outcome %+v", o)
	}
	if there, err := store.HasCheckpoint(t.Context(), a.Kind, a.Key); err != nil || !there {
		t.Errorf("a checkpoint is there: %v, %v", there, err)
	}
}

// preflight: an attempt that cannot begin is told before its inputs are there, one
// that can leaves nothing behind.
func (s Subject) preflight(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	e := s.New(t, store)
	if err := e.Preflight(t.Context(), a, &sink{}); err != nil {
		t.Errorf("of an attempt that can begin: %v", err)
	}
	if _, err := store.Manifest(t.Context(), a.Kind, a.Key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the store has a manifest: %v", err)
	}
	if s.Elsewhere {
		return
	}
	other := *a
	other.Number, other.Kind = 2, "unknown"
	if err := runs.SaveAttempt(t.Context(), store, &other); err != nil {
		t.Fatal(err)
	}
	if err := e.Preflight(t.Context(), &other, &sink{}); err == nil {
		t.Error("an attempt of an unknown kind can begin")
	}
}

// killed: a process that is killed is the machine's fault, and says so.
func (s Subject) killed(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	o := s.New(t, store, "TOY_KILL_ONCE=1").Execute(t.Context(), a, &sink{})
	if o.State != runs.Lost || o.Cause != executor.CauseMachine || o.Manifest != nil || executor.Code(o.Err) != stages.CodeMemory || !strings.Contains(executor.Hint(o.Err), "memory") {
		t.Errorf("outcome %+v, hint %q", o, executor.Hint(o.Err))
	}
}

// killedAfterCommit: a process that is killed between its commit and its last word
// has done the work. The executor may find the manifest; if it does not look, it
// says that the machine is gone, and the runner looks before another try.
func (s Subject) killedAfterCommit(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	o := s.New(t, store, jobstest.KillBeforeEnd+"=1").Execute(t.Context(), a, &sink{})
	found := o.State == runs.Succeeded && o.Manifest != nil
	if lost := o.State == runs.Lost && o.Cause == executor.CauseMachine && o.Manifest == nil; !found && !lost {
		t.Errorf("outcome %+v", o)
	}
	made, err := store.Manifest(t.Context(), a.Kind, a.Key)
	if err != nil || made.Attempt != a.Number || made.Generation != a.Generation {
		t.Errorf("manifest %+v, %v", made, err)
	}
}
