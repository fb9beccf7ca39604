package storagetest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// testAddress: an address gives the bytes of a blob to whoever has it; where there is
// none the error says that.
func testAddress(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	a, err := s.Put(ctx, strings.NewReader("program"), "")
	check(t, err)
	address, err := s.Address(ctx, a.Digest, time.Hour)
	if strings.HasPrefix(s.Source(), "s3://") {
		check(t, err)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	check(t, err)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	check(t, err)
	answer, err := http.DefaultClient.Do(request)
	check(t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	check(t, err)
	if answer.StatusCode != http.StatusOK || string(data) != "program" {
		t.Errorf("%s: %d %q", address, answer.StatusCode, data)
	}
	if _, err := s.Address(ctx, "sha256:x", time.Hour); err == nil {
		t.Error("a digest that is none has an address")
	}
}
