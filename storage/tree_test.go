package storage

import (
	"bytes"
	"errors"
	"testing"
)

// TestLargeListing: a listing of more bytes than one may have is damage, as one that is none.
func TestLargeListing(t *testing.T) {
	s, err := Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := s.Put(t.Context(), bytes.NewReader(make([]byte, treeLimit+1)), MediaTree)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Tree(t.Context(), a.Digest); !errors.Is(err, ErrCorrupt) || !errors.Is(err, ErrLarge) {
		t.Error(err)
	}
}
