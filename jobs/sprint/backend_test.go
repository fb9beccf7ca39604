package main

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
)

// TestBackends: both backends give the answer of one model; one that is not there, or that
// cannot compute on the device, is refused, and no keywords answer for it.
func TestBackends(t *testing.T) {
	dir := tinyModel(t, func(*bert.Model) {})
	listFiles(t, dir)
	classify := func(args ...string) []string {
		return append([]string{"classify", "--model", "./", "--all", "waa wab"}, args...)
	}
	for _, c := range []struct {
		code  int
		words []string
		says  string
	}{
		{2, classify("--backend", "onx"), `"onx" is not one of device, onnx`},
		{2, classify("--backend", "onnx", "--device", "cuda"), "the device is cuda"},
		{4, classify("--backend", "onnx", "--offline", "--cache", "empty"), "onnxruntime"},
		{4, []string{"serve", "--model", "./", "--backend", "onnx", "--offline", "--cache", "empty", "--listen", "127.0.0.1:0"}, "onnxruntime"},
	} {
		if !ort.Available && c.code == 4 {
			continue
		}
		code, stdout, stderr := exec(t, dir, c.words...)
		if code != c.code || stdout != "" || strings.Contains(stderr, "keywords answer, ") || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: code %d, %q: %s", c.words, code, stdout, stderr)
		}
	}
	if !ort.Available {
		return
	}
	_, want, stderr := exec(t, dir, classify("--backend", "device", "--device", "go")...)
	code, got, said := exec(t, dir, classify("--backend", "onnx", "--device", "cpu", "--cache", encodertest.Cache())...)
	if code != 0 || got != want || !strings.Contains(got, `"source":"model"`) {
		t.Errorf("code %d: %s%s, want %s%s", code, got, said, want, stderr)
	}
}
