package device

import (
	"context"
)

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
	info, err := resolve(ctx, name, o)
	if err != nil && ctx.Err() == nil {
		return Info{}, failure(ctx, name, "its plugin cannot be had", "", nil, err, o)
	}
	return info, err
}
