// Package embeddings keeps the vectors of texts in the store, so that no stage, run or
// machine of one kind computes one twice: label, train and verify share them, and a run
// after one more row embeds that row.
//
// They are a cache and never change a result. A vector is a function of three things:
// the encoder with its pooling (bert.Model.EmbedderDigest), the text's token ids, in which
// prompt, length and fields are, and the device (device.Device.Fingerprint). All three are
// in the place where it is kept, so what is read is byte for byte what would be computed;
// whatever is missing, damaged or unreadable is computed. That is why no vector enters a
// key, and why the device need not: a key names the encoder, and another device has a place
// of its own.
//
// space.go finds and computes vectors, segment.go is the format of a kept file. Kinds import
// this package; it imports no kind.
package embeddings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/storage"
)

// Prefix is where a store keeps the records of embeddings:
// embeddings/SPACE/DIGEST OF THE BLOB.
const Prefix = "embeddings/"

// NoteName is the note of a manifest that names the space that its stage used, and
// HeadsNoteName that of the heads from which a model was tuned, where a stage used both. A
// space is kept as long as a kept run's manifest names it.
const (
	NoteName      = "embeddings"
	HeadsNoteName = "heads_embeddings"
)

// Note is what a stage notes of its embeddings.
type Note struct {
	Space    string `json:"space"`
	Texts    int    `json:"texts"`    // distinct ones
	Computed int    `json:"computed"` // of them, in this attempt
}

// record tells of one segment of a space.
type record struct {
	Format int    `json:"format"`
	Blob   string `json:"blob"` // digest
	Size   int64  `json:"size"`
	Rows   int    `json:"rows"`
	Hidden int    `json:"hidden"`
	// What made it, for people; the space's name holds it all.
	Encoder string `json:"encoder"`
	Pooling string `json:"pooling"`
	Device  string `json:"device"`
}

const recordFormat = 1

// spaceName is the name of the space of an encoder on a device; empty if the device's
// results cannot be told from those of others.
func spaceName(encoder string, dev *device.Device) string {
	print := dev.Fingerprint()
	if print == "" {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s\n", recordFormat, encoder, print))
	return hex.EncodeToString(sum[:])
}

// textKey is the name of a text in its space.
type textKey [sha256.Size]byte

func keyOf(t bert.Text) textKey {
	b := make([]byte, 0, 8*len(t.IDs)+1)
	for i, id := range t.IDs {
		kind := int32(0)
		if i < len(t.Types) {
			kind = t.Types[i]
		}
		b = fmt.Appendf(b, "%d %d\n", id, kind)
	}
	return sha256.Sum256(b)
}

// readRecord reads the record of a segment. What cannot be one is storage.ErrCorrupt;
// version is then what a new one replaces.
func readRecord(ctx context.Context, store *storage.Store, key string) (r record, version string, err error) {
	return storage.ReadAs(ctx, store, "read embeddings", key, func(body []byte, r *record) error {
		if err := json.Unmarshal(body, r); err != nil {
			return err
		}
		if r.Format != recordFormat || r.Rows < 1 || r.Hidden < 1 || r.Hidden > maxHidden || r.Size != segmentSize(r.Rows, r.Hidden) || r.Blob != "sha256:"+path.Base(key) {
			return errors.New("it is no record of embeddings that this sprint knows")
		}
		return nil
	})
}

// Kept is one segment in a store.
type Kept struct {
	storage.Info
	Space string
	Blob  string // digest
}

// All yields the segments of a store, by space.
func All(ctx context.Context, store *storage.Store) iter.Seq2[Kept, error] {
	return func(yield func(Kept, error) bool) {
		for info, err := range store.List(ctx, Prefix) {
			if err != nil {
				yield(Kept{}, err)
				return
			}
			space, name, ok := strings.Cut(strings.TrimPrefix(info.Key, Prefix), "/")
			if ok && !yield(Kept{info, space, "sha256:" + name}, nil) {
				return
			}
		}
	}
}
