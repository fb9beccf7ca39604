// Package answers opens a published model and answers about rows:
//
//   - open.go: a reference to a model becomes a classifier
//   - backend.go: its model goes into ONNX Runtime, or on a device
//   - source.go: an input of rows, local or of a store
//   - answer.go: the JSON of an answer, and rows answered in batches
//   - sink.go, parquet_sink.go: JSON lines, csv, parquet
//   - file.go: a file of answers that is whole or not there, and is continued
//   - journal.go: what of a Parquet file is answered and not written yet
package answers

import (
	"context"
	"errors"
	"log/slog"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/ml/wheel"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Options say which model answers, and on what.
type Options struct {
	// Ref is NAME, NAME@VERSION, NAME@ALIAS, a release folder, or a store URL of one.
	Ref string
	// Release, where it is given, is the one of the store that answers, by its name, version
	// and digest: Ref might also be a folder here, and then only says what is meant.
	Release *models.Release
	Store   string           // URL of the store that names are looked up in
	Keys    *storage.Keyring // that vouch for what a store says; nil believes it
	// Trust are the keys of which one must have signed the model; nil demands none.
	Trust    *signature.Trust
	Device   string // auto takes what is there; one that is named must be there
	Backend  string // release.BackendDevice, which empty is too, or release.BackendONNX
	Cache    string // folder of encoders and plugins
	Offline  bool
	Strict   bool // refuse to let keywords answer for a model that cannot be loaded, and a folder without manifest
	Log      *slog.Logger
	Announce func(string) // told of downloads
	// Opened, where it is given, is told of the release's folder before its model is loaded.
	Opened func(*release.Folder)
}

// Open opens the classifier of a reference. If this machine cannot run the model and
// Strict is not set, its keywords answer, and fallback says why; never for a device that
// was named and is not there. The caller calls
// done when nothing is asked any more.
func Open(ctx context.Context, o Options) (c *classify.Classifier, fallback error, done func(), err error) {
	folder, err := openFolder(ctx, o)
	if err != nil {
		return nil, nil, nil, err
	}
	if o.Trust != nil {
		if _, err := folder.CheckSignature(ctx, o.Trust); err != nil {
			folder.Close()
			return nil, nil, nil, err
		}
	}
	c, err = folder.Classifier()
	if err != nil {
		folder.Close()
		return nil, nil, nil, err
	}
	if o.Opened != nil {
		o.Opened(folder)
	}
	where, unload, err := load(ctx, c, folder.Dir, o)
	done = func() { c.Close(); unload(); folder.Close() }
	refusal := folder.Unchanged()
	if refusal == nil && err != nil {
		refusal = refuse(ctx, err, o)
	}
	if refusal != nil {
		done()
		return nil, nil, nil, refusal
	}
	if err == nil {
		o.Log.Info("the model answers", "model", folder.Name, "device", where)
	}
	return c, err, done, nil
}

func openFolder(ctx context.Context, o Options) (*release.Folder, error) {
	about := &storage.Options{Log: o.Log, Keys: o.Keys}
	if o.Release != nil {
		return release.OpenStored(ctx, *o.Release, o.Store, about)
	}
	return release.OpenFolder(ctx, o.Ref, o.Store, o.Strict, about)
}

// refuse is why no keywords may answer for a model that was not loaded; nil if they may.
func refuse(ctx context.Context, err error, o Options) error {
	if damaged := release.Unreadable(o.Ref, err); damaged != nil {
		return damaged
	}
	switch {
	case errors.Is(err, wheel.ErrCorrupt), errors.Is(err, device.ErrCorruptPlugin):
		return stages.Fail(stages.CodeIntegrity, "remove the damaged plugin; --device names another device", "the model %s cannot be loaded: %w", o.Ref, err)
	case errors.Is(err, ownership.ErrShared):
		return stages.Fail(stages.CodeEnvironment, "", "the model %s cannot be loaded: %w", o.Ref, err)
	case errors.As(err, new(noDeviceError)):
		return stages.Fail(stages.CodeEnvironment, "--device auto takes what this machine has; `sprint doctor` shows it", "the model %s cannot be loaded: %w", o.Ref, err)
	case errors.As(err, new(noBackendError)):
		return stages.Fail(stages.CodeEnvironment, "without --backend a device computes", "the model %s cannot be loaded: %w", o.Ref, err)
	case o.Strict || ctx.Err() != nil:
		return stages.Fail(stages.CodeEnvironment, "`sprint doctor` shows what is missing; without --strict keywords answer", "the model %s cannot be loaded: %w", o.Ref, err)
	}
	return nil
}
