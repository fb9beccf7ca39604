package wheel

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
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
)

// unpack writes the kept members of the wheel and its RECORD below out. Each must be what
// the RECORD says, and the RECORD the pinned one.
func unpack(ctx context.Context, path string, p Pin, out string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close() //nolint:errcheck // read only
	if len(z.File) > maxFiles {
		return fmt.Errorf("%d members, at most %d are accepted", len(z.File), maxFiles)
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return err
	}
	got := members{}
	left := int64(maxUnpacked)
	for _, m := range z.File {
		if strings.HasSuffix(m.Name, "/") || m.Name != p.recordPath() && !kept(m.Name, p.Keep) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !filepath.IsLocal(filepath.FromSlash(m.Name)) || strings.Contains(m.Name, `\`) || !m.Mode().IsRegular() {
			return fmt.Errorf("member %q would not stay inside the folder", m.Name)
		}
		if _, dup := got[m.Name]; dup || m.Name == noteName {
			return fmt.Errorf("member %q is there twice", m.Name)
		}
		f, err := unpackMember(m, filepath.Join(out, filepath.FromSlash(m.Name)), left)
		if err != nil {
			return fmt.Errorf("member %q: %w", m.Name, err)
		}
		left -= f.size
		got[m.Name] = f
	}
	want, err := readRecord(out, p)
	if err != nil {
		return err
	}
	if !maps.Equal(got, want) {
		return errors.New("its files are not those of its RECORD")
	}
	return nil
}

func unpackMember(m *zip.File, to string, left int64) (member, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return member{}, err
	}
	r, err := m.Open()
	if err != nil {
		return member{}, err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return member{}, err
	}
	defer w.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(r, left+1))
	if err != nil {
		return member{}, err
	}
	if n > left {
		return member{}, fmt.Errorf("unpacks to more than %d bytes", int64(maxUnpacked))
	}
	return member{sha256: hex.EncodeToString(h.Sum(nil)), size: n}, w.Close()
}

func kept(name string, prefixes []string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
