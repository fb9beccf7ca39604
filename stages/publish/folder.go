package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// modelFiles must be in every model: without them a release cannot be loaded. Those of BERT's
// vocabulary have a vocab.txt beside.
var modelFiles = []string{"config.json", "model.safetensors", "tokenizer.json"}

// folder is a release in the making.
type folder struct {
	tree    stages.TreeWriter
	entries []storage.TreeEntry
	example workedExample
	key     *signature.PrivateKey // that signed it; nil if none did
	root    string                // of what was signed
}

// folder writes the output release: a function of the inputs, the name and the
// taxonomy alone, without a clock, host or path.
func (s *stage) folder(ctx context.Context, in stages.Inputs, out stages.Outputs) (*folder, error) {
	tree, err := out.CreateTree(ctx, "release")
	if err != nil {
		return nil, err
	}
	defer tree.Abort()
	f := &folder{tree: tree}
	model, err := in.Tree(ctx, "model")
	if err != nil {
		return nil, err
	}
	if err := f.addModel(ctx, model); err != nil {
		return nil, err
	}
	texts := map[string][]byte{"taxonomy.yaml": s.env.Taxonomy.Data}
	for _, name := range []string{"thresholds", "metrics", "history"} {
		if texts[name+".json"], err = storeio.ReadFile(ctx, in, name); err != nil {
			return nil, err
		}
	}
	if f.example, err = example(ctx, in); err != nil {
		return nil, err
	}
	about := facts{example: f.example, metrics: texts["metrics.json"], thresholds: texts["thresholds.json"]}
	if about.config, err = storeio.ReadTreeFile(ctx, model, "config.json"); err != nil {
		return nil, err
	}
	if err := s.addPython(about.config, texts); err != nil {
		return nil, err
	}
	if s.o.ONNX {
		if err := s.addONNX(ctx, model, f); err != nil {
			return nil, err
		}
	}
	if _, ok := in.Artifact("vocabulary"); ok {
		if about.vocabulary, err = storeio.ReadFile(ctx, in, "vocabulary"); err != nil {
			return nil, err
		}
	}
	texts["README.md"] = []byte(card(s.o, about))
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if err := f.add(path, bytes.NewReader(texts[path])); err != nil {
			return nil, err
		}
	}
	manifest, err := s.manifest(in, f.entries)
	if err != nil {
		return nil, err
	}
	if err := f.add("manifest.json", bytes.NewReader(manifest)); err != nil {
		return nil, err
	}
	if err := s.sign(ctx, f); err != nil {
		return nil, err
	}
	return f, tree.Commit()
}

// addModel writes the files of a model, which must have those that it is loaded from.
func (f *folder) addModel(ctx context.Context, model stages.Tree) error {
	for _, want := range modelFiles {
		if !slices.ContainsFunc(model.Entries(), func(e storage.TreeEntry) bool { return e.Path == want }) {
			return stages.Fail(stages.CodePublish, "train the model again with --force=train", "publish refused: the model has no %s", want)
		}
	}
	for _, e := range model.Entries() {
		r, err := model.Open(ctx, e.Path)
		if err != nil {
			return err
		}
		err = f.add(e.Path, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// add writes one file and remembers its digest.
func (f *folder) add(path string, r io.Reader) error {
	if slices.ContainsFunc(f.entries, func(e storage.TreeEntry) bool { return e.Path == path }) {
		return fmt.Errorf("the release has two files %s", path)
	}
	w, err := f.tree.Create(path)
	if err != nil {
		return err
	}
	defer w.Abort()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), r)
	if err != nil {
		return fmt.Errorf("release file %s: %w", path, err)
	}
	f.entries = append(f.entries, storage.TreeEntry{Path: path, Digest: "sha256:" + hex.EncodeToString(h.Sum(nil)), Size: n})
	return w.Commit()
}

// manifest lists the digests of every other file and of what the release was
// made from.
func (s *stage) manifest(in stages.Inputs, entries []storage.TreeEntry) ([]byte, error) {
	type file struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	}
	files := map[string]file{}
	for _, e := range entries {
		files[e.Path] = file{strings.TrimPrefix(e.Digest, "sha256:"), e.Size}
	}
	data := map[string]string{}
	for _, name := range []string{"train", "val", "test"} {
		if a, ok := in.Artifact(name); ok {
			data[name] = a.Digest
		}
	}
	model, _ := in.Artifact("model")
	checks, _ := in.Artifact("checks")
	// plan stands for the work, not for the plan's file: comments and other
	// stages may change without a new release.
	work, err := json.Marshal(map[string]any{"name": s.o.Name, "taxonomy": digest(s.env.Taxonomy.Data), "model": model.Digest, "checks": checks.Digest, "data": data})
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(map[string]any{
		"format": 1, "name": s.o.Name, "files": files, "model": model.Digest, "checks": checks.Digest,
		"data": data, "taxonomy": digest(s.env.Taxonomy.Data), "plan": digest(work),
	}, "", "  ")
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
