// Package provenance answers where artifacts come from: it finds and fetches
// the artifact that a reference names (artifact.go), follows which work made and used it
// (lineage.go), and compares two runs (compare.go). It reads what runs stored and
// needs neither plan nor runner.
package provenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Found is an artifact, or a file of a tree, that a reference names.
type Found struct {
	storage.Artifact
	Run   string `json:"run,omitempty"`
	Stage string `json:"stage,omitempty"`
	Path  string `json:"path,omitempty"` // inside a tree
	// Beside are files that are written beside those of a tree: what is signed of a release
	// and is no part of it.
	Beside map[string][]byte `json:"-"`
}

// Tree reports whether it is a set of files.
func (f Found) Tree() bool { return f.Media == storage.MediaTree }

// Base is the name under which it is written to disk, in the folder where that is done: an
// artifact that a record names otherwise has that of its digest.
func (f Found) Base() string {
	digits := strings.TrimPrefix(f.Digest, "sha256:")
	for _, name := range []string{f.Path[strings.LastIndexByte(f.Path, '/')+1:], f.Name, digits[:min(12, len(digits))]} {
		if name != "." && filepath.IsLocal(name) && !strings.ContainsAny(name, "/\\") {
			return name
		}
	}
	return "artifact"
}

func noArtifact(ref, format string, args ...any) error {
	return &diagnostic.UsageError{
		Message: fmt.Sprintf("no artifact %q: %s", ref, fmt.Sprintf(format, args...)),
		Hint:    "write STAGE.OUTPUT, RUN:STAGE.OUTPUT, MODEL@VERSION or a digest, each with /PATH for a file of a tree; `sprint artifacts ls` lists them",
	}
}

// Find finds what ref names: STAGE.OUTPUT of the newest run that has it,
// RUN:STAGE.OUTPUT, MODEL@VERSION, or a digest or the beginning of one, and
// after a slash the path of a file in a tree.
func Find(ctx context.Context, s *storage.Store, ref string) (Found, error) {
	head, path, inTree := strings.Cut(ref, "/")
	var f Found
	var err error
	stage, output, dotted := strings.Cut(head[strings.IndexByte(head, ':')+1:], ".")
	switch model, version, at := strings.Cut(head, "@"); {
	case at:
		f, err = findRelease(ctx, s, ref, model, version)
	case isHex(strings.TrimPrefix(head, "sha256:")):
		f, err = findDigest(ctx, s, ref, strings.TrimPrefix(head, "sha256:"))
	case dotted:
		run, _, named := strings.Cut(head, ":")
		if !named {
			run = ""
		}
		f, err = findOutput(ctx, s, ref, run, stage, output)
	default:
		err = noArtifact(ref, "that is neither a stage's output nor a digest")
	}
	if err != nil || !inTree {
		return f, err
	}
	if !f.Tree() || !fs.ValidPath(path) {
		return f, noArtifact(ref, "%s is no tree", head)
	}
	entries, err := s.Tree(ctx, f.Digest)
	if err != nil {
		return f, err
	}
	i := slices.IndexFunc(entries, func(e storage.TreeEntry) bool { return e.Path == path })
	if i < 0 {
		return f, noArtifact(ref, "%s has no file %s", head, path)
	}
	f.Beside = nil
	f.Digest, f.Size, f.Media, f.Path = entries[i].Digest, entries[i].Size, "", path
	return f, nil
}

