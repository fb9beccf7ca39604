package executor_test

import (
	"io"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestHead: no more than the first bytes are kept, however they come.
func TestHead(t *testing.T) {
	const text = "0123456789abcdef"
	for name, fill := range map[string]func(w io.Writer) (int64, error){
		"at once": func(w io.Writer) (int64, error) { n, err := io.WriteString(w, text); return int64(n), err },
		"copied":  func(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{strings.NewReader(text)}) },
		"byte by byte": func(w io.Writer) (n int64, err error) {
			for i := 0; i < len(text) && err == nil; i++ {
				_, err = w.Write([]byte{text[i]})
				n++
			}
			return n, err
		},
	} {
		h := executor.Head{Most: 10}
		if n, err := fill(&h); n != int64(len(text)) || err != nil || string(h.Bytes()) != text[:10] {
			t.Errorf("%s: took %d, %v, kept %q", name, n, err, h.Bytes())
		}
	}
}
