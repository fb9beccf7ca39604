// Package stagetest runs one stage as a runner would, over a store in memory:
// the harness for the tests of every kind.
package stagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Case describes one attempt. Only Kind and Options are required.
type Case struct {
	Kind stages.Kind
	// Options is the pointer that Kind.Options makes, filled in.
	Options any
	// Inputs maps artifact names to their content: []byte or string for a
	// file, map[string][]byte for a tree, storage.Artifact for what is in
	// Store already.
	Inputs map[string]any
	// Store is made in memory if nil.
	Store *storage.Store
	// Trust are the keys whose releases are read; nil are all.
	Trust *signature.Trust
	// Taxonomy, Now, Offline, CacheDir are what Lookup answers; zero values
	// are an empty taxonomy, a fixed date, false and a temporary folder.
	Taxonomy stages.Source
	Now      time.Time
	Offline  bool
	CacheDir string
	// Key is the key under which checkpoints are kept; a fixed one if empty.
	Key string
	// Env, if set, changes the environment before the stage is built.
	Env func(*stages.Env)
	// Context, if set, is the attempt's; the test's own otherwise.
	Context context.Context
}

// Result is what an attempt left behind.
type Result struct {
	// Err is what Run returned: nil, a *stages.Verdict, or a failure.
	Err      error
	Store    *storage.Store
	Outputs  map[string]storage.Artifact
	External stages.External
	Notes    map[string]any
	Progress []stages.Progress
	Log      string
}

// Run executes the case and returns its result. It fails the test if the
// options do not pass their Check, if Resolve fails, if an output is missing
// after success, or if the stage leaves its options unfit to be recorded.
func Run(t testing.TB, c Case) *Result {
	t.Helper()
	r, err := Try(t, c)
	if err != nil {
		t.Fatalf("stage %s does not begin: %v", c.Kind.Name, err)
	}
	return r
}

// MustRun is Run for cases that have to succeed.
func MustRun(t testing.TB, c Case) *Result {
	t.Helper()
	r := Run(t, c)
	if r.Err != nil {
		t.Fatalf("stage %s: %v\n%s", c.Kind.Name, r.Err, r.Log)
	}
	return r
}

// Try is Run that returns the errors of Check, Resolve, ResolveInputs and New instead of
// failing the test.
func Try(t testing.TB, c Case) (*Result, error) {
	t.Helper()
	ctx := c.Context
	if ctx == nil {
		ctx = t.Context()
	}
	c.fill(t)
	if ch, ok := c.Options.(stages.Checker); ok {
		if problems := ch.Check(); len(problems) > 0 {
			return nil, &Problems{problems}
		}
	}
	lookup := &Lookup{Tax: c.Taxonomy, Time: c.Now, IsOffline: c.Offline, Cache: c.CacheDir}
	res := &Result{Store: c.Store, Outputs: map[string]storage.Artifact{}, Notes: map[string]any{}}
	if rs, ok := c.Options.(stages.Resolver); ok {
		ext, err := rs.Resolve(ctx, lookup)
		if err != nil {
			return nil, err
		}
		res.External = ext
	}
	inputs := map[string]storage.Artifact{}
	for name, content := range c.Inputs {
		a, err := put(ctx, c.Store, content)
		if err != nil {
			t.Fatalf("input %s: %v", name, err)
		}
		a.Name = name
		inputs[name] = a
	}
	if rs, ok := c.Options.(stages.InputResolver); ok {
		more, err := rs.ResolveInputs(ctx, stages.Kept{Store: c.Store, Trust: c.Trust}, inputs)
		if err != nil {
			return nil, err
		}
		if len(more) > 0 {
			all := stages.External{}
			maps.Copy(all, res.External)
			maps.Copy(all, more)
			res.External = all
		}
	}
	var log Buffer
	stage := c.Kind.New(c.Options, c.env(t, lookup, res, &log))
	out := storeio.NewOutputs(c.Store, c.Kind.Outputs(c.Options))
	res.Err = stage.Run(ctx, storeio.NewInputs(c.Store, inputs), out)
	res.Log = log.String()
	if _, ok := errors.AsType[*stages.Verdict](res.Err); res.Err == nil || ok {
		made, err := out.Artifacts()
		if err != nil {
			t.Fatalf("stage %s: %v", c.Kind.Name, err)
		}
		for _, a := range made {
			res.Outputs[a.Name] = a
		}
	}
	return res, nil
}

