package mirror

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestVerified: all bytes are handed on where the end is right, however they are read; where
// it is not, the last one is missing and the error is told.
func TestVerified(t *testing.T) {
	for _, text := range []string{"", "a", "ab", strings.Repeat("abc", 50_000)} {
		if err := iotest.TestReader(newVerified(io.NopCloser(strings.NewReader(text))), []byte(text)); err != nil {
			t.Errorf("%d bytes: %v", len(text), err)
		}
		bad := errors.New("bad")
		got, err := io.ReadAll(newVerified(io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(bad)))))
		if !errors.Is(err, bad) || len(got) != max(0, len(text)-1) {
			t.Errorf("%d of %d bytes, %v", len(got), len(text), err)
		}
	}
}
