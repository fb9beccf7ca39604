package release

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages"
)

// needed are the files that every model has: of each line, one.
var needed = [][]string{{"config.json"}, {"model.safetensors"}, {"tokenizer.json", "vocab.txt"}}

// Classifier opens the classifier of the folder, which answers by keywords until its model
// is loaded. A release that has lost a file of its model is a Failure of CodeIntegrity:
// keywords may stand in for a model that a machine cannot run, never for one that is not
// whole. One that has no model at all is made of its taxonomy's rules, and whole.
func (f *Folder) Classifier() (*classify.Classifier, error) {
	if err := f.whole(); err != nil {
		return nil, err
	}
	c, err := classify.OpenFolder(f.Dir)
	if err != nil {
		code := stages.CodeEnvironment // it may be any folder
		if f.model != "" {
			code = stages.CodeIntegrity
		}
		return nil, stages.Fail(code, "name a release that `sprint run` published", "the release %s: %w", f.Name, err)
	}
	c.Name = f.Name
	return c, nil
}

// Unreadable is the Failure of a model whose files make none; nil if err is no such error.
func Unreadable(ref string, err error) error {
	if _, ok := errors.AsType[*classify.UnreadableError](err); !ok {
		return nil
	}
	return stages.Fail(stages.CodeIntegrity, "`sprint run` publishes it anew; or name another one", "the model %s is damaged: %w", ref, err)
}

// whole is an error if the release has, or had, a model of which a file is missing.
func (f *Folder) whole() error {
	m, err := f.manifest()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.damaged(manifestFile, "%w", err)
	}
	has := func(name string) bool {
		_, err := os.Lstat(filepath.Join(f.Dir, name))
		return err == nil
	}
	listed := func(name string) bool { _, ok := m.Files[name]; return ok || has(name) }
	if m.Model == "" && !slices.ContainsFunc(encoder.FileNames(), listed) {
		return nil
	}
	for _, names := range needed {
		if !slices.ContainsFunc(names, has) {
			return f.damaged(strings.Join(names, " or "), "is missing, and no keywords answer for a model that is not whole")
		}
	}
	return nil
}
