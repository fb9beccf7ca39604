package bucket

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gocloud.dev/blob"
)

// recordLimit caps a record; manifests of 10,000 outputs stay below it.
const recordLimit = 16 << 20

// recordHeader is the first line of every record. The digest finds a flipped
// bit and a record that lies under the key of another; the nonce tells a writer
// its own record from another one's.
type recordHeader struct {
	Sprint int    `json:"sprint"` // format of the header
	SHA256 string `json:"sha256"` // of key, nonce and body, each but the last ended by a newline
	Nonce  string `json:"nonce"`
}

// recordFormat is the one that is written. In format 1, which is still read, the
// digest was of the body alone.
const recordFormat = 2

// NewNonce returns 32 random hex digits, which name what nobody else has.
func NewNonce() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	return hex.EncodeToString(random[:])
}

func encodeRecord(key string, body []byte, nonce string) []byte {
	head, _ := json.Marshal(recordHeader{recordFormat, recordDigest(key, body, nonce), nonce}) // plain strings cannot fail
	return slices.Concat(head, []byte{'\n'}, body)
}

func recordDigest(key string, body []byte, nonce string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", key, nonce)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// DecodeStrict decodes JSON that has no other fields than into.
func DecodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// decodeRecord verifies the record under a key and returns its body and nonce.
func decodeRecord(key string, data []byte) (body []byte, nonce string, err error) {
	line, body, ok := bytes.Cut(data, []byte{'\n'})
	if !ok {
		return nil, "", errors.New("a record without a header line")
	}
	var h recordHeader
	if err := DecodeStrict(line, &h); err != nil {
		return nil, "", fmt.Errorf("header of the record: %w", err)
	}
	switch h.Sprint {
	case recordFormat:
		if want := recordDigest(key, body, h.Nonce); want != h.SHA256 {
			return nil, "", fmt.Errorf("its bytes are not those that were written, or it is the record of another key: its digest is %s, its header says %s", want, h.SHA256)
		}
		if !bytes.Equal(data, encodeRecord(key, body, h.Nonce)) {
			return nil, "", errors.New("its header is not as it was written")
		}
	case 1:
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != h.SHA256 {
			return nil, "", fmt.Errorf("the record's digest is %x, its header says %s", sum, h.SHA256)
		}
	default:
		return nil, "", fmt.Errorf("a record of format %d; this sprint reads formats 1 and %d", h.Sprint, recordFormat)
	}
	return body, h.Nonce, nil
}

// Create writes a record unless the key exists: of all callers exactly one
// gets nil, the others ErrExists. A lost reply makes no winner a loser: after
// any failure the record is read back and its nonce compared.
func (b *Bucket) Create(ctx context.Context, key string, body []byte) error {
	return b.create(ctx, key, encodeRecord(key, body, NewNonce()))
}

// create is Create of an encoded record, whose nonce no other record has.
func (b *Bucket) create(ctx context.Context, key string, data []byte) error {
	err := b.try(ctx, "create", key, func() error {
		if b.driver.serial {
			b.serial.Lock()
			defer b.serial.Unlock()
		}
		return b.blobs.WriteAll(ctx, key, data, &blob.WriterOptions{IfNotExist: true})
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	// A server may deny an overwrite before it looks at the condition, so a denied
	// create looks as well whether the key is taken.
	denied := errors.Is(err, ErrDenied)
	if nothingWritten(err) && !denied {
		return err
	}
	there, _, readErr := b.readAll(ctx, key, recordLimit)
	switch {
	case readErr == nil && bytes.Equal(there, data):
		return nil
	case readErr == nil:
		return &Error{Op: "create", Key: key, Class: ErrExists}
	case denied:
		return err
	case errors.Is(readErr, ErrCorrupt), errors.Is(err, ErrExists) && !errors.Is(readErr, ErrNotFound):
		// What exists may be this very record, after a lost reply: nobody knows.
		return readErr
	}
	return err
}

// nothingWritten reports whether an error says that nothing was written.
func nothingWritten(err error) bool {
	return errors.Is(err, ErrDenied) || errors.Is(err, ErrFull) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrObstructed)
}

// WriteRecord stores a record in place of what is there; the last writer wins.
func (b *Bucket) WriteRecord(ctx context.Context, key string, body []byte) error {
	return b.WriteFile(ctx, key, encodeRecord(key, body, NewNonce()))
}

// Read returns a record and the version that Swap takes. A corrupt record has a
// version as well, so that a Swap can replace it.
func (b *Bucket) Read(ctx context.Context, key string) (body []byte, version string, err error) {
	data, version, err := b.readAll(ctx, key, recordLimit)
	if err != nil {
		return nil, "", err
	}
	body, _, err = decodeRecord(key, data)
	if err != nil {
		return nil, version, &Error{Op: "read", Key: key, Class: ErrCorrupt, Err: err}
	}
	return body, version, nil
}

// Swap replaces a record if it still has that version; an empty version means
// that it must not exist. Else the error is ErrStale. It returns the version
// of the new record. If the reply to the write was lost and others have
// replaced the record since, nobody can tell whether it landed: that is
// ErrStale too.
func (b *Bucket) Swap(ctx context.Context, key, version string, body []byte) (string, error) {
	data := encodeRecord(key, body, NewNonce())
	var err error
	if version == "" {
		err = b.create(ctx, key, data)
	} else {
		err = b.try(ctx, "swap", key, func() error { return b.swapOnce(ctx, key, version, data) })
	}
	stale := &Error{Op: "swap", Key: key, Class: ErrStale}
	switch {
	case err == nil:
	case ctx.Err() != nil, nothingWritten(err):
		return "", err
	case version == "" && errors.Is(err, ErrExists):
		return "", stale
	case version == "":
		return "", err
	}
	// Read back in every case: the new version is needed, and a failed write
	// may have landed.
	there, now, readErr := b.readAll(ctx, key, recordLimit)
	switch {
	case readErr == nil && bytes.Equal(there, data):
		return now, nil
	case err == nil && readErr == nil:
		// It landed and was replaced since. Its version is past: any that no
		// record will have again says so to the next Swap.
		return cmp.Or(version, "1"), nil // no ETag, no generation and no file has "1"
	case err == nil:
		return "", readErr
	case readErr == nil, errors.Is(readErr, ErrNotFound):
		if errors.Is(err, ErrTransient) {
			return "", err
		}
		return "", stale
	}
	return "", readErr
}

func (b *Bucket) swapOnce(ctx context.Context, key, version string, data []byte) error {
	if b.driver.serial {
		b.serial.Lock()
		defer b.serial.Unlock()
		now, err := b.blobs.ReadAll(ctx, key)
		if err != nil {
			return err
		}
		if serialVersion(now) != version {
			return &Error{Op: "swap", Key: key, Class: ErrStale}
		}
		return b.blobs.WriteAll(ctx, key, data, nil)
	}
	return b.blobs.WriteAll(ctx, key, data, &blob.WriterOptions{
		BeforeWrite: func(as func(any) bool) error { return b.driver.condition(as, version) },
	})
}

// serialVersion names a record of a driver that has no versions of its own; the
// nonce makes every record's bytes unique.
func serialVersion(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
