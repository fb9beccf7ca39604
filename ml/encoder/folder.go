package encoder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/wheel"
)

// FileNames are the files that make an encoder, and the only ones that are
// hashed or fetched: a folder's README may change without changing the encoder.
func FileNames() []string {
	return []string{configFile, weightsFile, tokenizerFile, vocabFile, settingsFile, promptsFile}
}

func resolveFolder(ref string) (ID, error) {
	path, err := filepath.Abs(ref)
	if err != nil {
		return ID{}, &FetchError{Ref: ref, Message: "not a usable path", Err: err}
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return ID{}, &UnknownError{Ref: ref, Hint: path + " is not a folder"}
	}
	sums, err := hashFolder(path)
	if err != nil {
		return ID{}, &FetchError{Ref: ref, Message: "cannot be read", Err: err}
	}
	return ID{Ref: ref, Name: filepath.Base(path), Digest: digestOf(sums), Source: fromFolder, Path: path}, nil
}

// hashFolder gives the sha256 of each encoder file that is there. config.json,
// the weights and one of the two tokenizer files must be.
func hashFolder(dir string) (map[string]string, error) {
	sums := map[string]string{}
	for _, name := range FileNames() {
		sum, err := wheel.HashFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sums[name] = sum
	}
	if prompt, err := readPrompt(dir); err == nil && prompt == "" {
		delete(sums, promptsFile) // a file that says nothing makes no other encoder
	}
	return sums, complete(sums, dir)
}

// complete checks that a set of files makes an encoder.
func complete[V any](files map[string]V, where string) error {
	has := func(name string) bool { _, ok := files[name]; return ok }
	switch {
	case !has(configFile):
		return fmt.Errorf("%s holds no %s", where, configFile)
	case !has(weightsFile):
		return fmt.Errorf("%s holds no %s (only safetensors in one file are read)", where, weightsFile)
	case !has(tokenizerFile) && !has(vocabFile):
		return fmt.Errorf("%s holds neither %s nor %s", where, tokenizerFile, vocabFile)
	}
	return nil
}

// digestOf is sha256 over the lines "name digest", sorted.
func digestOf(sums map[string]string) string {
	var lines []string
	for name, sum := range sums {
		lines = append(lines, name+" "+sum+"\n")
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// resolveStore copies the files behind a store URL into the cache, under the
// digest of their content, so that it can be known.
func resolveStore(ctx context.Context, ref string, o Options) (ID, error) {
	if o.OpenURL == nil {
		return ID{}, &UnknownError{Ref: ref, Hint: "store URLs cannot be opened here"}
	}
	if o.Offline && !strings.HasPrefix(ref, "file://") {
		return ID{}, &FetchError{Ref: ref, Message: "--offline forbids opening it", Hint: "copy it to a folder and name that"}
	}
	files, err := o.OpenURL(ctx, ref)
	if err != nil {
		return ID{}, &FetchError{Ref: ref, Message: "cannot be opened", Err: err}
	}
	if err := complete(files, ref); err != nil {
		return ID{}, &FetchError{Ref: ref, Message: "is not an encoder", Err: err}
	}
	root := filepath.Join(o.CacheDir, "stores")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return ID{}, fmt.Errorf("create the cache folder: %w", err)
	}
	tmp, err := os.MkdirTemp(root, ".fetch-*")
	if err != nil {
		return ID{}, fmt.Errorf("create a folder for the download: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // empty after the rename
	if o.Announce != nil {
		o.Announce(fmt.Sprintf("copying encoder %s, kept in %s", ref, root))
	}
	for _, name := range FileNames() {
		open, ok := files[name]
		if !ok {
			continue
		}
		if err := copyFile(ctx, filepath.Join(tmp, name), open); err != nil {
			if ctx.Err() != nil {
				return ID{}, ctx.Err()
			}
			return ID{}, &FetchError{Ref: ref, Message: "cannot copy " + name, Err: err}
		}
	}
	sums, err := hashFolder(tmp)
	if err != nil {
		return ID{}, &FetchError{Ref: ref, Message: "cannot be read back", Err: err}
	}
	digest := digestOf(sums)
	dir := filepath.Join(root, strings.TrimPrefix(digest, "sha256:"))
	if had, err := hashFolder(dir); err != nil || digestOf(had) != digest {
		if err := os.RemoveAll(dir); err != nil {
			return ID{}, fmt.Errorf("remove a damaged cache entry: %w", err)
		}
		if err := os.Rename(tmp, dir); err != nil && !sameContent(dir, digest) {
			return ID{}, fmt.Errorf("commit the cache entry: %w", err)
		}
	}
	return ID{Ref: ref, Name: filepath.Base(strings.TrimRight(ref, "/")), Digest: digest, Source: fromStore, Path: dir}, nil
}

// sameContent tells a lost race, which is a success, from a failed rename.
func sameContent(dir, digest string) bool {
	sums, err := hashFolder(dir)
	return err == nil && digestOf(sums) == digest
}

func copyFile(ctx context.Context, to string, open func(context.Context) (io.ReadCloser, error)) error {
	r, err := open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return w.Close()
}
