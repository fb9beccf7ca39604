// Package ort computes a classifier's answers with ONNX Runtime, a library that is pinned by
// digest, fetched as a wheel when it is first asked for, and loaded into the process.
//
// library.go names and fetches it, session.go and ort.c load it and run a model of it,
// predictor.go answers about texts. The model is the file that package onnx makes. It imports
// ml/bert, ml/onnx and ml/wheel.
package ort

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/sprint-ml/sprint/ml/wheel"
)

// Version is that of the pinned library.
const Version = "1.32.0"

// member is where the library lies in its wheel. Wheels of all Python versions have the
// same one: that of 3.11 is taken, which package wheel asks for.
const member = "onnxruntime/capi/libonnxruntime.so." + Version

// pin is the wheel for this machine.
func pin() (wheel.Pin, bool) {
	p := wheel.Pin{Name: "onnxruntime", Version: Version, Keep: []string{member, "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"},
		Hint: "leave --backend out"}
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64":
		p.Platform, p.Size = "manylinux_2_28_x86_64", 27_773_237
		p.SHA256 = "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d"
		p.Record = "60b95e057b713bd37a9e7faf847ba884acb4f488b3dbf5e823423c4048a3dfcf"
	case "linux/arm64":
		p.Platform, p.Size = "manylinux_2_28_aarch64", 23_195_070
		p.SHA256 = "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c"
		p.Record = "f2870edd93c8999f31c1d1bd0b7e418780b0934407fca31d25464c452f7a13de"
	default:
		return p, false
	}
	return p, true
}

// Options of Open.
type Options struct {
	CacheDir string            // where the library is kept
	Offline  bool              // never fetch
	Announce func(line string) // told once before it is fetched
}

// ErrUnsupported is of machines and builds that ONNX Runtime cannot be loaded on.
var ErrUnsupported = errors.New("no ONNX Runtime here")

// Open fetches the library if it is missing, compares it with its digest and loads it. Errors
// are ErrUnsupported, those of package wheel, or the loader's.
func Open(ctx context.Context, o Options) (*Library, error) {
	if !Available {
		return nil, fmt.Errorf("%w: %s", ErrUnsupported, WhyNot)
	}
	p, ok := pin()
	if !ok {
		return nil, fmt.Errorf("%w: none is pinned for %s/%s; without --backend a device computes", ErrUnsupported, runtime.GOOS, runtime.GOARCH)
	}
	dir, err := wheel.Fetch(ctx, p, o.CacheDir, wheel.Options{Offline: o.Offline, Announce: o.Announce})
	if err != nil {
		return nil, err
	}
	return load(filepath.Join(dir, filepath.FromSlash(member)))
}
