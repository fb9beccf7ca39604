package device

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/sprint-ml/sprint/ml/device/xla"
	"github.com/sprint-ml/sprint/ml/wheel"
)

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

// describe is resolve without side effects and without digests.
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
		return Info{Plugin: filepath.Base(path), Path: path}, checkLibrary(path)
	}
	p, ok := pinFor(device)
	if !ok {
		return Info{}, fmt.Errorf("no %s plugin is pinned for %s/%s; %s", device, runtime.GOOS, runtime.GOARCH, userPluginHint)
	}
	info := Info{Plugin: p.Name, PluginVersion: p.Version}
	if o.CacheDir == "" || !wheel.Have(p.Pin, o.CacheDir) {
		return info, fmt.Errorf("plugin %s %s is not installed (%d MB; `sprint doctor --install`, or fetched when first needed)", p.Name, p.Version, p.Size/1_000_000)
	}
	return pinnedInfo(device, p, wheel.Dir(p.Pin, o.CacheDir))
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
