package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
)

// manifestFile has the digest of every other file of a release.
const manifestFile = "manifest.json"

// manifest is what is read of manifestFile.
type manifest struct {
	Format int    `json:"format"`
	Model  string `json:"model"` // digest of the model that was published; empty if there was none
	Files  map[string]struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"files"`
}

// verify compares a folder with its manifest: no file is missing or other than published, and
// none is there beside them that would be read. Every byte is read once. A folder without a
// manifest is used unchecked, and the log says so; strict refuses it.
func (f *Folder) verify(ctx context.Context, strict bool, log *slog.Logger) error {
	if _, err := os.Stat(f.Dir); err != nil {
		return nil //nolint:nilerr // what is not there is told by whoever reads it
	}
	m, err := f.manifest()
	if errors.Is(err, fs.ErrNotExist) {
		if strict {
			return stages.Fail(stages.CodeIntegrity, "`sprint artifacts get NAME@VERSION FOLDER` writes it; without --strict the folder is used unchecked",
				"the release folder %s has no %s, so nobody knows if it is whole", f.Dir, manifestFile)
		}
		log.Warn("the model's folder is used unchecked", "folder", f.Dir, "reason", "it has no "+manifestFile)
		return nil
	}
	if err != nil {
		return f.damaged(manifestFile, "%w", err)
	}
	for _, name := range slices.Concat(encoder.FileNames(), []string{"taxonomy.yaml", "thresholds.json"}) {
		if _, listed := m.Files[name]; listed {
			continue
		}
		if _, err := os.Lstat(filepath.Join(f.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return f.damaged(name, "is there, and not in %s", manifestFile)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if err := f.compare(ctx, name, m.Files[name].SHA256, m.Files[name].Size); err != nil {
			return err
		}
	}
	return nil
}

// Unchanged is an error if a file that was compared with the manifest is not the same one any
// more, or if one came beside those that were signed. Whoever read the folder asks before using
// what was read: it is then what was compared.
func (f *Folder) Unchanged() error {
	for _, name := range slices.Sorted(maps.Keys(f.seen)) {
		now, err := os.Stat(filepath.Join(f.Dir, filepath.FromSlash(name)))
		if err != nil {
			return f.damaged(name, "%w", err)
		}
		before := f.seen[name]
		was, _ := ownership.IdentityOf(before)
		is, _ := ownership.IdentityOf(now)
		if !os.SameFile(before, now) || is != was || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()) {
			return f.damaged(name, "changed while it was read")
		}
	}
	if f.signed == nil {
		return nil
	}
	paths, err := f.list()
	for _, path := range paths {
		if _, ok := f.signed[path]; !ok {
			return f.damaged(path, "came while the signed files were read")
		}
	}
	return err
}

func (f *Folder) manifest() (m manifest, err error) {
	data, err := plainfile.Read(filepath.Join(f.Dir, manifestFile), maxFile)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, err
	}
	if m.Format != 1 || len(m.Files) == 0 {
		return m, fmt.Errorf("is no list of a release's files, or of format %d; this sprint reads 1", m.Format)
	}
	for name := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return m, fmt.Errorf("names %q, which is outside the folder", name)
		}
		if strings.ContainsFunc(name, unicode.IsControl) { // a message that names it would be more than a line
			return m, fmt.Errorf("names %q, which no file of a release is called", name)
		}
	}
	return m, nil
}

// compare reads a file, which must have the digest.
func (f *Folder) compare(ctx context.Context, name, digest string, size int64) error {
	info, err := f.hash(ctx, name, size)
	switch {
	case err != nil:
		return err
	case info.Size() != size:
		return f.damaged(name, "has %d bytes, published were %d", info.Size(), size)
	case f.read[name] != "sha256:"+digest:
		return f.damaged(name, "does not have the sha256 of %s", manifestFile)
	}
	return nil
}

// hash reads a file and remembers its digest, and what it was then. One that has another
// size than the wanted one, if that is not negative, is not read.
func (f *Folder) hash(ctx context.Context, name string, size int64) (fs.FileInfo, error) {
	file, err := plainfile.Open(filepath.Join(f.Dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, f.damaged(name, "%w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, f.damaged(name, "%w", err)
	}
	if size >= 0 && info.Size() != size {
		return info, nil
	}
	const chunk = 16 << 20 // between looks at the context
	h := sha256.New()
	for err == nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		_, err = io.CopyN(h, file, chunk)
	}
	if !errors.Is(err, io.EOF) {
		return nil, f.damaged(name, "%w", err)
	}
	f.seen[name], f.read[name] = info, "sha256:"+hex.EncodeToString(h.Sum(nil))
	return info, nil
}

func (f *Folder) damaged(name, format string, args ...any) error {
	if f.model != "" {
		return stages.Fail(stages.CodeIntegrity, "`sprint run` publishes it anew; or name another one",
			"the release %s of digest %s is damaged: %s: %w", f.Name, f.digest, name, fmt.Errorf(format, args...))
	}
	return stages.Fail(stages.CodeIntegrity, "`sprint artifacts get NAME@VERSION FOLDER` fetches the release again",
		"the release folder %s is damaged: %s: %w", f.Dir, name, fmt.Errorf(format, args...))
}