// fill gives what the case leaves open its usual value.
func (c *Case) fill(t testing.TB) {
	if c.Store == nil {
		c.Store = Store(t)
	}
	if c.Key == "" {
		c.Key = strings.Repeat("0", 64)
	}
	if c.CacheDir == "" {
		c.CacheDir = t.TempDir()
	}
}

// env is the attempt's environment; progress, notes and log go to res and log.
func (c *Case) env(t testing.TB, lookup *Lookup, res *Result, log *Buffer) stages.Env {
	var mu sync.Mutex
	env := stages.Env{
		Run: "test", Stage: c.Kind.Name, Attempt: 1, Taxonomy: c.Taxonomy, External: res.External,
		Device: "auto", CacheDir: c.CacheDir, Offline: c.Offline, Scratch: t.TempDir(), Store: c.Store,
		Log:      slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Progress: func(p stages.Progress) { mu.Lock(); defer mu.Unlock(); res.Progress = append(res.Progress, p) },
		Note:     func(name string, v any) { mu.Lock(); defer mu.Unlock(); res.Notes[name] = v },
		Files:    storeio.Files(lookup.Found()),
		Left:     func() (time.Duration, bool) { return 0, false },
		Secret: func(ref string) (string, error) {
			if v, ok := strings.CutPrefix(ref, "env:"); ok {
				return os.Getenv(v), nil
			}
			b, err := os.ReadFile(strings.TrimPrefix(ref, "file:"))
			return strings.TrimSpace(string(b)), err
		},
	}
	env.Checkpoints = &storeio.Checkpoints{Store: c.Store, Kind: c.Kind.Name, Key: c.Key, Log: env.Log}
	if c.Env != nil {
		c.Env(&env)
	}
	return env
}

// Problems are what Check reported.
type Problems struct{ List []stages.Problem }

func (p *Problems) Error() string {
	var b strings.Builder
	for _, x := range p.List {
		b.WriteString(x.Path + ": " + x.Message + "\n")
	}
	return b.String()
}

// Store opens a store in memory that ends with the test.
func Store(t testing.TB) *storage.Store {
	t.Helper()
	s, err := storage.Open(context.Background(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(ctx context.Context, s *storage.Store, content any) (storage.Artifact, error) {
	switch v := content.(type) {
	case storage.Artifact:
		return v, nil
	case string:
		return s.Put(ctx, strings.NewReader(v), "application/octet-stream")
	case []byte:
		return s.Put(ctx, bytes.NewReader(v), "application/octet-stream")
	case map[string][]byte:
		var entries []storage.TreeEntry
		for p, b := range v {
			a, err := s.Put(ctx, bytes.NewReader(b), "application/octet-stream")
			if err != nil {
				return a, err
			}
			entries = append(entries, storage.TreeEntry{Path: p, Digest: a.Digest, Size: a.Size})
		}
		return s.PutTree(ctx, entries)
	}
	return storage.Artifact{}, errors.New("want []byte, string, map[string][]byte or storage.Artifact")
}

// File returns the bytes of an output that is a file.
func (r *Result) File(t testing.TB, name string) []byte {
	t.Helper()
	a, ok := r.Outputs[name]
	if !ok {
		t.Fatalf("no output %q (the stage ended with %v)", name, r.Err)
	}
	return r.read(t, a.Digest, a.Size)
}

// Tree returns the files of an output that is a tree.
func (r *Result) Tree(t testing.TB, name string) map[string][]byte {
	t.Helper()
	a, ok := r.Outputs[name]
	if !ok {
		t.Fatalf("no output %q (the stage ended with %v)", name, r.Err)
	}
	entries, err := r.Store.Tree(context.Background(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		files[e.Path] = r.read(t, e.Digest, e.Size)
	}
	return files
}

func (r *Result) read(t testing.TB, digest string, size int64) []byte {
	t.Helper()
	rc, err := r.Store.Get(context.Background(), digest, size)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Paths lists the files of a tree in order: a shorthand for comparisons.
func Paths(tree map[string][]byte) []string {
	return slices.Sorted(maps.Keys(tree))
}

// WriteFiles writes files below a temporary folder and returns it.
func WriteFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for p, content := range files {
		at := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
