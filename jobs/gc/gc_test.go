package gc_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/gc"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func deleted(r *gc.Report, what string) int {
	for _, g := range r.Groups {
		if g.What == what {
			return g.Objects
		}
	}
	return -1
}

// A dry run changes nothing; a real one deletes what only old runs reach, and
// explains afterwards tell evicted from changed; the evicted stage heals.
func TestGCForgetsOldRuns(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	old := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	b.Set = []string{"join.text=second"}
	now := b.MustRun(0, "cached cached succeeded succeeded")
	for _, run := range []*string{old.Run, now.Run} {
		if err := b.Store.WriteFile(b.Ctx, "runs/"+*run+"/report.html", []byte("a report")); err != nil {
			t.Fatal(err)
		}
		// As those of workers elsewhere are.
		if err := errors.Join(runs.SaveLeft(b.Ctx, b.Store, *run, "slow", 1, time.Hour), runs.SaveEnd(b.Ctx, b.Store, *run, "slow", 1, []byte("{}"))); err != nil {
			t.Fatal(err)
		}
	}
	before := b.Objects("")
	dry := b.GC(gc.Collector{KeepRuns: 1})
	if after := b.Objects(""); !slices.Equal(before, after) {
		t.Fatal("a dry run changed the store")
	}
	if n := deleted(dry, "artifacts"); n != 2 || dry.Bytes() == 0 || len(dry.Forgotten) != 1 {
		t.Fatalf("would delete %d artifacts, forget %v: %+v", n, dry.Forgotten, dry)
	}
	blobs := len(b.Objects("blobs/"))
	r := b.GC(gc.Collector{KeepRuns: 1, Delete: true})
	if !slices.Equal(r.Groups, dry.Groups) {
		t.Errorf("said %+v, did %+v", dry.Groups, r.Groups)
	}
	if n := len(b.Objects("blobs/")); n != blobs-2 {
		t.Errorf("%d of %d blobs are left", n, blobs)
	}
	if got, want := b.Objects("runs/"), "runs/"+*now.Run+"/report.html"; slices.Contains(got, "runs/"+*old.Run+"/report.html") || !slices.Contains(got, want) {
		t.Errorf("of the runs' records there are %v", got)
	}
	// What it was, and how it ended, are for history.
	var rest []string
	for _, key := range b.Objects("runs/" + *old.Run + "/") {
		if name := path.Base(key); name != "plan.yaml" && name != "resolved.json" && name != "result.json" {
			rest = append(rest, key)
		}
	}
	if len(rest) > 0 {
		t.Errorf("of the old run %v are left", rest)
	}
	b.MustRun(0, "cached cached cached cached")
	b.Set = nil
	e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(b.Ctx, b.Graph())
	if err != nil {
		t.Fatal(err)
	}
	if v := e.Decisions["join"]; v.State != runs.Pending || !strings.Contains(v.Reason, "evicted by gc") || v.Lost == nil {
		t.Errorf("join: %s, %q", v.State, v.Reason)
	}
	b.Set = []string{"join.text=third"}
	if e, err = (evaluate.Evaluator{Store: b.Store}).Evaluate(b.Ctx, b.Graph()); err != nil {
		t.Fatal(err)
	}
	if v := e.Decisions["join"]; strings.Contains(v.Reason, "evicted") || !strings.Contains(v.Reason, "text") {
		t.Errorf("a changed option is told as %q", v.Reason)
	}
	b.Set = nil
	b.MustRun(0, "cached cached succeeded succeeded")
	b.MustRun(0, "cached cached cached cached")
	if again := b.GC(gc.Collector{KeepRuns: 10}); deleted(again, "artifacts") != 0 {
		t.Errorf("with all runs kept it would delete %+v", again.Groups)
	}
}

