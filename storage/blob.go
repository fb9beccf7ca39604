package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"gocloud.dev/blob"
)

// spoolMemory is how much of an artifact is held in memory while its digest is
// computed; beyond it the bytes go to a temporary file.
const spoolMemory = 4 << 20

// BlobKey returns the key of the blob with that digest.
func BlobKey(digest string) (string, error) {
	sum, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return "", fmt.Errorf("storage: %q is not a digest: want sha256: and 64 hex digits", digest)
	}
	return "blobs/sha256/" + sum[:2] + "/" + sum, nil
}

// Put stores what r yields and returns its artifact. Bytes that the store has
// already are not sent again, unless the stored ones were found corrupt.
func (s *Store) Put(ctx context.Context, r io.Reader, media string) (Artifact, error) {
	w := s.NewWriter(ctx, media)
	defer w.Abort()
	if _, err := io.Copy(w, r); err != nil {
		return Artifact{}, err
	}
	return w.Commit()
}

// PutFile stores a local file.
func (s *Store) PutFile(ctx context.Context, path, media string) (Artifact, error) {
	f, err := os.Open(path)
	if err != nil {
		return Artifact{}, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return Artifact{}, err
	}
	a := Artifact{Digest: "sha256:" + hex.EncodeToString(h.Sum(nil)), Size: size, Media: media}
	return a, s.putContent(ctx, a, f)
}

// Writer is an artifact in the making: nothing is in the store before Commit.
type Writer struct {
	s     *Store
	ctx   context.Context
	media string
	hash  hash.Hash
	size  int64
	mem   bytes.Buffer
	file  *os.File
	done  bool
}

// NewWriter starts an artifact.
func (s *Store) NewWriter(ctx context.Context, media string) *Writer {
	return &Writer{s: s, ctx: ctx, media: media, hash: sha256.New()}
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, errors.New("storage: write after the end of an artifact")
	}
	w.hash.Write(p)
	w.size += int64(len(p))
	if w.file == nil && w.mem.Len()+len(p) > spoolMemory {
		f, err := os.CreateTemp("", "sprint-artifact-*")
		if err != nil {
			return 0, fmt.Errorf("spool an artifact: %w", err)
		}
		w.file = f
		if _, err := f.Write(w.mem.Bytes()); err != nil {
			return 0, err
		}
		w.mem = bytes.Buffer{}
	}
	if w.file != nil {
		return w.file.Write(p)
	}
	return w.mem.Write(p)
}

// Commit stores the artifact and ends the writer.
func (w *Writer) Commit() (Artifact, error) {
	if w.done {
		return Artifact{}, errors.New("storage: commit after the end of an artifact")
	}
	defer w.Abort()
	a := Artifact{Digest: "sha256:" + hex.EncodeToString(w.hash.Sum(nil)), Size: w.size, Media: w.media}
	var content io.ReadSeeker = bytes.NewReader(w.mem.Bytes())
	if w.file != nil {
		content = w.file
	}
	return a, w.s.putContent(w.ctx, a, content)
}

// Abort ends the writer and frees what it spooled; after Commit it does nothing.
func (w *Writer) Abort() {
	w.done = true
	if w.file != nil {
		w.file.Close()
		_ = os.Remove(w.file.Name())
		w.file = nil
	}
	w.mem = bytes.Buffer{}
}

// putContent uploads a blob unless a good one is there.
func (s *Store) putContent(ctx context.Context, a Artifact, content io.ReadSeeker) error {
	size, err := s.Has(ctx, a.Digest)
	switch {
	case err == nil && size == a.Size:
		return nil
	case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt):
		return err
	}
	key, err := BlobKey(a.Digest)
	if err != nil {
		return err
	}
	return s.try(ctx, "put", key, func() error {
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return err
		}
		// A cancelled context makes Close discard the object.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{
			ContentType: "application/octet-stream",
			BufferSize:  partSize(a.Size), MaxConcurrency: 16,
		})
		if err != nil {
			return err
		}
		if n, err := io.Copy(w, content); err != nil || n != a.Size {
			cancel()
			_ = w.Close()
			if err == nil {
				err = fmt.Errorf("wrote %d bytes of %d: the file changed meanwhile", n, a.Size)
			}
			return err
		}
		return w.Close()
	})
}

// partSize keeps an upload at about 64 parts of 16 to 64 MiB.
func partSize(size int64) int {
	return int(min(max(size/64, 16<<20), 64<<20))
}

// Has returns the size of the blob with that digest. ErrNotFound means that
// there is none, ErrCorrupt that a reader found its bytes wrong.
func (s *Store) Has(ctx context.Context, digest string) (int64, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return 0, err
	}
	info, err := s.Stat(ctx, key)
	if err != nil {
		return 0, err
	}
	mark, err := s.ReadFile(ctx, quarantineKey(key), 4096)
	switch {
	case errors.Is(err, ErrNotFound):
		return info.Size, nil
	case err != nil:
		return 0, err
	case string(mark) == info.Version:
		return 0, &Error{Op: "stat", Key: key, Class: ErrCorrupt, Err: errors.New("an earlier read found its bytes wrong")}
	}
	return info.Size, nil
}

// quarantineKey is the record of a corrupt blob. It holds the version of the
// bad object, so a repaired blob needs no delete to be good again.
func quarantineKey(blobKey string) string {
	return "quarantine/" + strings.TrimPrefix(blobKey, "blobs/")
}

// Get opens the blob with that digest. The reader verifies: it returns
// ErrCorrupt in place of io.EOF if the bytes or, unless size is negative, their
// number are not those asked for.
func (s *Store) Get(ctx context.Context, digest string, size int64) (io.ReadCloser, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return nil, err
	}
	var r *blob.Reader
	err = s.try(ctx, "get", key, func() error {
		r, err = s.bucket.NewReader(ctx, key, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	v := &verifyingReader{s: s, ctx: ctx, key: key, want: digest, size: size, r: r, hash: sha256.New()}
	if size >= 0 && r.Size() != size {
		defer r.Close()
		return nil, v.corrupt(fmt.Errorf("%d bytes, want %d", r.Size(), size))
	}
	return v, nil
}

type verifyingReader struct {
	s         *Store
	ctx       context.Context
	key, want string
	size      int64
	r         *blob.Reader
	hash      hash.Hash
	n         int64
	end       error
}

func (v *verifyingReader) Read(p []byte) (int, error) {
	if v.end != nil {
		return 0, v.end
	}
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.n += int64(n)
	switch {
	case err == io.EOF:
		v.end = io.EOF
		if got := "sha256:" + hex.EncodeToString(v.hash.Sum(nil)); got != v.want {
			v.end = v.corrupt(fmt.Errorf("its bytes have digest %s, want %s", got, v.want))
		}
		return n, v.end
	case err != nil:
		v.end = v.s.wrap("get", v.key, err)
		return n, v.end
	case v.size >= 0 && v.n > v.size:
		v.end = v.corrupt(fmt.Errorf("more than the %d bytes it should have", v.size))
		return n, v.end
	}
	return n, nil
}

// corrupt marks the blob and returns the error of the read.
func (v *verifyingReader) corrupt(cause error) error {
	if info, err := v.s.Stat(v.ctx, v.key); err == nil {
		if err := v.s.WriteFile(v.ctx, quarantineKey(v.key), []byte(info.Version)); err != nil {
			v.s.log.Warn("store: could not mark a corrupt blob", "key", v.key, "error", err)
		}
	}
	return &Error{Op: "get", Key: v.key, Class: ErrCorrupt, Err: cause}
}

func (v *verifyingReader) Close() error { return v.r.Close() }
