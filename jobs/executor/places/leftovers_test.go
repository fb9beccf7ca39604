//go:build unix

package places

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/hf"
	"github.com/sprint-ml/sprint/jobs/executor/hf/hftest"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/storage"
)

// leftoverBench is a hub with four jobs: one for which a runner waits, two whose runners
// are gone, and one that the store does not know; and one of somebody else's.
type leftoverBench struct {
	o       Options
	at      *hf.Provider
	handles map[string]executor.Handle
}

func newLeftoverBench(t *testing.T) *leftoverBench {
	hub := hftest.New(t)
	hub.Grace = 100 * time.Millisecond
	store, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	environ := []string{"HF_TOKEN=" + hftest.Token}
	text := "executors:\n" +
		"  rented: {kind: hf, namespace: " + hftest.Namespace + ", endpoint: '" + hub.URL + "', limits: {grace: 1s}}\n" +
		"  closed: {kind: hf, namespace: others, endpoint: '" + hub.URL + "'}\n"
	b := &leftoverBench{handles: map[string]executor.Handle{}}
	b.o = Options{Config: load(t, text, "auto"), Store: store, Environ: environ, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	b.at, err = hf.New("rented", hf.Options{Namespace: hftest.Namespace, Token: "HF_TOKEN", Image: "x", Longest: time.Hour, Endpoint: hub.URL}, func(string) string { return hftest.Token })
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"waited", "released", "silent", "foreign"} {
		b.start(t, stage, executor.JobID("run", stage, 1, "x"))
	}
	b.start(t, "other", "somebody-elses")
	elsewhere := storage.Self()
	elsewhere.Host, elsewhere.Boot = "elsewhere", "another"
	b.lease(t, "waited", elsewhere, time.Second)
	b.lease(t, "silent", elsewhere, time.Hour) // renewed in twenty minutes
	if err := b.lease(t, "released", storage.Self(), time.Second).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *leftoverBench) start(t *testing.T, stage, id string) {
	t.Helper()
	dir, text := t.TempDir(), []byte("#!/bin/sh\nexec sleep 60\n")
	sum := fmt.Sprintf("%x", sha256.Sum256(text))
	if err := os.WriteFile(filepath.Join(dir, sum), text, 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	h, err := b.at.Submit(t.Context(), &executor.Job{
		ID: id, Stage: stage, Attempt: 1, Env: map[string]string{executor.EnvProgramDir: dir},
		Program: executor.Program{Digest: sum, URL: func(context.Context, time.Duration) (string, error) { return "http://127.0.0.1:1", nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.handles[stage] = h
}

func (b *leftoverBench) lease(t *testing.T, stage string, h storage.Holder, ttl time.Duration) *storage.Lease {
	t.Helper()
	l, err := b.o.Store.Acquire(t.Context(), "jobs/"+executor.JobID("run", stage, 1, "x"), h, ttl, "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (b *leftoverBench) find(t *testing.T) *Leftovers {
	t.Helper()
	l, err := FindLeftovers(t.Context(), b.o, 6*time.Second, []string{"closed", "rented"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// owners are those of the jobs that were found, by stage.
func owners(l *Leftovers) map[string]remote.Owner {
	out := map[string]remote.Owner{}
	for i := range l.All {
		if j := &l.All[i]; j.Err == nil {
			out[strings.Split(j.ID, "-")[1]] = j.Owner
		}
	}
	return out
}

// TestLeftovers: who waits for a job is told by the store; what nobody waits for is ended,
// and nothing else; what is not ours never is; a place that is not reached hides no other.
func TestLeftovers(t *testing.T) {
	b := newLeftoverBench(t)
	found := b.find(t)
	want := map[string]remote.Owner{"waited": remote.OwnerRunner, "released": remote.OwnerNobody, "silent": remote.OwnerNobody, "foreign": remote.OwnerUnknown}
	for stage, owner := range want {
		if got := owners(found)[stage]; got != owner {
			t.Errorf("%s is of %q, want %q", stage, got, owner)
		}
	}
	if len(found.All) != 5 || found.All[0].Executor != "closed" || executor.Code(found.All[0].Err) != 4 || executor.Hint(found.All[0].Err) == "" {
		t.Errorf("%+v", found.All)
	}
	b.lease(t, "released", storage.Self(), time.Second) // a runner follows it since
	found.End(t.Context(), false, nil)
	for i := range found.All {
		if j := &found.All[i]; j.Ended != strings.Contains(j.ID, "silent") || strings.Contains(j.ID, "released") && executor.Code(j.Err) != 7 {
			t.Errorf("%s: ended %v, %v", j.ID, j.Ended, j.Err)
		}
	}
	found = b.find(t)
	if got := owners(found); len(got) != 3 || got["silent"] != "" {
		t.Errorf("left are %v", got)
	}
	found.End(t.Context(), true, nil)
	found = b.find(t)
	if got := owners(found); len(got) != 1 || got["foreign"] != remote.OwnerUnknown {
		t.Errorf("left are %v", got)
	}
	found.End(t.Context(), false, []string{executor.JobID("run", "foreign", 1, "x")})
	if got := owners(b.find(t)); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
	others := false
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, _ = b.at.Watch(ctx, b.handles["other"], func(s executor.Status) { others = s.Phase != executor.PhaseEnded }) // it goes on
	if !others {
		t.Error("a job that is not ours was ended")
	}
}

// TestLeftoversOfNoExecutor: a name that the config does not have is its reader's mistake.
func TestLeftoversOfNoExecutor(t *testing.T) {
	b := newLeftoverBench(t)
	if _, err := FindLeftovers(t.Context(), b.o, 0, []string{"rent"}); executor.Code(err) != 2 || !strings.Contains(err.Error(), "rented") {
		t.Errorf("%v", err)
	}
	if _, err := FindLeftovers(t.Context(), b.o, 0, []string{Local}); executor.Code(err) != 2 || !strings.Contains(err.Error(), "end with their runner") {
		t.Errorf("%v", err)
	}
}

// TestEveryKindLists: no kind hides what runs there.
func TestEveryKindLists(t *testing.T) {
	options := map[string]string{"hf": "namespace: x", "ssh": "hosts: [h]", "kubernetes": ""}
	for _, k := range Kinds() {
		if k.Name == "kubernetes" {
			continue // it looks for a kubeconfig; its package holds it to be a Lister
		}
		c := load(t, "executors:\n  x: {kind: "+k.Name+", "+options[k.Name]+"}\n", "auto")
		place, err := openProvider(c, "x", k.Name, Options{Config: c, Log: slog.New(slog.DiscardHandler)})
		if _, ok := place.(executor.Lister); err != nil || !ok {
			t.Errorf("%s cannot list its jobs: %v", k.Name, err)
		}
	}
}
