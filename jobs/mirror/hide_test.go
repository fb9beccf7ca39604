package mirror

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
)

// TestWithoutAddresses: an error keeps what was being done, and no address that was asked.
func TestWithoutAddresses(t *testing.T) {
	asked := func(address string) error {
		return &url.Error{Op: "Put", URL: "https://" + address + "/x?signature=S3CRET", Err: io.EOF}
	}
	for _, x := range []struct {
		err  error
		want string
	}{
		{errors.New("no address"), "no address"},
		{fmt.Errorf("send the layer: %w", asked("a")), "send the layer: EOF"},
		{fmt.Errorf("send the layer: %w", &url.Error{Op: "Put", URL: "https://b?S3CRET", Err: asked("a")}), "send the layer: EOF"},
		{fmt.Errorf("tag: %w, then %w", asked("a"), asked("b")), "EOF"},
	} {
		if text := withoutAddresses(x.err); text != x.want || strings.Contains(text, "S3CRET") {
			t.Errorf("%q, want %q", text, x.want)
		}
	}
}
