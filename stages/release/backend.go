package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
)

// Names of what computes answers. They answer alike to 1e-5, as devices do. A processor with
// AVX2 answers about as soon by our own kernels as by ONNX Runtime about one text, and sooner
// about many; BenchmarkOne of package ort and BenchmarkClassifyMany measure both.
const (
	BackendDevice = "device" // one of package device, the default
	BackendONNX   = "onnx"   // ONNX Runtime, on the processor
)

// CheckBackend refuses a name that is no backend, and a device that it cannot compute on.
func CheckBackend(backend, onDevice string) error {
	known := []string{BackendDevice, BackendONNX}
	if backend != "" && !slices.Contains(known, backend) {
		return fmt.Errorf("%q is not one of %s", backend, strings.Join(known, ", "))
	}
	if backend == BackendONNX && !slices.Contains([]string{"", device.Auto, device.CPU}, onDevice) {
		return fmt.Errorf("onnx computes on the processor, and the device is %s", onDevice)
	}
	return nil
}

// LoadONNX loads the model of a release's folder into ONNX Runtime. where is what computes.
func LoadONNX(ctx context.Context, c *classify.Classifier, dir string, o ort.Options) (where string, err error) {
	library, err := ort.Open(ctx, o)
	if err != nil {
		return "", err
	}
	err = c.LoadInto(dir, func(m *bert.Model) (classify.Network, error) {
		p, err := ort.NewPredictor(library, m, 0)
		if err != nil {
			return nil, err
		}
		m.Params = nil // the library has the weights
		return p, nil
	})
	return "cpu, ONNX Runtime " + library.Version(), err
}
