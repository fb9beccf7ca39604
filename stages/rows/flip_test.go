package rows_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/rows"
)

// TestParquetFlipped damages every byte of a file: each reading ends soon,
// with rows or with ErrFormat.
func TestParquetFlipped(t *testing.T) {
	in, cats := sample()
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, in, cats); err != nil {
		t.Fatal(err)
	}
	for i := range b.Len() {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			data := bytes.Clone(b.Bytes())
			data[i] ^= flip
			start := time.Now()
			got, _, err := rows.DecodeParquet(bytes.NewReader(data))
			if err != nil && !errors.Is(err, rows.ErrFormat) {
				t.Errorf("byte %d ^ %#x: %v", i, flip, err)
			}
			if took := time.Since(start); took > 2*time.Second || len(got) > 1000 {
				t.Fatalf("byte %d ^ %#x: %d rows after %s", i, flip, len(got), took)
			}
		}
	}
}
