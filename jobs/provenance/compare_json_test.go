package provenance

import (
	"math"
	"testing"
)

// TestWhatHasNoJSONIsNotCompared: numbers that JSON does not have are an error,
// never equal to each other.
func TestWhatHasNoJSONIsNotCompared(t *testing.T) {
	if changes, err := difference(math.NaN(), math.Inf(1)); err == nil {
		t.Errorf("numbers without JSON were compared: %v", changes)
	}
}
