package runs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// waitFor waits for a condition, for as long as a busy machine may need.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("waited in vain for " + what)
}

// newestRun waits for the first run of a store.
func newestRun(t *testing.T, s *storage.Store) string {
	t.Helper()
	var id string
	waitFor(t, "a run", func() bool {
		ids, err := runs.List(t.Context(), s, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) > 0 {
			id = ids[0]
		}
		return len(ids) > 0
	})
	return id
}

// A follower with nothing but the store's URL sees lines while the stage that
// wrote them still runs, each once and in order, and ends with the run.
func TestFollowWhileTheRunGoesOn(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"make.times=2", "refine.times=2"}
	release := make(chan struct{})
	b.Count.Before = func(stage string, _ int) {
		if stage == "refine" {
			<-release // make's log must be seen while the run goes on
		}
	}
	done := make(chan *runs.Result, 1)
	go func() {
		res, err := b.Run()
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	store, err := storage.Open(t.Context(), filepath.Join(b.Dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	id := newestRun(t, store)
	out := &stagetest.Buffer{}
	follow := &runs.Follower{Store: store, Run: id, Out: out, Poll: 20 * time.Millisecond}
	type end struct {
		record runs.Record
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		r, err := follow.Until(t.Context())
		ended <- end{r, err}
	}()
	waitFor(t, "the log of make", func() bool { return strings.Contains(out.String(), "number=2") })
	close(release)
	e, res := <-ended, <-done
	if e.err != nil || e.record.Code != 0 || res.Code != 0 {
		t.Fatalf("ended with %+v, %v", e.record, e.err)
	}
	text := out.String()
	for _, stage := range []string{"make", "refine", "join", "slow"} {
		if strings.Count(text, "== "+stage+", attempt 1\n") != 1 {
			t.Errorf("the log does not show %s once:\n%s", stage, text)
		}
	}
	if n := strings.Count(text, "piece"); n != 6 {
		t.Errorf("%d lines of pieces, want 6:\n%s", n, text)
	}
}

// A log outlives a runner that is killed, and its follower learns that nobody
// goes on.
func TestLogOutlivesAKill(t *testing.T) {
	dir := t.TempDir()
	url := filepath.Join(dir, "store")
	cmd := exec.Command(os.Args[0], "play-runner", dir)
	cmd.Env = append(os.Environ(), "TOY_SET=refine.pace=1h")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	store, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	id := newestRun(t, store)
	waitFor(t, "a stored log", func() bool {
		var b bytes.Buffer
		_, err := runs.CopyLog(t.Context(), store, id, "make", 1, 0, &b)
		return err == nil && strings.Contains(b.String(), "piece")
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	out := &stagetest.Buffer{}
	_, err = (&runs.Follower{Store: store, Run: id, Stage: "make", Out: out, Poll: 10 * time.Millisecond}).Until(t.Context())
	if !errors.Is(err, runs.ErrRunnerGone) || !strings.Contains(out.String(), "piece") {
		t.Errorf("%v: %s", err, out)
	}
}

// A log keeps its lines in order and whole through a store that loses replies
// and goes away for a while, and never holds the stage up.
func TestLogThroughABadStore(t *testing.T) {
	injector, err := faults.Open("lost-reply@0.4/7,busy@0.4/8")
	if err != nil {
		t.Fatal(err)
	}
	b := jobstest.NewBench(t, jobstest.Plan)
	store, err := storage.Open(t.Context(), b.Store.Source(), &storage.Options{Backoff: time.Microsecond, Tries: 2,
		Around: func(ctx context.Context, op, key string, call func() error) error {
			if !strings.Contains(key, "/logs/") {
				return call()
			}
			return injector.Around(ctx, op, key, call)
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log := runs.OpenLog(t.Context(), store, slog.New(slog.DiscardHandler), "r", "s", 1)
	var want strings.Builder
	for i := range 5000 {
		line := strings.Repeat(string(rune('a'+i%26)), 40+i%80)
		want.WriteString(line + "\n")
		log.Write(slog.LevelInfo, line)
	}
	stamp := regexp.MustCompile(`(?m)^\S+ INFO  `)
	waitFor(t, "the last piece", func() bool {
		var got bytes.Buffer
		_, err := runs.CopyLog(t.Context(), b.Store, "r", "s", 1, 0, &got)
		return err == nil && stamp.ReplaceAllString(got.String(), "") == want.String()
	})
	log.Close()
	if n := len(injector.Ops()); n < 8 {
		t.Errorf("%d operations: it was one piece", n)
	}
}
