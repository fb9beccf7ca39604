package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// wanted is what a reference to a release may be.
const wanted = "NAME, NAME@VERSION, NAME@ALIAS or a release folder"

// Parse parts a reference to a release of a store into the model's name and its version or
// alias, empty for the usual one. One that names no model, or nothing after its @, is a
// Failure of CodeUsage: a variable of a script was empty, and the usual release is not what
// was meant.
func Parse(ref string) (name, version string, err error) {
	name, version, cut := strings.Cut(ref, "@")
	if name == "" || cut && version == "" {
		return "", "", stages.Fail(stages.CodeUsage, "want "+wanted, "%.80q names no model", ref)
	}
	return name, version, nil
}

// Find returns the release of a store that a name and a version or alias stand for. One that
// is not there is a Failure of CodeEnvironment that names those that are, a damaged one of
// CodeIntegrity.
func Find(ctx context.Context, s *storage.Store, name, version string) (models.Release, error) {
	return find(ctx, s, strings.TrimSuffix(fmt.Sprintf("%.80s@%.80s", name, version), "@"), name, version)
}

// Absent is the failure for something of a model that its store has not, which why says.
// Every command ends with its code where it was told of what is not there.
func Absent(ctx context.Context, r models.Registry, name string, why error) error {
	return stages.Fail(stages.CodeEnvironment, Known(ctx, r, name), "%w", why)
}

// locate parts a reference into the store, and what Parse does.
func locate(ref, storeURL string) (store, name, version string, err error) {
	if i := modelsFolder(ref); i > 0 && strings.Contains(ref, "://") {
		name, version, _ = strings.Cut(strings.Trim(ref[i+len("/models/"):], "/"), "/")
		return ref[:i], name, version, nil
	}
	name, version, err = Parse(ref)
	return storeURL, name, version, err
}

// modelsFolder is where the folder of models begins in the URL of a release, the first that
// a model alone follows, or one and its version: the store may lie in another of that name.
func modelsFolder(ref string) int {
	first := strings.Index(ref, "/models/")
	for i := first; i >= 0; {
		rest := ref[i+len("/models/"):]
		if strings.Count(strings.Trim(rest, "/"), "/") < 2 {
			return i
		}
		next := strings.Index(ref[i+1:], "/models/")
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return first
}

// find is Find of a reference as the user gave it.
func find(ctx context.Context, s *storage.Store, ref, name, version string) (models.Release, error) {
	r, err := models.In(s).Release(ctx, name, version)
	switch {
	case err == nil:
		return r, nil
	case errors.Is(err, storage.ErrNotFound), !errors.As(err, new(*storage.Error)) && ctx.Err() == nil:
		if refusal := refuseFile(ref); refusal != nil {
			return r, refusal
		}
		return r, Absent(ctx, models.In(s), name, fmt.Errorf("no model %s: %w", storage.Redact(ref), err))
	}
	return r, missing(ref, err)
}

// refuseFile is the failure for a reference that is a file; nil if it is none.
func refuseFile(ref string) error {
	if info, err := os.Stat(ref); err != nil || info.IsDir() {
		return nil //nolint:nilerr // what is not there is told by whoever reads it
	}
	return stages.Fail(stages.CodeEnvironment, "`sprint models` lists the models of the store", "%s is a file; --model wants %s", ref, wanted)
}

// refuseFolder is the failure for a reference to a folder that is no release's; nil if it
// may be.
func refuseFolder(ref string) error {
	if store, name, ok := insideStore(ref); ok {
		return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("name the store, --store %s, and the release in it, %s", store, name), "%.200s is a part of a store, which has the files of a release under names of its own", ref)
	}
	if _, err := os.Stat(ref); errors.Is(err, fs.ErrNotExist) {
		return stages.Fail(stages.CodeEnvironment, "`sprint models` lists the models of the store", "no model %.200s: there is no such folder", ref)
	}
	return refuseFile(ref)
}

// insideStore says of which store and which model a folder is a part: what a run prints of
// the place of a release is one.
func insideStore(ref string) (store, name string, ok bool) {
	full, err := filepath.Abs(ref)
	if err != nil {
		return "", "", false
	}
	part := strings.TrimSuffix(filepath.ToSlash(full), "/files")
	version := ""
	if _, number := models.ParseVersion(path.Base(part)); number {
		part, version = path.Dir(part), "@"+path.Base(part)
	}
	name, part = path.Base(part), path.Dir(part)
	if path.Base(part) != "models" || !models.ValidName(name) {
		return "", "", false
	}
	store = filepath.FromSlash(path.Dir(part))
	info, err := os.Stat(filepath.Join(store, "blobs"))
	return store, name + version, err == nil && info.IsDir()
}

// missing is the failure for a release that cannot be read.
func missing(ref string, err error) error {
	ref = storage.Redact(ref)
	if errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrTransient) {
		return fmt.Errorf("no model %s: %w", ref, err)
	}
	if errors.Is(err, storage.ErrCorrupt) {
		return stages.Fail(stages.CodeIntegrity, "name another version, as NAME@1; `sprint store check` says what is damaged and what mends it", "no model %s: %w", ref, err)
	}
	return stages.Fail(stages.CodeEnvironment, "`sprint run` publishes a model; --store says where it is", "no model %s: %w", ref, err)
}
