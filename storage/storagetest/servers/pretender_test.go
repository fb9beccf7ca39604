package servers

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestPretender runs the suite on a server that ignores conditions on uploads
// in parts: all else holds there, and the probe tells what does not.
func TestPretender(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server())
	t.Cleanup(front.Close)
	setCredentials(t)
	h := storagetest.URLs(func() string {
		return fmt.Sprintf("s3://%s/p%d?endpoint=%s&use_path_style=true&region=us-east-1", bucket, prefixes.Add(1), front.URL)
	})
	h.Flaws = []string{"20 MiB create twice"}
	storagetest.RunStore(t, h)
}
