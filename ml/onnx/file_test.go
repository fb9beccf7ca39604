package onnx_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sprint-ml/sprint/ml/onnx"
	"github.com/sprint-ml/sprint/ml/onnx/onnxtest"
)

// TestFile: equal models make equal bytes, as many as Size says, and hold what readers are
// told of the categories; what cannot be written is an error.
func TestFile(t *testing.T) {
	models := onnxtest.Models(t)
	written := map[string]bool{}
	for name, m := range models {
		var files [2]bytes.Buffer
		for i := range files {
			f, err := onnx.Classifier(m)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a file may be written again
				files[i].Reset()
				if n, err := f.WriteTo(&files[i]); err != nil || n != int64(files[i].Len()) || f.Size() != files[i].Len() {
					t.Fatalf("%s: %d bytes of %d are written, %d were told: %v", name, files[i].Len(), f.Size(), n, err)
				}
			}
			if err := func() error { _, err := f.WriteTo(full{}); return err }(); err == nil {
				t.Errorf("%s: a disk that is full is no error", name)
			}
		}
		if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
			t.Errorf("%s: two files of one model differ", name)
		}
		if !bytes.Contains(files[0].Bytes(), []byte(`[{"name":"a","tags":["","x","y"]}`)) {
			t.Errorf("%s: the file does not name the categories", name)
		}
		written[files[0].String()] = true
	}
	if len(written) != len(models) {
		t.Errorf("%d models make %d files", len(models), len(written))
	}
}

// TestRefuses: a model of a family that is not known, or without some of its weights, makes no
// file.
func TestRefuses(t *testing.T) {
	m := onnxtest.Models(t)["mean"]
	other := *m
	other.Spec.Encoder.ModelType = "modernbert"
	if _, err := onnx.Classifier(&other); err == nil {
		t.Error("another family makes a file")
	}
	other = *m
	other.Params = m.Params[:len(m.Params)-1]
	if _, err := onnx.Classifier(&other); err == nil {
		t.Error("a model without weights makes a file")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
