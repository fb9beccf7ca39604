package answers

import (
	"context"
	"errors"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/ml/wheel"
	"github.com/sprint-ml/sprint/stages/release"
)

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
	if o.Backend == release.BackendONNX {
		where, err = release.LoadONNX(ctx, c, dir, ort.Options{CacheDir: o.Cache, Offline: o.Offline, Announce: o.Announce})
		// A model that is damaged is so for every backend.
		if err != nil && ctx.Err() == nil && release.Unreadable(o.Ref, err) == nil && !errors.Is(err, wheel.ErrCorrupt) && !errors.Is(err, ownership.ErrShared) {
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
