package storagetest_test

import (
	"errors"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestFetchToAFullDisk: the cause is the disk's, and asking the store again is
// no help.
func TestFetchToAFullDisk(t *testing.T) {
	s, e, _ := fetched(t, storagetest.S3URL, func(w http.ResponseWriter) http.ResponseWriter { return w }, 2)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := s.FetchFile(t.Context(), e.Digest, e.Size, full); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, storage.ErrTransient) {
		t.Errorf("a full disk: %v", err)
	}
}
