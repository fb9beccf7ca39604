package rows_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
)

// TestParquetFlipped damages every byte of a file: each reading ends with a few
// rows or with ErrFormat.
func TestParquetFlipped(t *testing.T) {
	in, cats := sample()
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, in, cats); err != nil {
		t.Fatal(err)
	}
	for i := range b.Len() {
		for _, flip := range flips(i) {
			data := bytes.Clone(b.Bytes())
			data[i] ^= flip
			got, _, err := rows.DecodeParquet(bytes.NewReader(data))
			if err != nil && !errors.Is(err, rows.ErrFormat) {
				t.Errorf("byte %d ^ %#x: %v", i, flip, err)
			}
			if len(got) > 1000 {
				t.Fatalf("byte %d ^ %#x: %d rows", i, flip, len(got))
			}
		}
	}
}
