package answers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/ml/wheel"
)

// Names of what computes answers. A processor with AVX2 answers about as soon by our own kernels as
// by ONNX Runtime about one text, and sooner about many; BenchmarkOne of package ort and
// BenchmarkClassifyMany measure both.
const (
	BackendDevice = "device" // one of package device, the default
	BackendONNX   = "onnx"   // ONNX Runtime, on the processor
)

// CheckBackend refuses a name that is no backend, and a device that it cannot compute on.
func CheckBackend(backend, device string) error {
	known := []string{BackendDevice, BackendONNX}
	if backend != "" && !slices.Contains(known, backend) {
		return fmt.Errorf("%q is not one of %s", backend, strings.Join(known, ", "))
	}
	if backend == BackendONNX && !onProcessor(device) {
		return fmt.Errorf("onnx computes on the processor, and the device is %s", device)
	}
	return nil
}

// onProcessor reports whether a device may be the processor.
func onProcessor(name string) bool {
	return slices.Contains([]string{"", device.Auto, device.CPU}, name)
}

// noDeviceError is that of a device which the user named, noBackendError of such a backend.
type (
	noDeviceError  struct{ error }
	noBackendError struct{ error }
)

func (e noDeviceError) Unwrap() error  { return e.error }
func (e noBackendError) Unwrap() error { return e.error }

// load loads the model of a folder. where is what computes; unload is called after the
// classifier was closed.
func load(ctx context.Context, c *classify.Classifier, dir string, o Options) (where string, unload func(), err error) {
	unload = func() {}
	if o.Backend == BackendONNX {
		where, err = loadONNX(ctx, c, dir, o)
		// A model that is damaged is so for every backend.
		if err != nil && ctx.Err() == nil && !errors.Is(err, encoder.ErrCorrupt) && !errors.Is(err, wheel.ErrCorrupt) && !errors.Is(err, ownership.ErrShared) {
			err = noBackendError{err}
		}
		return where, unload, err
	}
	dev, err := device.Open(ctx, o.Device, device.Options{CacheDir: o.Cache, Offline: o.Offline, Log: o.Log, Announce: o.Announce})
	if err != nil && o.Device != "" && o.Device != device.Auto {
		return "", unload, noDeviceError{err}
	}
	if err != nil {
		return "", unload, err
	}
	if err := c.Load(dir, dev); err != nil {
		dev.Close()
		return "", unload, err
	}
	return dev.Name, func() { dev.Close() }, nil
}

// loadONNX is load by ONNX Runtime.
func loadONNX(ctx context.Context, c *classify.Classifier, dir string, o Options) (string, error) {
	library, err := ort.Open(ctx, ort.Options{CacheDir: o.Cache, Offline: o.Offline, Announce: o.Announce})
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