// What a pinned run, a live run, an alias, the grace period or a checkpoint
// needs is kept, and without that it goes.
func TestGCKeeps(t *testing.T) {
	for name, keep := range map[string]func(*jobstest.Bench, *runs.Result, *gc.Collector) (undo func()){
		"pinned run": func(b *jobstest.Bench, first *runs.Result, _ *gc.Collector) func() {
			pin := func(on bool) {
				if err := runs.SetPin(b.Ctx, b.Store, *first.Run, on, ""); err != nil {
					b.T.Fatal(err)
				}
			}
			pin(true)
			return func() { pin(false) }
		},
		"newest runs": func(_ *jobstest.Bench, _ *runs.Result, o *gc.Collector) func() {
			o.KeepRuns = 2
			return func() { o.KeepRuns = 1 }
		},
		"grace period": func(_ *jobstest.Bench, _ *runs.Result, o *gc.Collector) func() {
			o.OlderThan = time.Hour
			return func() { o.OlderThan = 0 }
		},
		"live run": func(b *jobstest.Bench, first *runs.Result, o *gc.Collector) func() {
			// Its record is not there yet, what it uses is.
			b.Age("", 2*time.Hour)
			o.OlderThan = time.Hour
			key := "runs/" + *first.Run + "/result.json"
			record, err := b.Store.ReadFile(b.Ctx, key, 1<<20)
			if err != nil {
				b.T.Fatal(err)
			}
			if err := b.Store.Sweep(b.Ctx, key); err != nil {
				b.T.Fatal(err)
			}
			lease, err := b.Store.Acquire(b.Ctx, "runs/"+*first.Run, storage.Self(), time.Hour, "")
			if err != nil {
				b.T.Fatal(err)
			}
			return func() {
				if err := errors.Join(lease.Release(b.Ctx), b.Store.WriteFile(b.Ctx, key, record)); err != nil {
					b.T.Fatal(err)
				}
				b.Age("", 2*time.Hour)
				unsealed, _, _ := bytes.Cut(record, []byte(",\n  \"sealed\": "))
				old := bytes.ReplaceAll(unsealed, []byte(`"finished": "2`), []byte(`"finished": "1`))
				if err := b.Store.WriteFile(b.Ctx, key, append(old, "\n}"...)); err != nil {
					b.T.Fatal(err)
				}
			}
		},
		"damaged record": func(b *jobstest.Bench, first *runs.Result, _ *gc.Collector) func() {
			key := "runs/" + *first.Run + "/result.json"
			record, err := b.Store.ReadFile(b.Ctx, key, 1<<20)
			if err != nil {
				b.T.Fatal(err)
			}
			flipped := bytes.Replace(record, []byte(`"finished": "2`), []byte(`"finished": "0`), 1)
			if err := b.Store.WriteFile(b.Ctx, key, flipped); err != nil || bytes.Equal(flipped, record) {
				b.T.Fatal("nothing was damaged", err)
			}
			return func() {
				if err := b.Store.WriteFile(b.Ctx, key, record); err != nil {
					b.T.Fatal(err)
				}
			}
		},
		"alias": func(b *jobstest.Bench, first *runs.Result, _ *gc.Collector) func() {
			// A release whose tree is what the first run's slow stage made, of
			// what its join stage made.
			end := first.Stages[3].Outputs["end"]
			tree, err := b.Store.PutTree(b.Ctx, []storage.TreeEntry{{Path: "end", Digest: end.Digest, Size: end.Size}})
			if err != nil {
				b.T.Fatal(err)
			}
			if _, _, err := b.Store.Commit(b.Ctx, storage.Manifest{
				Kind: "publish", Key: strings.Repeat("0", 64), Generation: 1, Preimage: []byte(`{}`), Finished: time.Now(),
				Inputs:  map[string]string{"end": end.Digest},
				Outputs: []storage.Artifact{{Name: "release", Digest: tree.Digest, Size: tree.Size, Media: storage.MediaTree}},
			}); err != nil {
				b.T.Fatal(err)
			}
			r, err := models.In(b.Store).Publish(b.Ctx, "toy", tree, nil)
			if err != nil {
				b.T.Fatal(err)
			}
			if err := models.In(b.Store).SetAlias(b.Ctx, "toy", "latest", r.Version); err != nil {
				b.T.Fatal(err)
			}
			return func() {
				for _, key := range b.Objects("models/") {
					if err := b.Store.Sweep(b.Ctx, key); err != nil {
						b.T.Fatal(err)
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := jobstest.NewBench(t, jobstest.Plan)
			first := b.MustRun(0, "succeeded succeeded succeeded succeeded")
			b.Set = []string{"join.text=second"}
			b.MustRun(0, "cached cached succeeded succeeded")
			o := gc.Collector{KeepRuns: 1, Delete: true}
			undo := keep(b, first, &o)
			if n := deleted(b.GC(o), "artifacts"); n != 0 {
				t.Errorf("%d artifacts went", n)
			}
			b.Set = nil
			e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(b.Ctx, b.Graph())
			if err != nil {
				t.Fatal(err)
			}
			if v := e.Decisions["slow"]; v.State != runs.Cached {
				t.Errorf("slow would %s: %s", v.State, v.Reason)
			}
			undo()
			if n := deleted(b.GC(o), "artifacts"); n < 2 {
				t.Errorf("without it %d artifacts went, want 2 at least", n)
			}
		})
	}
}

// A checkpoint of unfinished work of a kept run stays; those of finished work,
// and of runs that are not kept, go with their files.
func TestGCCheckpoints(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	res := b.MustRun(0, "cached cached cached cached")
	dir := t.TempDir()
	save := func(key string, step int64) {
		if err := os.WriteFile(filepath.Join(dir, "w"), []byte(key+string(rune('a'+step))), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := b.Store.SaveCheckpoint(b.Ctx, "slow", key, step, dir); err != nil {
			t.Fatal(err)
		}
	}
	finished, stranger := res.Stages[3].Key, strings.Repeat("e", 64)
	for step := range int64(5) {
		save(finished, step)
		save(stranger, step)
	}
	if n := deleted(b.GC(gc.Collector{KeepRuns: 5}), "checkpoints"); n != 10 {
		t.Errorf("would delete %d of 10 checkpoints that serve nobody", n)
	}
	if n := deleted(b.GC(gc.Collector{KeepRuns: 5, OlderThan: time.Hour}), "checkpoints"); n != 0 {
		t.Errorf("would delete %d young checkpoints", n)
	}
	// The key of the stranger becomes that of a run that was interrupted.
	b.Set = []string{"slow.text=other"}
	g := b.Graph()
	e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(b.Ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	open := e.Decisions["slow"].Key
	b.Set = append(b.Set, "slow.end=lost")
	if r, err := b.Run(); err != nil || r.Code == 0 {
		t.Fatal(r, err)
	}
	for step := range int64(5) {
		save(open, step)
	}
	if n := deleted(b.GC(gc.Collector{KeepRuns: 5, Delete: true}), "checkpoints"); n != 12 {
		t.Errorf("deleted %d checkpoints, want 12: all but the 3 newest of the unfinished key", n)
	}
	into := t.TempDir()
	step, err := b.Store.RestoreCheckpoint(b.Ctx, "slow", open, into, slog.New(slog.DiscardHandler), nil)
	if err != nil || step != 4 {
		t.Errorf("the unfinished key continues from step %d, %v", step, err)
	}
}

// A blob that a writer finds in the store while a gc runs is there afterwards,
// however the two interleave.
func TestGCBesideWriters(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	data := []byte("needed again")
	for round := range 8 {
		a, err := b.Store.Put(b.Ctx, bytes.NewReader(data), "")
		if err != nil {
			t.Fatal(err)
		}
		b.Age("blobs/", 2*time.Hour)
		b.Age("kept/", 2*time.Hour)
		// Another process: it remembers nothing of what this one saw.
		other, err := storage.Open(b.Ctx, b.Store.Source(), nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			time.Sleep(time.Duration(round) * 1200 * time.Microsecond)
			_, err := other.Put(b.Ctx, bytes.NewReader(data), "")
			done <- err
		}()
		b.GC(gc.Collector{KeepRuns: 1, OlderThan: time.Hour, Delete: true, Settle: 5 * time.Millisecond})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r, err := other.Get(b.Ctx, a.Digest, a.Size)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("round %d: %q, %v", round, got, err)
		}
		r.Close()
		other.Close()
	}
}

// Only one gc deletes at a time, and none with a short grace beside a live run.
func TestGCRefuses(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	sweep, err := b.Store.BeginSweep(b.Ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	o := gc.Collector{Store: b.Store, Log: slog.New(slog.DiscardHandler), Delete: true, Settle: time.Millisecond}
	_, err = o.Run(b.Ctx)
	if held := (*storage.HeldError)(nil); !errors.As(err, &held) || executor.Code(err) != 7 {
		t.Errorf("beside another gc: %v", err)
	}
	if err := sweep.End(b.Ctx); err != nil {
		t.Fatal(err)
	}
	lease, err := b.Store.Acquire(b.Ctx, "runs/20990101-000000-abcdef", storage.Self(), time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.Create(b.Ctx, "runs/20990101-000000-abcdef/uses", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Run(b.Ctx); executor.Code(err) != 2 || !strings.Contains(err.Error(), "live") {
		t.Errorf("without grace beside a live run: %v", err)
	}
	if n := len(b.Objects("blobs/")); n == 0 {
		t.Error("it deleted all the same")
	}
	if err := lease.Release(b.Ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Run(b.Ctx); err != nil {
		t.Error(err)
	}
}

// Whatever the age, a gc leaves the kept answers of labelling models alone: they
// cost more than their place, and no run lists them.
func TestGCKeepsAnswers(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	const key = "answers/ab/abcdef"
	if err := b.Store.Create(b.Ctx, key, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	b.Age("", 1000*time.Hour)
	r := b.GC(gc.Collector{Delete: true})
	if n := deleted(r, "artifacts"); n == 0 {
		t.Errorf("nothing was deleted: %+v", r)
	}
	if left := b.Objects("answers/"); !slices.Equal(left, []string{key}) {
		t.Errorf("the answers are %q", left)
	}
}

// What a run finds done only while it goes on, behind a stage that made the
// same again, is kept for it as well.
func TestGCKeepsWhatALiveRunFinds(t *testing.T) {
	b := jobstest.NewBench(t, `name: toys
stages:
  - {name: first, kind: node, needs: [], with: {makes: a}}
  - {name: found, kind: node, with: {reads: [a], makes: b}}
  - {name: long, kind: node, with: {makes: c}}
  - {name: last, kind: node, needs: [found, long], with: {reads: [b, c], makes: d}}
`)
	old := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	key := "runs/" + *old.Run + "/result.json"
	record, err := b.Store.ReadFile(b.Ctx, key, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	record, _, _ = bytes.Cut(bytes.ReplaceAll(record, []byte(`"finished": "2`), []byte(`"finished": "1`)), []byte(",\n  \"sealed\": "))
	if err := b.Store.WriteFile(b.Ctx, key, append(record, "\n}"...)); err != nil {
		t.Fatal(err)
	}
	b.Age("", 2*time.Hour)
	b.Set = []string{"long.text=other"}
	b.Tweak = func(r *jobs.Runner) { r.Select.Force = []string{"first"} }
	swept := 0
	b.Count.Before = func(stage string, _ int) {
		if stage == "long" {
			swept = deleted(b.GC(gc.Collector{KeepRuns: 1, OlderThan: time.Hour, Delete: true}), "artifacts")
		}
	}
	b.MustRun(0, "succeeded cached succeeded succeeded")
	if swept == 0 {
		t.Error("the gc deleted nothing")
	}
	b.Count.Before, b.Tweak = nil, nil
	b.MustRun(0, "cached cached cached cached")
}
