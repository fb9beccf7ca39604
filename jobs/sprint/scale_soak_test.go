//go:build soak && linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
)

const (
	scaleStages = 1_000
	scaleRuns   = 1_000
	scaleBlobs  = 100_000
	scaleMemory = 300 << 20
)

// TestScale builds a store with 1,000 stages, 100,000 blobs and 1,000 runs of
// all those stages, and measures what commands take on it, each as a process
// of its own: seconds and the largest resident memory.
func TestScale(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "sprint")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	began := time.Now()
	buildScale(t, dir)
	t.Logf("built in %s", time.Since(began).Round(time.Second))
	for _, args := range [][]string{
		{"plan"}, {"run", "-q"}, {"status"}, {"runs"}, {"runs", "-n", "0"}, {"explain", "s500"}, {"explain", "s500", "--set", "s500.argv=[echo, x]"},
		{"diff"}, {"trace", "s500.out"}, {"artifacts", "ls"}, {"artifacts", "cat", "s500.out"}, {"unlock"}, {"gc"}, {"gc", "--keep-runs", "5", "--older-than", "1d"}, {"gc", "--keep-runs", "5", "--older-than", "1d", "--yes"},
		{"plan"},
	} {
		out, took, rss := measured(t, dir, bin, args...)
		t.Logf("%-60s %6.2f s %5d MB", strings.Join(args, " "), took.Seconds(), rss>>20)
		if rss > scaleMemory {
			t.Errorf("%v takes %d MB", args, rss>>20)
		}
		if args[0] == "gc" || args[0] == "explain" {
			t.Logf("%.1000s", out)
		}
		if args[0] == "plan" && strings.Count(out, "be cached") != scaleStages {
			t.Errorf("not all is cached: %.300s", out)
		}
	}
}

// TestBigArtifact makes an artifact of 10 GB by a command stage, and one of
// 10 kB by another plan, each in a store of its own, and reads both once more.
// What a run with nothing to do costs must not depend on the bytes, and no
// process may hold them.
func TestBigArtifact(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "sprint")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	names := map[string]string{"10 kB": "10K", "10 GB": "10G"}
	for name, size := range names {
		folder := filepath.Join(dir, size)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, folder, map[string]string{"plan.yaml": "name: big\nstages:\n" +
			"  - {name: make, kind: command, with: {argv: [truncate, -s, " + size + ", '{outputs.big}'], outputs: [big]}}\n" +
			"  - {name: read, kind: command, with: {argv: [sh, -c, 'wc -c < \"$SPRINT_INPUTS/big\" > \"$SPRINT_OUTPUTS/bytes\"'], inputs: [big], outputs: [bytes]}}\n"})
		_, took, rss := measured(t, folder, bin, "run", "-q")
		t.Logf("%s: made, stored and read in %.1f s, %d MB", name, took.Seconds(), rss>>20)
		if rss > scaleMemory {
			t.Errorf("%s: the run takes %d MB", name, rss>>20)
		}
	}
	const rounds = 31
	idle := map[string][]time.Duration{}
	for range rounds {
		for name, size := range names {
			out, took, rss := measured(t, filepath.Join(dir, size), bin, "run")
			if strings.Count(out, "cached") < 2 || rss > scaleMemory {
				t.Fatalf("%s: %d MB: %s", name, rss>>20, out)
			}
			idle[name] = append(idle[name], took)
		}
	}
	for name := range names {
		slices.Sort(idle[name])
		t.Logf("%s: nothing to do takes %s (median of %d)", name, idle[name][rounds/2], rounds)
	}
	_, took, rss := measured(t, filepath.Join(dir, "10G"), bin, "artifacts", "verify", "make.big")
	t.Logf("10 GB: verified in %.1f s, %d MB", took.Seconds(), rss>>20)
	if rss > scaleMemory {
		t.Errorf("verify takes %d MB", rss>>20)
	}
}

