package storagetest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

// TestMain keeps what stores are filled from in memory, and the stores on folders:
// localblob's own tests have theirs on a disk.
func TestMain(m *testing.M) { os.Exit(inmemory.Run(m)) }

func fileURL(t testing.TB) func() string {
	dir := t.TempDir()
	var n atomic.Int64
	return func() string { return "file://" + filepath.Join(dir, strconv.FormatInt(n.Add(1), 10)) }
}

// clouds are the servers with the function that starts one.
var clouds = map[string]func(testing.TB, func(http.Handler) http.Handler) func() string{
	"s3": storagetest.S3URL, "gcs": storagetest.GCSURL,
}

// cuttingWriter breaks the connection after some bytes of the body.
type cuttingWriter struct {
	http.ResponseWriter
	left int
}

func (w *cuttingWriter) Write(p []byte) (int, error) {
	if len(p) >= w.left {
		_, _ = w.ResponseWriter.Write(p[:w.left])
		w.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}
