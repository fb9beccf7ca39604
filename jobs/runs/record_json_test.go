package runs

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// TestWhatHasNoJSONIsNoRecord: a number that JSON does not have is an error that
// names the record, never an empty record.
func TestWhatHasNoJSONIsNoRecord(t *testing.T) {
	s, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	key := attemptKey("run", "train", 1)
	if err := createJSON(t.Context(), s, key, map[string]any{"loss": math.NaN()}); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("got %v, want an error about %s", err, key)
	}
	if _, _, err := s.Read(t.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a record was stored: %v", err)
	}
}

// TestAnOutputHasASize: whoever reads an output of a stored result is not told to take as
// many bytes as there are.
func TestAnOutputHasASize(t *testing.T) {
	var r StageResult
	if err := json.Unmarshal([]byte(`{"outputs":{"metrics":{"digest":"sha256:00","size":-1}}}`), &r); err == nil || !strings.Contains(err.Error(), "-1 bytes") {
		t.Errorf("%v: %+v", err, r)
	}
	if err := json.Unmarshal([]byte(`{"outputs":{"metrics":{"digest":"sha256:00","size":7,"volatile":true}}}`), &r); err != nil || r.Outputs["metrics"] != (OutputResult{"sha256:00", 7, true}) {
		t.Errorf("%v: %+v", err, r)
	}
}