// buildScale writes the store as runs would have left it, without their fsyncs.
func buildScale(t *testing.T, dir string) {
	var plan strings.Builder
	plan.WriteString("name: scale\nstages:\n")
	for i := range scaleStages {
		needs := ""
		if i >= 10 {
			needs = fmt.Sprintf("inputs: {out: s%d.out}, ", i-10)
			fmt.Fprintf(&plan, "  - {name: s%d, kind: command, needs: [s%d], %swith: {argv: [echo, \"%d\"], inputs: [out], outputs: [out]}}\n", i, i-10, needs, i)
			continue
		}
		fmt.Fprintf(&plan, "  - {name: s%d, kind: command, needs: [], with: {argv: [echo, \"%d\"], outputs: [out]}}\n", i, i)
	}
	write(t, dir, map[string]string{"plan.yaml": plan.String()})
	p, err := config.LoadPlan(filepath.Join(dir, "plan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := config.NewOptions(p, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	look := graph.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
	g, err := graph.Compile(t.Context(), p, graph.CompileOptions{Registry: all.All(), Options: o, Lookup: look})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, ".sprint", "store")
	store, err := storage.Open(t.Context(), root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	old := time.Now().Add(-30 * 24 * time.Hour)
	raw := func(key string, data []byte) {
		path := filepath.Join(root, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	blob := func(name, content string) storage.Artifact {
		a := storage.Artifact{Name: name, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))), Size: int64(len(content)), Media: "text/plain"}
		key, err := storage.BlobKey(a.Digest)
		if err != nil {
			t.Fatal(err)
		}
		raw(key, []byte(content))
		return a
	}
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	commit := func(m storage.Manifest) {
		m.Generation, m.Kind, m.Started, m.Finished = 1, "command", old, old
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, _, err := store.Commit(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	result := runs.Result{Class: "done"}
	outputs := map[string]storage.Artifact{}
	for _, task := range g.Nodes {
		inputs, digests := map[string]storage.Artifact{}, map[string]string{}
		for _, r := range task.Inputs {
			inputs[r.Name], digests[r.Name] = outputs[r.From], outputs[r.From].Digest
		}
		key, preimage, err := task.Preimage(inputs).Key()
		if err != nil {
			t.Fatal(err)
		}
		a := blob("out", "output of "+task.Name)
		outputs[task.Name] = a
		commit(storage.Manifest{Key: key, Preimage: preimage, Stage: task.Name, Inputs: digests, Outputs: []storage.Artifact{a}})
		result.Stages = append(result.Stages, runs.StageResult{
			Name: task.Name, Kind: "command", State: runs.Succeeded, Key: key, Reason: "never done", Seconds: 1,
			Outputs: map[string]runs.OutputResult{"out": {Digest: a.Digest, Size: a.Size}},
		})
		// What the stage was before: other options, five outputs each.
		for v := range (scaleBlobs - scaleStages) / scaleStages / 5 {
			var made []storage.Artifact
			for n := range 5 {
				made = append(made, blob(fmt.Sprint("out", n), fmt.Sprintf("old output %d of %s, version %d", n, task.Name, v)))
			}
			before := bytes.Replace(preimage, []byte(`"echo"`), fmt.Appendf(nil, `"echo%d"`, v), 1)
			commit(storage.Manifest{Key: fmt.Sprintf("%x", sha256.Sum256(before)), Preimage: before, Stage: task.Name, Inputs: digests, Outputs: made})
		}
	}
	wg.Wait()
	for i := range scaleRuns {
		at := old.Add(time.Duration(i) * time.Minute)
		id := runs.NewID(at)
		result.Run = &id
		b, err := json.Marshal(runs.Record{Result: result, Plan: "scale", Started: at, Finished: at.Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		raw("runs/"+id+"/result.json", b)
		raw("runs/"+id+"/plan.yaml", []byte("name: scale\n"))
		for n := range 5 {
			raw(fmt.Sprintf("runs/%s/logs/s%d/1/000001", id, n), []byte("a line\n"))
		}
	}
}
