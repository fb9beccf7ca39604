package places

import (
	"testing"
)

// TestKindsAreWordsOfTheConfig: each kind can be named there, and another is refused.
func TestKindsAreWordsOfTheConfig(t *testing.T) {
	for _, k := range Kinds() {
		if _, err := load(t, "executors:\n  x: {kind: "+k.Name+"}\n", "auto").ExecutorOptions("x"); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
	if _, err := load(t, "executors:\n  x: {kind: skye}\n", "auto").ExecutorOptions("x"); err == nil {
		t.Error("a kind that is not there can be named")
	}
}
