package servers

import (
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestS3 and TestGCS run the whole suite, which also runs over file:// and
// mem:// in storagetest itself.
func TestS3(t *testing.T) {
	s := startS3(t)
	storagetest.RunStore(t, storagetest.URLs(func() string { return s.url(s.addr) }))
}

func TestGCS(t *testing.T) {
	s := startGCS(t, "")
	storagetest.RunStore(t, storagetest.URLs(func() string { return s.url(s.addr) }))
}
