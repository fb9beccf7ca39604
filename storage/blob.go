package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
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
	a := Artifact{Digest: digestOf(h), Size: size, Media: media}
	if err := s.putContent(ctx, a, f); err != nil {
		return Artifact{}, fmt.Errorf("store %s: %w", path, err)
	}
	return a, nil
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
	a := Artifact{Digest: digestOf(w.hash), Size: w.size, Media: w.media}
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

// putContent uploads a blob unless a good one is there that stays.
func (s *Store) putContent(ctx context.Context, a Artifact, content io.ReadSeeker) error {
	for {
		info, err := s.has(ctx, a.Digest)
		repair := errors.Is(err, ErrCorrupt)
		var swept bool
		switch {
		case err == nil && info.Size == a.Size:
			swept, err = s.rely(ctx, info)
		case err != nil && !errors.Is(err, ErrNotFound) && !repair:
			return err
		default:
			if err = s.replace(ctx, a, content, repair); err == nil {
				swept, err = s.AwaitSweep(ctx, nil)
			}
		}
		if err != nil || !swept {
			return err
		}
	}
}

// replace uploads a blob and lifts the mark of a bad one.
func (s *Store) replace(ctx context.Context, a Artifact, content io.ReadSeeker, repair bool) error {
	key, err := BlobKey(a.Digest)
	if err != nil {
		return err
	}
	if err := s.upload(ctx, key, a, content); err != nil || !repair {
		return err
	}
	// On stores whose version is a digest of the content the repaired object
	// has the version of the mark: lift it.
	return s.WriteFile(ctx, quarantineKey(key), nil)
}

// upload writes a blob and refuses bytes that are not those of its digest.
func (s *Store) upload(ctx context.Context, key string, a Artifact, content io.ReadSeeker) error {
	return s.try(ctx, "put", key, func() error {
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return err
		}
		// A cancelled context makes Close discard the object.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{
			ContentType: "application/octet-stream",
			BufferSize:  partSize(a.Size), MaxConcurrency: uploadMemory / partSize(a.Size),
		})
		if err != nil {
			return err
		}
		h := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, h), content)
		if got := digestOf(h); err == nil && got != a.Digest {
			err = &Error{Op: "put", Key: key, Class: ErrStale, Err: fmt.Errorf("the file was written to while it was stored: %d bytes with digest %s, before %d with %s", n, got, a.Size, a.Digest)}
		}
		if err != nil {
			cancel()
			_ = w.Close()
			return err
		}
		return w.Close()
	})
}

// uploadMemory bounds what the parts in flight of one upload hold.
const uploadMemory = 256 << 20

// partSize keeps an upload at about 64 parts of 16 to 64 MiB. A small artifact
// needs no more than itself: clients allocate a whole part up front.
func partSize(size int64) int {
	if size < 16<<20 {
		return int(max(size+1, 5<<20))
	}
	return int(min(max(size/64, 16<<20), 64<<20))
}

// Has returns the size of the blob with that digest. ErrNotFound means that
// there is none, ErrCorrupt that a reader found its bytes wrong.
func (s *Store) Has(ctx context.Context, digest string) (int64, error) {
	info, err := s.has(ctx, digest)
	if err != nil {
		return 0, err
	}
	return info.Size, nil
}

func (s *Store) has(ctx context.Context, digest string) (Info, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return Info{}, err
	}
	info, err := s.Stat(ctx, key)
	if err != nil {
		return Info{}, err
	}
	mark, err := s.ReadFile(ctx, quarantineKey(key), 4096)
	switch {
	case errors.Is(err, ErrNotFound):
		return info, nil
	case err != nil:
		return Info{}, err
	case string(mark) == info.Version:
		return Info{}, &Error{Op: "stat", Key: key, Class: ErrCorrupt, Err: errors.New("an earlier read found its bytes wrong")}
	}
	return info, nil
}

// quarantineKey is the record of a corrupt blob. It holds the version of the
// bad object, so a repaired blob needs no delete to be good again.
func quarantineKey(blobKey string) string {
	return "quarantine/" + strings.TrimPrefix(blobKey, "blobs/")
}
