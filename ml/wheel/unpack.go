package wheel

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Caps on what a wheel may hold. They are far above every pinned package; they
// only stop a hostile archive from filling the disk before its digest is known.
const (
	maxFiles    = 20_000
	maxUnpacked = 6 << 30
	recordName  = ".sprint-wheel.json"
)

// record is written last into an entry, and names every file's digest.
type record struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	SHA256  string          `json:"sha256"` // of the wheel
	Files   map[string]file `json:"files"`
}

type file struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// unpack writes the kept members of the wheel below out and the record last.
func unpack(ctx context.Context, path string, p Pin, out string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close() //nolint:errcheck // read only
	if len(z.File) > maxFiles {
		return fmt.Errorf("%d members, at most %d are accepted", len(z.File), maxFiles)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	rec := record{Name: p.Name, Version: p.Version, SHA256: p.SHA256, Files: map[string]file{}}
	left := int64(maxUnpacked)
	for _, m := range z.File {
		if strings.HasSuffix(m.Name, "/") || !kept(m.Name, p.Keep) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !filepath.IsLocal(filepath.FromSlash(m.Name)) || strings.Contains(m.Name, `\`) || !m.Mode().IsRegular() {
			return fmt.Errorf("member %q would not stay inside the folder", m.Name)
		}
		if _, dup := rec.Files[m.Name]; dup || m.Name == recordName {
			return fmt.Errorf("member %q is there twice", m.Name)
		}
		f, err := unpackMember(m, filepath.Join(out, filepath.FromSlash(m.Name)), left)
		if err != nil {
			return fmt.Errorf("member %q: %w", m.Name, err)
		}
		left -= f.Size
		rec.Files[m.Name] = f
	}
	if len(rec.Files) == 0 {
		return errors.New("holds none of the expected files")
	}
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, recordName), data, 0o644)
}

func unpackMember(m *zip.File, to string, left int64) (file, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return file{}, err
	}
	r, err := m.Open()
	if err != nil {
		return file{}, err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return file{}, err
	}
	defer w.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(r, left+1))
	if err != nil {
		return file{}, err
	}
	if n > left {
		return file{}, fmt.Errorf("unpacks to more than %d bytes", int64(maxUnpacked))
	}
	return file{SHA256: hex.EncodeToString(h.Sum(nil)), Size: n}, w.Close()
}

func kept(name string, prefixes []string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

func readRecord(dir string) (record, error) {
	var rec record
	data, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("%s: %w", recordName, err)
	}
	return rec, nil
}

// verify checks that dir holds the pinned wheel, byte for byte.
// A missing entry is fs.ErrNotExist.
func verify(dir string, p Pin) error {
	rec, err := readRecord(dir)
	if err != nil {
		return err
	}
	if rec.SHA256 != p.SHA256 {
		return fmt.Errorf("was unpacked from a wheel with sha256 %s", rec.SHA256)
	}
	if err := rec.checkSizes(dir); err != nil {
		return err
	}
	for name, f := range rec.Files {
		sum, err := HashFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return errors.New(err.Error()) // a lost member is damage, not absence
		}
		if sum != f.SHA256 {
			return fmt.Errorf("%s does not have the recorded sha256", name)
		}
	}
	return nil
}

// checkSizes is the cheap half of verify.
func (r record) checkSizes(dir string) error {
	for name, f := range r.Files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%s names a file outside the folder", recordName)
		}
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return errors.New(err.Error())
		}
		if info.Size() != f.Size {
			return fmt.Errorf("%s has %d bytes, recorded are %d", name, info.Size(), f.Size)
		}
	}
	return nil
}

// FileDigest is the recorded sha256 (hex) of one member of an entry that Fetch
// returned; a caller that loads the file as code compares it once more.
func FileDigest(dir, member string) (string, error) {
	rec, err := readRecord(dir)
	if err != nil {
		return "", fmt.Errorf("read the record of %s: %w", dir, err)
	}
	f, ok := rec.Files[member]
	if !ok {
		return "", fmt.Errorf("%s is not a member of %s", member, dir)
	}
	return f.SHA256, nil
}
