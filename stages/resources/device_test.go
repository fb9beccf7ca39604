package resources

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/stages"
)

// TestComputed: want of memory ends with its own code, whatever it is wrapped in, and
// nothing else does.
func TestComputed(t *testing.T) {
	var f *stages.Failure
	memory := fmt.Errorf("measure: %w", &device.OutOfMemoryError{What: "predict 32 texts", Err: errors.New("RESOURCE_EXHAUSTED")})
	if err := Computed(memory); !errors.As(err, &f) || f.Code != stages.CodeMemory || !errors.Is(err, memory) {
		t.Errorf("got %v", err)
	}
	other := errors.New("no such instruction")
	if err := Computed(other); err != other { //nolint:errorlint // the same error, not one like it
		t.Errorf("got %v", err)
	}
	if err := Computed(nil); err != nil {
		t.Errorf("got %v", err)
	}
}
