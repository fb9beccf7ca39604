// Package answers opens a published model and answers about rows:
//
//   - open.go: a reference to a model becomes a classifier
//   - answer.go: the JSON of an answer, and rows answered in batches
//   - sink.go: where answers go: JSON lines, csv, parquet
package answers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Options say which model answers, and on what.
type Options struct {
	// Ref is NAME, NAME@VERSION, NAME@ALIAS, a release folder, or a store URL of one.
	Ref      string
	Store    string // URL of the store that names are looked up in
	Device   string
	Cache    string // folder of encoders and plugins
	Offline  bool
	Strict   bool // refuse to let keywords answer for a model that cannot be loaded
	Log      *slog.Logger
	Announce func(string) // told of downloads
}

// Open opens the classifier of a reference. If the model cannot be loaded and
// Strict is not set, its keywords answer, and fallback says why. The caller calls
// done when nothing is asked any more.
func Open(ctx context.Context, o Options) (c *classify.Classifier, fallback error, done func(), err error) {
	dir, name, clean, err := fetchRelease(ctx, o)
	if err != nil {
		return nil, nil, nil, err
	}
	c, err = classify.OpenFolder(dir)
	if err != nil {
		clean()
		return nil, nil, nil, stages.Fail(stages.CodeEnvironment, "name a release that `sprint publish` made", "%w", err)
	}
	c.Name = name
	dev, err := device.Open(ctx, o.Device, device.Options{CacheDir: o.Cache, Offline: o.Offline, Log: o.Log, Announce: o.Announce})
	if err == nil {
		if err = c.Load(dir, dev); err != nil {
			dev.Close()
		}
	}
	switch {
	case err == nil:
		o.Log.Info("the model answers", "model", name, "device", dev.Name)
		return c, nil, func() { c.Close(); dev.Close(); clean() }, nil
	case errors.Is(err, encoder.ErrCorrupt):
		clean()
		return nil, nil, nil, stages.Fail(stages.CodeIntegrity, "`sprint run` publishes it anew; --model names another one", "the model %s is damaged: %w", o.Ref, err)
	case o.Strict || ctx.Err() != nil:
		clean()
		return nil, nil, nil, stages.Fail(stages.CodeEnvironment, "`sprint doctor` shows what is missing; without --strict keywords answer", "the model %s cannot be loaded: %w", o.Ref, err)
	}
	return c, err, clean, nil
}

// fetchRelease brings a release into a folder.
func fetchRelease(ctx context.Context, o Options) (dir, name string, clean func(), err error) {
	nothing, ref := func() {}, o.Ref
	// A folder that only happens to have the model's name is no release.
	if _, err := os.Stat(filepath.Join(ref, "config.json")); err == nil || strings.ContainsAny(ref, `/\`) && !strings.Contains(ref, "://") {
		return ref, filepath.Base(ref), nothing, nil
	}
	missing := func(err error) error {
		if errors.Is(err, storage.ErrDenied) {
			return fmt.Errorf("no model %s: %w", ref, err)
		}
		return stages.Fail(stages.CodeEnvironment, "`sprint run` publishes a model; --store says where it is", "no model %s: %w", ref, err)
	}
	storeURL := o.Store
	var model, version string
	if i := strings.Index(ref, "/models/"); i > 0 && strings.Contains(ref, "://") {
		storeURL = ref[:i]
		model, version, _ = strings.Cut(strings.Trim(ref[i+len("/models/"):], "/"), "/")
	} else {
		model, version, _ = strings.Cut(ref, "@")
	}
	s, err := storage.Open(ctx, storeURL, &storage.Options{Log: o.Log})
	if err != nil {
		return "", "", nil, missing(err)
	}
	defer s.Close()
	r, err := models.In(s).Release(ctx, model, version)
	if err != nil {
		return "", "", nil, missing(err)
	}
	dir, err = os.MkdirTemp("", "sprint-model-*")
	if err != nil {
		return "", "", nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) }
	if err := s.FetchTree(ctx, r.Files, dir); err != nil {
		clean()
		return "", "", nil, err
	}
	return dir, fmt.Sprintf("%s@%d", model, r.Version), clean, nil
}
