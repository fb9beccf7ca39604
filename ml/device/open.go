package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/sprint-ml/sprint/ml/device/xla"
	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/ml/wheel"
)

// Open opens the device of that name, fetching its plugin first if need be.
//
// A demanded device that is not there is an *Error which lists those that are;
// nothing is ever opened in its place. The context covers fetching only: opening
// a plugin cannot be interrupted.
func Open(ctx context.Context, name string, o Options) (*Device, error) {
	switch name {
	case Go:
		return openGo(ctx, o)
	case CPU, CUDA:
		return openPlugin(ctx, name, o)
	case Auto, "":
		return openAuto(ctx, o)
	}
	return nil, &Error{Device: name, Message: "there is no such device", Hint: "one of auto, cuda, cpu, go"}
}

// openAuto tries the devices from the fastest down and keeps the reasons.
func openAuto(ctx context.Context, o Options) (*Device, error) {
	var reasons []string
	names := []string{CPU}
	if o.hasGPU() {
		names = []string{CUDA, CPU}
	}
	for _, name := range names {
		d, err := openPlugin(ctx, name, o)
		if err == nil {
			d.Fallback = strings.Join(reasons, "; ")
			return d, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, ownership.ErrShared) {
			return nil, err // a machine that somebody may have tampered with is no slower machine
		}
		reasons = append(reasons, fallbackReason(name, err))
	}
	d, err := openGo(ctx, o)
	if err != nil {
		return nil, err
	}
	d.Fallback = strings.Join(reasons, "; ")
	return d, nil
}

// openGo opens the pure-Go backend, which every build has.
func openGo(ctx context.Context, o Options) (*Device, error) {
	tail := captureLog(o.Log)
	var backend compute.Backend
	err := Guard("", func() (err error) { backend, err = gobackend.New(""); return err })
	if err != nil {
		return nil, failure(ctx, Go, "cannot be opened", "this is a defect; please report it with the text above", tail, err, o)
	}
	return &Device{Info: goInfo(), Backend: backend}, nil
}

// openPlugin resolves the plugin of cpu or cuda and opens it.
func openPlugin(ctx context.Context, name string, o Options) (*Device, error) {
	if !HasXLA {
		return nil, failure(ctx, name, "this build has no XLA", xla.WhyNot, nil, nil, o)
	}
	if name == CUDA && !o.hasGPU() {
		return nil, failure(ctx, name, "this machine has no NVIDIA GPU (no /dev/nvidia0, no nvidia-smi that lists one)", "run on a machine with a GPU, or use --device auto", nil, nil, o)
	}
	if name == CUDA && o.getenv(PluginPathEnv) == "" { // the user's own may be for an older CUDA
		if driver := nvidia().driver; driver > 0 && driver < cuda12Driver {
			return nil, failure(ctx, name, fmt.Sprintf("the NVIDIA driver %d is too old: CUDA 12 needs %d", driver, cuda12Driver),
				fmt.Sprintf("install driver %d or newer (%d for CUDA 13), or run on another machine", cuda12Driver, cuda13Driver), nil, nil, o)
		}
	}
	info, err := obtain(ctx, name, o)
	if err != nil {
		return nil, err
	}
	tail := captureLog(o.Log)
	with := xla.Options{Path: info.Path, Digest: info.Digest, Device: name, CPU: name == CPU, Pinned: info.PluginVersion != "", Programs: o.programs(), Log: o.Log}
	var client *xla.Client
	err = Guard("", func() (err error) { client, err = xla.Open(with); return err })
	if err != nil {
		return nil, failure(ctx, name, "the plugin "+info.Path+" cannot be opened", openHint(name), tail, err, o)
	}
	info.API, info.Description = client.API, client.Description
	info.MemoryBytes = memory(name)
	return &Device{Info: info, Backend: client.Backend, client: client}, nil
}

func openHint(name string) string {
	if name == CUDA {
		return "the NVIDIA driver and the CUDA libraries of the plugin's major version (cudart, cuBLAS, cuDNN 9, cuFFT, cuSOLVER, cuSPARSE, NCCL, CUPTI) must be found through LD_LIBRARY_PATH; TF_CPP_MIN_LOG_LEVEL=0 shows what XLA misses"
	}
	return "TF_CPP_MIN_LOG_LEVEL=0 shows XLA's own log"
}

// Install fetches the plugin of cpu, cuda or, for auto, of what the machine
// has, without opening it. For go there is nothing to do.
func Install(ctx context.Context, name string, o Options) (Info, error) {
	if name == Auto || name == "" {
		name = CPU
		if o.hasGPU() {
			name = CUDA
		}
	}
	switch {
	case name == Go || !HasXLA && name == CPU:
		return goInfo(), nil
	case name != CPU && name != CUDA:
		return Info{}, &Error{Device: name, Message: "there is no such device", Hint: "one of auto, cuda, cpu, go"}
	}
	return obtain(ctx, name, o)
}

// obtain is resolve with the reason why a plugin cannot be had.
func obtain(ctx context.Context, name string, o Options) (Info, error) {
	info, err := resolve(ctx, name, o)
	switch {
	case err == nil:
		return info, nil
	case ctx.Err() != nil:
		return Info{}, ctx.Err()
	}
	return Info{}, failure(ctx, name, "its plugin cannot be had", "", nil, err, o)
}

// List says what the machine has, without loading or fetching anything: an Info
// with an empty Err can be opened, as far as can be told from outside.
func List(_ context.Context, o Options) []Info {
	var all []Info
	for _, device := range []string{CUDA, CPU} {
		info, err := describe(device, o)
		info.Name = device
		if err != nil {
			info.Err = err.Error()
		} else {
			info.MemoryBytes = memory(device)
		}
		all = append(all, info)
	}
	return append(all, goInfo())
}

// describe is resolve without fetching.
func describe(device string, o Options) (Info, error) {
	if !HasXLA {
		return Info{}, fmt.Errorf("this build has no XLA: %s", xla.WhyNot)
	}
	if device == CUDA && !o.hasGPU() {
		return Info{}, fmt.Errorf("no NVIDIA GPU")
	}
	path, err := userPlugin(device, o.getenv(PluginPathEnv))
	if err != nil {
		return Info{}, err
	}
	if path != "" {
		return Info{Plugin: filepath.Base(path), Path: path}, checkUserPlugin(path)
	}
	p, ok := pinFor(device)
	if !ok {
		return Info{}, fmt.Errorf("no %s plugin is pinned for %s/%s; %s", device, runtime.GOOS, runtime.GOARCH, userPluginHint)
	}
	info := Info{Plugin: p.Name, PluginVersion: p.Version}
	dir, err := "", fs.ErrNotExist
	if o.CacheDir != "" {
		dir, err = wheel.Find(p.Pin, o.CacheDir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return info, fmt.Errorf("plugin %s %s is not installed (%d MB; `sprint doctor --install`, or fetched when first needed)", p.Name, p.Version, p.Size/1_000_000)
	}
	if err != nil {
		return info, err
	}
	return pinnedInfo(device, p, dir)
}

// usable is one line on whether the device can be used.
func (i Info) usable() string {
	switch {
	case i.Err != "":
		return "no: " + firstLine(i.Err)
	case i.Plugin != "" && i.PluginVersion != "":
		return "yes: " + i.Plugin + " " + i.PluginVersion
	case i.Path != "":
		return "yes: " + i.Path
	}
	return "yes: " + i.Plugin
}
