package device

import (
	"context"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/sprint-ml/sprint/ml/device/xla"
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
	info, err := resolve(ctx, name, o)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, failure(ctx, name, "its plugin cannot be had", "", nil, err, o)
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
