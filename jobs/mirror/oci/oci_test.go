package oci_test

import (
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/oci/ocitest"
)

func TestConformance(t *testing.T) {
	mirrortest.Run(t, mirrortest.Subject{To: "oci://registry.example/team/news", New: func(t *testing.T) mirrortest.Server { return ocitest.New(t) }})
}

// TestReferrers: the card is found by the image, once.
func TestReferrers(t *testing.T) {
	r := ocitest.New(t)
	for range 2 {
		mirrortest.Fill(t, r)
	}
	if got := r.Referrers(t, "latest"); !slices.Equal(got, []string{"application/vnd.sprint.card.v1"}) {
		t.Errorf("latest is referred to by %v", got)
	}
}
