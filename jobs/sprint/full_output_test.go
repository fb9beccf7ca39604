package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// full takes a number of bytes, then it fails.
type full struct {
	left int
	err  error
}

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, f.err
	}
	return len(b), nil
}

// TestFullOutput: an answer that was not written whole is no success; one
// whose reader has gone is nobody's matter.
func TestFullOutput(t *testing.T) {
	dir := demo(t, nil)
	if code, _, said := exec(t, dir, "run", "plan.yaml", "-q"); code != 0 {
		t.Fatalf("code %d: %s", code, said)
	}
	write(t, dir, map[string]string{"thresholds.json": "{}"})
	env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	for _, words := range []string{"status", "runs", "schema", "version", "trace label.labelled", "explain label plan.yaml", "store check", "plan plan.yaml", "validate -o json", "config", "version -o json", "run plan.yaml -o json", "status -o json", "artifacts cat fetch.articles", "classify --device go --model ./ Blaze"} {
		for _, c := range []struct {
			left int
			err  error
			code int
		}{{0, syscall.EPIPE, 0}, {5, syscall.EPIPE, 0}, {0, syscall.ENOSPC, 4}, {5, syscall.ENOSPC, 4}, {1 << 30, nil, 0}} {
			var said bytes.Buffer
			var out io.Writer = &full{c.left, c.err}
			if code := run(t.Context(), strings.Fields(words), env, strings.NewReader(""), out, &said); code != c.code || c.code == 4 && !strings.Contains(said.String(), "no space left") || strings.Contains(said.String(), "broken pipe") {
				t.Errorf("%s, room for %d, then %v: code %d: %s", words, c.left, c.err, code, said.String())
			}
		}
	}
}