func isHex(s string) bool {
	return len(s) >= 6 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func findRelease(ctx context.Context, s *storage.Store, ref, model, version string) (Found, error) {
	if !models.ValidName(model) || !models.ValidName(version) {
		return Found{}, noArtifact(ref, "%s@%s is no release", model, version)
	}
	r, err := models.In(s).Release(ctx, model, version)
	if errors.Is(err, storage.ErrNotFound) {
		return Found{}, stages.Fail(stages.CodeEnvironment, "`sprint models` lists those that there are", "no artifact %.200q: the store has no such release", ref)
	}
	if err != nil {
		return Found{}, err
	}
	f := Found{Artifact: storage.Artifact{Name: fmt.Sprintf("%s-%d", r.Name, r.Version), Digest: r.Digest, Media: storage.MediaTree}}
	if said := r.Facts().Provenance; len(said) > 0 {
		f.Beside = map[string][]byte{signature.RunFile: said}
	}
	f.Size, err = s.Has(ctx, r.Digest)
	return f, err
}

func findDigest(ctx context.Context, s *storage.Store, ref, hexes string) (Found, error) {
	var found []storage.Info
	for info, err := range s.List(ctx, "blobs/sha256/"+hexes[:2]+"/"+hexes) {
		if err != nil {
			return Found{}, err
		}
		if found = append(found, info); len(found) > 1 {
			return Found{}, noArtifact(ref, "several digests begin so")
		}
	}
	if len(found) == 0 {
		return Found{}, noArtifact(ref, "the store has no blob of that digest")
	}
	digest := "sha256:" + found[0].Key[strings.LastIndexByte(found[0].Key, '/')+1:]
	f := Found{Artifact: storage.Artifact{Digest: digest, Size: found[0].Size}}
	for m, err := range s.History(ctx, "") {
		if err != nil {
			return f, err
		}
		for _, a := range m.Outputs {
			if a.Digest == digest {
				return Found{Artifact: a, Run: m.Run, Stage: m.Stage}, nil
			}
		}
	}
	return f, nil
}

func findOutput(ctx context.Context, s *storage.Store, ref, run, stage, output string) (Found, error) {
	ids := []string{run}
	if run == "" {
		var err error
		if ids, err = runs.List(ctx, s, 1000); err != nil {
			return Found{}, err
		}
	} else if !runs.ValidID(run) {
		return Found{}, noArtifact(ref, "%s is no run", run)
	}
	names := map[string]bool{}
	for _, id := range ids {
		r, err := runs.LoadRecord(ctx, s, id)
		if storage.MissingOrDamaged(err) {
			continue
		}
		if err != nil {
			return Found{}, err
		}
		for _, st := range r.Stages {
			if _, ok := st.Outputs[output]; ok && st.Name == stage {
				made, err := OutputsOf(ctx, s, id, st)
				return made[output], err
			}
			for name := range st.Outputs {
				names[st.Name+"."+name] = true
			}
		}
	}
	hint := ""
	if best := diagnostic.Suggest(stage+"."+output, slices.Sorted(maps.Keys(names))); best != "" {
		hint = "; " + best
	}
	return Found{}, noArtifact(ref, "no run that ended has it%s", hint)
}

// OutputsOf returns what a stage of a run made, by name. Media types are known as long
// as its manifest is there.
func OutputsOf(ctx context.Context, s *storage.Store, run string, st runs.StageResult) (map[string]Found, error) {
	m, err := s.Manifest(ctx, st.Kind, st.Key)
	if err != nil && !storage.MissingOrDamaged(err) {
		return nil, err
	}
	out := map[string]Found{}
	for name, o := range st.Outputs {
		made, _ := m.Output(name)
		out[name] = Found{Artifact: storage.Artifact{Name: name, Digest: o.Digest, Size: o.Size, Media: made.Media, Volatile: o.Volatile}, Run: run, Stage: st.Name}
	}
	return out, nil
}

// Fetch writes an artifact to a file, or a tree to a folder, verified: beside its
// place first, then moved there whole. It returns the number of files. Nothing may
// be at dest.
func Fetch(ctx context.Context, s *storage.Store, f Found, dest string) (files int, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(dest), ".sprint-get-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	part := filepath.Join(dir, "part")
	files = 1
	if f.Tree() {
		entries, err := s.Tree(ctx, f.Digest)
		if err != nil {
			return 0, err
		}
		files = len(entries)
		if err := os.Mkdir(part, 0o755); err != nil {
			return 0, err
		}
		if err := s.FetchTree(ctx, entries, part); err != nil {
			return 0, err
		}
		for name, data := range f.Beside {
			if err := os.WriteFile(filepath.Join(part, name), data, 0o644); err != nil {
				return 0, err
			}
		}
	} else if err := fetchFile(ctx, s, f, part); err != nil {
		return 0, err
	}
	return files, os.Rename(part, dest)
}

func fetchFile(ctx context.Context, s *storage.Store, f Found, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	err = s.FetchFile(ctx, f.Digest, f.Size, out)
	return errors.Join(err, out.Close())
}
