// Package resources gives an attempt the device and the encoder that its plan
// names, and gives each failure to do so its exit code.
//
// device.go opens devices. encoder.go pins an encoder for a key, fetches the one
// that a key holds and loads it. Kinds import this package; it imports no kind.
package resources

import (
	"context"
	"errors"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/wheel"
	"github.com/sprint-ml/sprint/stages"
)

// OpenDevice opens a device of the attempt; name is env.Device but for comparisons.
func OpenDevice(ctx context.Context, env stages.Env, name string) (*device.Device, error) {
	dev, err := device.Open(ctx, name, device.Options{CacheDir: env.CacheDir, Offline: env.Offline, Log: env.Log, Announce: announce(env), Progress: fetchProgress(env)})
	if err == nil {
		return dev, nil
	}
	var d *device.Error
	switch {
	case errors.Is(err, device.ErrCorruptPlugin), errors.Is(err, wheel.ErrCorrupt):
		return nil, stages.Fail(stages.CodeIntegrity, "remove the damaged plugin and run again", "%w", err)
	case errors.As(err, &d):
		return nil, stages.Fail(stages.CodeEnvironment, "", "%w", err)
	}
	return nil, err
}

// announce shows what is fetched and where it is kept.
func announce(env stages.Env) func(string) {
	return func(line string) { env.Note("fetch", line) }
}

func fetchProgress(env stages.Env) func(done, total int64) {
	return func(done, total int64) {
		env.Progress(stages.Progress{Done: done, Total: total, Unit: "bytes", Text: "downloading"})
	}
}

// Computed gives the failure of a computation on a device its exit code: want of memory
// is no fault of the data. Whoever can go on with less at a time must try that first.
func Computed(err error) error {
	if _, ok := errors.AsType[*device.OutOfMemoryError](err); ok {
		return stages.Fail(stages.CodeMemory, "use a device with more memory, --device cpu, or a shorter max_length", "%w", err)
	}
	return err
}
