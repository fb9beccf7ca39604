package embeddings

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/sprint-ml/sprint/storage"
)

// A segment is a blob: a line that names the format, the number of rows and their width,
// the keys of the texts in order, and their vectors in that order, float32, little endian.
// Keys come first, so that who needs none of the vectors reads none.
const segmentStart = "sprint-embeddings 1\n"

const (
	// segmentRows is the most rows of a segment that is written: what a killed attempt
	// loses, and what is held beside the vectors that are asked for.
	segmentRows = 4096
	// maxRows and maxHidden bound what is read.
	maxRows   = 1 << 20
	maxHidden = 1 << 16

	segmentMedia = "application/vnd.sprint.embeddings"
)

func segmentSize(rows, hidden int) int64 {
	return int64(len(segmentStart)) + 8 + int64(rows)*(int64(len(textKey{}))+4*int64(hidden))
}

// vector is a text's key with its vector.
type vector struct {
	key  textKey
	data []float32
}

// writeSegment keeps vectors, of one width and different keys: the blob first, then its
// record.
func writeSegment(ctx context.Context, store *storage.Store, space string, about record, set []vector) error {
	slices.SortFunc(set, func(a, b vector) int { return bytes.Compare(a.key[:], b.key[:]) })
	blob := store.NewWriter(ctx, segmentMedia)
	defer blob.Abort()
	w := bufio.NewWriterSize(blob, 1<<16)
	head := append([]byte(segmentStart), make([]byte, 8)...)
	binary.LittleEndian.PutUint32(head[len(segmentStart):], uint32(len(set)))           //nolint:gosec // at most segmentRows
	binary.LittleEndian.PutUint32(head[len(segmentStart)+4:], uint32(len(set[0].data))) //nolint:gosec // the width of an encoder
	_, _ = w.Write(head)                                                                // an error stays until Flush
	for _, v := range set {
		_, _ = w.Write(v.key[:])
	}
	for _, v := range set {
		for _, x := range v.data {
			_, _ = w.Write(binary.LittleEndian.AppendUint32(w.AvailableBuffer(), math.Float32bits(x)))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	a, err := blob.Commit()
	if err != nil {
		return err
	}
	about.Format, about.Blob, about.Size, about.Rows, about.Hidden = recordFormat, a.Digest, a.Size, len(set), len(set[0].data)
	body, err := json.Marshal(about)
	if err != nil {
		return err
	}
	key := Prefix + space + "/" + a.Digest[len("sha256:"):]
	_, version, err := readRecord(ctx, store, key)
	if err == nil {
		return nil // another attempt computed the same
	}
	if !storage.MissingOrDamaged(err) {
		return err
	}
	if _, err = store.Swap(ctx, key, version, body); errors.Is(err, storage.ErrStale) {
		return nil
	}
	return err
}

// readSegment copies those vectors of a segment that are wanted to where they go, and
// returns their keys. After an error these places hold anything.
func readSegment(ctx context.Context, store *storage.Store, about record, wanted map[textKey][]float32) (found []textKey, err error) {
	if about.Rows > maxRows {
		return nil, fmt.Errorf("a segment of %d rows", about.Rows)
	}
	blob, err := store.Get(ctx, about.Blob, about.Size)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	r := bufio.NewReaderSize(blob, 1<<16)
	head := make([]byte, len(segmentStart)+8)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	rows, hidden := binary.LittleEndian.Uint32(head[len(segmentStart):]), binary.LittleEndian.Uint32(head[len(segmentStart)+4:])
	if string(head[:len(segmentStart)]) != segmentStart || int64(rows) != int64(about.Rows) || int64(hidden) != int64(about.Hidden) {
		return nil, errors.New("it is not the segment that its record tells of")
	}
	keys := make([]textKey, rows)
	any := false
	for i := range keys {
		if _, err := io.ReadFull(r, keys[i][:]); err != nil {
			return nil, err
		}
		any = any || len(wanted[keys[i]]) == about.Hidden
	}
	if !any {
		return nil, nil
	}
	row := make([]byte, 4*hidden)
	for _, k := range keys {
		if _, err := io.ReadFull(r, row); err != nil {
			return nil, err
		}
		to := wanted[k]
		if len(to) != about.Hidden {
			continue
		}
		for j := range to {
			to[j] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*j:]))
		}
		found = append(found, k)
	}
	// The reader says at the end whether the bytes were the right ones.
	if n, err := io.Copy(io.Discard, r); err != nil || n > 0 {
		return nil, errors.Join(err, fmt.Errorf("%d bytes too many", n))
	}
	return found, nil
}
