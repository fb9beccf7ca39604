package bucket

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/sprint-ml/sprint/storage/record"
	"gocloud.dev/blob"
)

// recordLimit caps a record; manifests of 10,000 outputs stay below it.
const recordLimit = 16 << 20

// Create writes a record unless the key exists: of all callers exactly one
// gets nil, the others ErrExists. A lost reply makes no winner a loser: after
// any failure the record is read back and its nonce compared.
func (b *Bucket) Create(ctx context.Context, key string, body []byte) error {
	return b.create(ctx, key, b.o.Keys.Encode(key, body))
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
	return b.WriteFile(ctx, key, b.o.Keys.Encode(key, body))
}

// Read returns a record and the version that Swap takes. A corrupt record has a
// version as well, so that a Swap can replace it. The error of a record that no key
// of the bucket vouches for is ErrUntrusted.
func (b *Bucket) Read(ctx context.Context, key string) (body []byte, version string, err error) {
	data, version, err := b.readAll(ctx, key, recordLimit)
	if err != nil {
		return nil, "", err
	}
	o, err := record.Decode(key, data)
	return b.believe(key, version, o, err)
}

// believe returns the body of an object that was decoded, unless it is damaged or
// no key vouches for it.
func (b *Bucket) believe(key, version string, o record.Object, damage error) ([]byte, string, error) {
	if damage != nil {
		return nil, version, &Error{Op: "read", Key: key, Class: ErrCorrupt, Err: damage}
	}
	if err := b.o.Keys.Check(o); err != nil {
		return nil, version, &Error{Op: "read", Key: key, Class: ErrUntrusted, Err: err}
	}
	if b.o.Keys == nil && o.Signer != "" {
		b.unchecked.Do(func() {
			b.o.Log.Warn("the records of the store are signed, and without its key whatever stands in them is believed", "store", b.URL())
		})
	}
	return o.Body, version, nil
}

// ReadDocument returns a document, without its seal.
func (b *Bucket) ReadDocument(ctx context.Context, key string) ([]byte, error) {
	data, version, err := b.readAll(ctx, key, recordLimit)
	if err != nil {
		return nil, err
	}
	o, err := record.DecodeDocument(key, data)
	body, _, err := b.believe(key, version, o, err)
	return body, err
}

// WriteDocument stores a document in place of what is there: JSON that other
// programs read too, an object of at least one field as json.MarshalIndent writes
// it with two spaces.
func (b *Bucket) WriteDocument(ctx context.Context, key string, body []byte) error {
	return b.WriteFile(ctx, key, b.o.Keys.EncodeDocument(key, body))
}

// Swap replaces a record if it still has that version; an empty version means
// that it must not exist. Else the error is ErrStale. It returns the version
// of the new record. If the reply to the write was lost and others have
// replaced the record since, nobody can tell whether it landed: that is
// ErrStale too.
func (b *Bucket) Swap(ctx context.Context, key, version string, body []byte) (string, error) {
	return b.swap(ctx, key, version, b.o.Keys.Encode(key, body))
}

// swap is Swap of an encoded record.
func (b *Bucket) swap(ctx context.Context, key, version string, data []byte) (string, error) {
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
