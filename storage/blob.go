package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage/bucket"
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

// Writer is an artifact in the making: nothing is in the store before Commit.
type Writer struct {
	s     *Store
	ctx   context.Context
	media string
	scan  *bucket.Scanner
	mem   bytes.Buffer
	file  *os.File
	named bool // the file still has its name
	done  bool
}

// NewWriter starts an artifact.
func (s *Store) NewWriter(ctx context.Context, media string) *Writer {
	return &Writer{s: s, ctx: ctx, media: media, scan: bucket.NewScanner()}
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.done {
		return 0, errors.New("storage: write after the end of an artifact")
	}
	_, _ = w.scan.Write(p) // never fails
	if w.file == nil && w.mem.Len()+len(p) > spoolMemory {
		f, err := os.CreateTemp("", "sprint-artifact-*")
		if err != nil {
			return 0, fmt.Errorf("spool an artifact: %w", err)
		}
		w.file = f
		// Without a name it is gone with its process, however that ends. Where
		// an open file keeps its name Abort removes it.
		w.named = os.Remove(f.Name()) != nil
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
	var r io.ReaderAt = bytes.NewReader(w.mem.Bytes())
	if w.file != nil {
		r = w.file
	}
	c := w.scan.Content(r)
	return Artifact{Digest: c.Digest, Size: c.Size, Media: w.media}, w.s.putContent(w.ctx, c)
}

// Abort ends the writer and frees what it spooled; after Commit it does nothing.
func (w *Writer) Abort() {
	w.done = true
	if w.file != nil {
		w.file.Close()
		if w.named {
			_ = os.Remove(w.file.Name())
		}
		w.file = nil
	}
	w.mem = bytes.Buffer{}
}

// putContent uploads a blob unless a good one is there that stays.
func (s *Store) putContent(ctx context.Context, c *bucket.Content) error {
	for {
		info, err := s.has(ctx, c.Digest)
		repair := errors.Is(err, ErrCorrupt)
		var again bool
		switch {
		case err == nil && info.Size == c.Size:
			again, err = s.keep(ctx, info)
		case err != nil && !errors.Is(err, ErrNotFound) && !repair:
			return err
		default:
			if err = s.replace(ctx, c, repair); err == nil {
				again, err = s.AwaitSweep(ctx, nil)
			}
		}
		if err != nil || !again {
			return err
		}
	}
}

// replace uploads a blob and lifts the mark of a bad one.
func (s *Store) replace(ctx context.Context, c *bucket.Content, repair bool) error {
	key, err := BlobKey(c.Digest)
	if err != nil {
		return err
	}
	began := time.Now()
	err = s.Upload(ctx, key, c)
	if errors.Is(err, ErrDenied) && !repair {
		// Where nobody may overwrite, a blob that is there by now is another
		// writer's, or this one's whose reply was lost: the bytes are the same.
		if info, hasErr := s.has(ctx, c.Digest); hasErr == nil && info.Size == c.Size {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	s.watch.secure(key, began)
	if !repair {
		return nil
	}
	// On stores whose version is a digest of the content the repaired object
	// has the version of the mark: lift it.
	return s.WriteFile(ctx, quarantineKey(key), nil)
}

// Address is a URL from which whoever has it can read the blob with that digest for so
// long. It fails with errors.ErrUnsupported where the store cannot sign one.
func (s *Store) Address(ctx context.Context, digest string, valid time.Duration) (string, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return "", err
	}
	return s.Bucket.Address(ctx, key, valid)
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
