package device

import (
	"encoding/hex"
	"testing"
)

// TestPins: every build of every plugin has a digest for its wheel and one for its RECORD, and
// no two are the same.
func TestPins(t *testing.T) {
	seen := map[string]string{}
	for _, r := range []release{cpuRelease(), cudaRelease(0), cudaRelease(cuda13Driver)} {
		for platform, b := range r.builds {
			for _, sum := range []string{b.sum, b.record} {
				if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 || seen[sum] != "" {
					t.Errorf("%s %s: %q is no digest of its own (%s)", r.name, platform, sum, seen[sum])
				}
				seen[sum] = r.name + " " + platform
			}
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d digests", len(seen))
	}
}
