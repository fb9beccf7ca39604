package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// treePlan makes a tree, which has blobs that no manifest names.
const treePlan = `name: trees
stages:
  - name: grow
  - name: count
  - name: look
`

// grower makes a tree, or joins what it reads.
type grower struct {
	reads, makes []string
	text         string
}

func (s grower) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	var text strings.Builder
	text.WriteString(s.text)
	for _, name := range s.reads {
		files := map[string]func() (io.ReadCloser, error){"": func() (io.ReadCloser, error) { return in.Open(ctx, name) }}
		if a, _ := in.Artifact(name); a.Media == storage.MediaTree {
			tree, err := in.Tree(ctx, name)
			if err != nil {
				return err
			}
			delete(files, "")
			for _, e := range tree.Entries() {
				files[e.Path] = func() (io.ReadCloser, error) { return tree.Open(ctx, e.Path) }
			}
		}
		for _, path := range slices.Sorted(maps.Keys(files)) {
			r, err := files[path]()
			if err != nil {
				return err
			}
			_, err = io.Copy(&text, r)
			if err := errors.Join(err, r.Close()); err != nil {
				return err
			}
		}
	}
	put := func(w stages.Writer, err error, text string) error {
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return w.Commit()
	}
	for _, name := range s.makes {
		if name != "rows" {
			w, err := out.Create(ctx, name, "text/plain")
			if err := put(w, err, name+text.String()); err != nil {
				return err
			}
			continue
		}
		tree, err := out.CreateTree(ctx, name)
		if err != nil {
			return err
		}
		defer tree.Abort()
		for _, path := range []string{"a", "deep/b"} {
			w, err := tree.Create(path)
			if err := put(w, err, path+text.String()); err != nil {
				return err
			}
		}
		if err := tree.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func treeBench(t *testing.T) *jobstest.Bench {
	b := jobstest.NewBench(t, treePlan)
	kind := func(name string, reads []string, makes ...string) stages.Kind {
		k := jobstest.Kind(name, b.Count, false, reads, false, makes...)
		k.New = func(o any, _ stages.Env) stages.Stage {
			return grower{reads, makes, o.(*jobstest.Options).Text}
		}
		return k
	}
	b.Registry = stages.Registry{
		kind("grow", nil, "rows", "note"), kind("count", []string{"rows"}, "sum"), kind("look", []string{"sum", "note"}, "end"),
	}
	return b
}

// TestEveryBlobHeals: whichever blob of a finished run is deleted, cut, longer or
// flipped, the next run makes it again by the one stage that made it, and ends
// with the same digests.
func TestEveryBlobHeals(t *testing.T) {
	b := treeBench(t)
	first := b.MustRun(0, "succeeded succeeded succeeded")
	want := jobstest.Digests(first)
	maker := map[string]int{}
	for i, st := range first.Stages {
		for name, o := range st.Outputs {
			maker[o.Digest] = i
			if name != "rows" {
				continue
			}
			entries, err := b.Store.Tree(b.Ctx, o.Digest)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				maker[e.Digest] = i
			}
		}
	}
	if len(maker) != len(b.Objects("blobs/")) {
		t.Fatalf("%d blobs are known, the store has %d", len(maker), len(b.Objects("blobs/")))
	}
	for name, harm := range map[string]func(path string, data []byte) error{
		"deleted": func(path string, _ []byte) error { return os.Remove(path) },
		"cut":     func(path string, data []byte) error { return os.WriteFile(path, data[:len(data)-1], 0o644) },
		"longer":  func(path string, data []byte) error { return os.WriteFile(path, append(data, 'x'), 0o644) },
		"flipped": func(path string, data []byte) error { data[0] ^= 1; return os.WriteFile(path, data, 0o644) },
	} {
		for digest, i := range maker {
			key, err := storage.BlobKey(digest)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(b.Store.Source(), filepath.FromSlash(key))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(path, data); err != nil {
				t.Fatal(err)
			}
			if name == "flipped" {
				// Of the right size, so only one who reads it knows.
				f := integrity.Named{Name: "it", Artifact: storage.Artifact{Digest: digest, Size: int64(len(data))}}
				r, err := integrity.Checker{Store: b.Store, Read: integrity.Everything()}.Artifacts(b.Ctx, []integrity.Named{f})
				if err != nil || len(r.Faults) != 1 || r.Faults[0].Problem != integrity.Damaged {
					t.Fatalf("a flipped blob: %+v, %v", r, err)
				}
			}
			states := []string{"cached", "cached", "cached"}
			states[i] = "succeeded"
			res := b.MustRun(0, strings.Join(states, " "))
			if reason := res.Stages[i].Reason; !strings.Contains(reason, "output ") {
				t.Errorf("%s: the reason is %q", name, reason)
			}
			if !maps.Equal(jobstest.Digests(res), want) {
				t.Errorf("%s: other digests", name)
			}
			b.MustRun(0, "cached cached cached")
		}
	}
}

// TestFlippedInputIsFoundBeforeUse: a stage that reads flipped bytes fails with
// code 9 and commits nothing; the same command then heals the stage that made
// them, and that one alone.
func TestFlippedInputIsFoundBeforeUse(t *testing.T) {
	b := treeBench(t)
	first := b.MustRun(0, "succeeded succeeded succeeded")
	entries, err := b.Store.Tree(b.Ctx, first.Stages[0].Outputs["rows"].Digest)
	if err != nil {
		t.Fatal(err)
	}
	key, err := storage.BlobKey(entries[1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.Store.Source(), filepath.FromSlash(key)), bytes.Repeat([]byte("!"), int(entries[1].Size)), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Set = []string{"count.text=other"}
	res := b.MustRun(9, "cached failed skipped")
	if res.Continue == "" {
		t.Error("the result does not say how to go on")
	}
	b.MustRun(0, "succeeded succeeded succeeded")
}
