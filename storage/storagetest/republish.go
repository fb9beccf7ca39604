package storagetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/sprint-ml/sprint/storage/models"
)

// Sent counts the bytes of the bodies that a server reads.
type Sent struct{ bytes atomic.Int64 }

// Around wraps the handler of a server, or of a proxy before one.
func (s *Sent) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &countedBody{r.Body, &s.bytes}
		next.ServeHTTP(w, r)
	})
}

// Take returns the bytes since the last call.
func (s *Sent) Take() int64 { return s.bytes.Swap(0) }

type countedBody struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}

// RunRepublish publishes folders to the store at a URL whose requests sent
// counts: what the store has is never sent again, neither by publishing the same
// files once more nor under another name or version. Records may be.
func RunRepublish(t *testing.T, url string, sent *Sent) {
	many := make([]int, 520) // so many that drivers list what is there
	for i := range many {
		many[i] = 3000 + i
	}
	for name, sizes := range map[string][]int{"large": {1000, 5 << 20, 20<<20 + 13}, "many": many} {
		t.Run(name, func(t *testing.T) {
			dir, size := t.TempDir(), int64(0)
			for i, n := range sizes {
				check(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), random(uint64(i), n), 0o600))
				size += int64(n)
			}
			publish := func(model string, version int) (bytes, listing int64) {
				t.Helper()
				// Each time by a store that knows nothing of the last one.
				s := open(t, url, nil)
				tree, err := PutFolder(testContext(t), s, dir)
				check(t, err)
				r, err := models.In(s).Publish(testContext(t), model, tree, []byte(`{}`))
				check(t, err)
				check(t, models.In(s).SetAlias(testContext(t), model, "latest", r.Version))
				if r.Version != version {
					t.Errorf("published as version %d, want %d", r.Version, version)
				}
				text, err := json.Marshal(r)
				check(t, err)
				return sent.Take(), int64(len(text))
			}
			const records = 4 << 10 // claim, alias and what frames them
			sent.Take()
			frames := int64(len(sizes)) * 1000 // of requests with an object
			if n, listing := publish(name, 1); n < size || n > size+size/100+frames+3*listing+records {
				t.Errorf("%d bytes were sent to publish %d", n, size)
			}
			if n, _ := publish(name, 1); n > records {
				t.Errorf("%d bytes were sent to publish the same again", n)
			}
			if n, listing := publish(name+"-too", 1); n > 3*listing+records {
				t.Errorf("%d bytes were sent to publish the same under another name; its listing has %d", n, listing)
			}
			check(t, os.WriteFile(filepath.Join(dir, "new"), []byte("new"), 0o600))
			if n, listing := publish(name, 2); n > 3*listing+records {
				t.Errorf("%d bytes were sent to publish a version with one small file more; its listing has %d", n, listing)
			} else {
				t.Logf("%d bytes of %d were sent for a second version", n, size)
			}
			if n, _ := publish(name, 2); n > records {
				t.Errorf("%d bytes were sent to publish the second version again", n)
			}
			s := open(t, url, nil)
			r, err := models.In(s).Release(testContext(t), name, "latest")
			check(t, err)
			check(t, s.FetchTree(testContext(t), r.Files, t.TempDir()))
		})
	}
}
