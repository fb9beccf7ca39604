package oci_test

import (
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/oci/ocitest"
)

func TestConformance(t *testing.T) {
	mirrortest.Run(t, mirrortest.Subject{To: "oci://registry.example/team/news", New: func(t *testing.T) mirrortest.Server { return ocitest.New(t) }})
}
