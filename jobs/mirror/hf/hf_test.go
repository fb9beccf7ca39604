package hf_test

import (
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror/hf/hftest"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
)

func TestConformance(t *testing.T) { mirrortest.Run(t, hftest.Subject(0)) }

// TestInParts: the same where the hub takes large files in parts.
func TestInParts(t *testing.T) { mirrortest.Run(t, hftest.Subject(50_000)) }
