package release_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages/release"
)

// TestHeadsShareAnEncoder: of models that differ in their heads the store keeps one
// encoder, since its part has the same bytes.
func TestHeadsShareAnEncoder(t *testing.T) {
	parts := func(head float32) (enc, heads []byte) {
		dir := t.TempDir()
		var whole bytes.Buffer
		err := encoder.WriteSafetensors(&whole, []encoder.Tensor{encoder.Float32Tensor("heads.0.weight", []float32{head}, 1), encoder.Float32Tensor("embeddings.weight", []float32{1, 2}, 2)}, map[string]string{"format": "pt"})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), whole.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := release.SplitHeads(dir, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 3 {
			t.Fatalf("%v %v", files, err)
		}
		read := func(name string) []byte {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		return read("encoder.safetensors"), read("heads.safetensors")
	}
	first, heads := parts(1)
	second, others := parts(2)
	if !slices.Equal(first, second) || slices.Equal(heads, others) {
		t.Error("the parts of models with one encoder and other heads")
	}
}
