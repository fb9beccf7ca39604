package storeio

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Outputs collects the artifacts that an attempt commits. Their blobs are in
// the store, but nothing names them before the runner writes the manifest.
type Outputs struct {
	store    *storage.Store
	declared []stages.Output

	mu        sync.Mutex
	committed map[string]storage.Artifact
	open      map[string]bool
}

// NewOutputs returns Outputs for exactly the declared artifacts.
func NewOutputs(store *storage.Store, declared []stages.Output) *Outputs {
	return &Outputs{store: store, declared: declared, committed: map[string]storage.Artifact{}, open: map[string]bool{}}
}

var _ stages.Outputs = (*Outputs)(nil)

// Artifacts returns what was committed, sorted by name. It is an error if a
// declared output is missing: a stage never succeeds by half.
func (o *Outputs) Artifacts() ([]storage.Artifact, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []storage.Artifact
	var missing []string
	for _, d := range o.declared {
		a, ok := o.committed[d.Name]
		if !ok {
			missing = append(missing, d.Name)
			continue
		}
		out = append(out, a)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("the stage ended without its output %s", strings.Join(missing, ", "))
	}
	slices.SortFunc(out, func(a, b storage.Artifact) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (o *Outputs) begin(name string) (stages.Output, error) {
	i := slices.IndexFunc(o.declared, func(d stages.Output) bool { return d.Name == name })
	if i < 0 {
		return stages.Output{}, fmt.Errorf("output %q is not among those that the kind declares", name)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, done := o.committed[name]; done || o.open[name] {
		return stages.Output{}, fmt.Errorf("output %q is made a second time", name)
	}
	o.open[name] = true
	return o.declared[i], nil
}

func (o *Outputs) end(d stages.Output, a *storage.Artifact) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, d.Name)
	if a != nil {
		a.Name, a.Volatile = d.Name, d.Volatile
		o.committed[d.Name] = *a
	}
}

// Create starts an output that is a single file.
func (o *Outputs) Create(ctx context.Context, name, media string) (stages.Writer, error) {
	d, err := o.begin(name)
	if err != nil {
		return nil, err
	}
	return &writer{Writer: o.store.NewWriter(ctx, media), end: func(a *storage.Artifact) { o.end(d, a) }}, nil
}

// writer tells its owner how it ended, once.
type writer struct {
	*storage.Writer
	end  func(*storage.Artifact)
	done bool
}

func (w *writer) Commit() error {
	if w.done {
		return fmt.Errorf("an artifact is committed after its end")
	}
	w.done = true
	a, err := w.Writer.Commit()
	if err != nil {
		w.end(nil)
		return err
	}
	w.end(&a)
	return nil
}

func (w *writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.Writer.Abort()
	w.end(nil)
}

// CreateTree starts an output that is a tree of files.
func (o *Outputs) CreateTree(ctx context.Context, name string) (stages.TreeWriter, error) {
	d, err := o.begin(name)
	if err != nil {
		return nil, err
	}
	return &treeWriter{ctx: ctx, store: o.store, files: map[string]storage.TreeEntry{}, end: func(a *storage.Artifact) { o.end(d, a) }}, nil
}

type treeWriter struct {
	ctx   context.Context
	store *storage.Store
	end   func(*storage.Artifact)

	mu    sync.Mutex
	files map[string]storage.TreeEntry
	open  int
	done  bool
}

// Create starts the file of a slash-separated relative path.
func (t *treeWriter) Create(path string) (stages.Writer, error) {
	if !fs.ValidPath(path) || path == "." {
		return nil, fmt.Errorf("path %q of a tree is not a clean relative one", path)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, double := t.files[path]; double || t.done {
		return nil, fmt.Errorf("file %q of a tree is made a second time or too late", path)
	}
	t.files[path] = storage.TreeEntry{}
	t.open++
	return &writer{Writer: t.store.NewWriter(t.ctx, "application/octet-stream"), end: func(a *storage.Artifact) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.open--
		if a == nil {
			delete(t.files, path)
			return
		}
		t.files[path] = storage.TreeEntry{Path: path, Digest: a.Digest, Size: a.Size}
	}}, nil
}

func (t *treeWriter) Commit() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return fmt.Errorf("a tree is committed after its end")
	}
	if t.open > 0 {
		return fmt.Errorf("a tree is committed while %d of its files are still open", t.open)
	}
	t.done = true
	a, err := t.store.PutTree(t.ctx, slices.Collect(maps.Values(t.files)))
	if err != nil {
		t.end(nil)
		return err
	}
	t.end(&a)
	return nil
}

func (t *treeWriter) Abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return
	}
	t.done = true
	t.end(nil)
}
