package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/device/xla"
	"github.com/sprint-ml/sprint/ml/wheel"
)

// pinned is one plugin that sprint knows how to fetch.
type pinned struct {
	wheel.Pin
	platform string // GOOS/GOARCH
	member   string // path of the plugin inside the wheel
}

const ownPluginHint = "set " + PluginPathEnv + " to a PJRT plugin of your own"

// pins lists the plugins by device, the preferred one first.
func pins(device string) []pinned {
	if device == CPU {
		return cpuPins()
	}
	return cudaPins(nvidia().driver)
}

func pin(name, version, sum, pipPlatform, platform, member string, size int64) pinned {
	return pinned{
		Pin: wheel.Pin{Name: name, Version: version, SHA256: sum, Size: size, Platform: pipPlatform,
			Keep: []string{member, strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info/licenses/"}, Hint: ownPluginHint},
		platform: platform, member: member,
	}
}

const (
	manyAMD64 = "manylinux_2_27_x86_64"
	manyARM64 = "manylinux_2_27_aarch64"
)

// choose gives the pin for this machine.
func choose(device string) (pinned, bool) {
	all := pins(device)
	i := slices.IndexFunc(all, func(p pinned) bool { return p.platform == runtime.GOOS+"/"+runtime.GOARCH })
	if i < 0 {
		return pinned{}, false
	}
	return all[i], true
}

// Pinned reports whether a plugin of cpu or cuda can be fetched for this machine.
func Pinned(device string) bool {
	_, ok := choose(device)
	return ok
}

// resolve finds the plugin of cpu or cuda: the user's own first, then the
// pinned one, fetched if it is missing. What it returns has been checked.
func resolve(ctx context.Context, device string, o Options) (Info, error) {
	path, err := own(device, o.getenv(PluginPathEnv))
	if err != nil {
		return Info{}, err
	}
	if path != "" {
		return ownInfo(device, path)
	}
	p, ok := choose(device)
	if !ok {
		return Info{}, fmt.Errorf("no %s plugin is pinned for %s/%s; %s", device, runtime.GOOS, runtime.GOARCH, ownPluginHint)
	}
	dir, err := wheel.Fetch(ctx, p.Pin, o.CacheDir, o.wheel())
	if err != nil {
		return Info{}, err
	}
	return pinnedInfo(device, p, dir)
}

// pinnedInfo describes a fetched plugin; wheel.Fetch has verified its bytes.
func pinnedInfo(device string, p pinned, dir string) (Info, error) {
	sum, err := wheel.FileDigest(dir, p.member)
	if err != nil {
		return Info{}, err
	}
	return Info{Name: device, Plugin: p.Name, PluginVersion: p.Version, Digest: "sha256:" + sum,
		Path: filepath.Join(dir, filepath.FromSlash(p.member))}, nil
}

// ownInfo checks and describes a plugin that the user brought.
func ownInfo(device, path string) (Info, error) {
	if err := checkLibrary(path); err != nil {
		return Info{}, err
	}
	sum, err := wheel.HashFile(path)
	if err != nil {
		return Info{}, fmt.Errorf("hash the plugin: %w", err)
	}
	return Info{Name: device, Plugin: filepath.Base(path), Digest: "sha256:" + sum, Path: path}, nil
}

// own looks for the user's plugin in the value of PluginPathEnv. A file counts
// for the device whose name its path carries, or for cpu if it carries none. A
// named file that is not there is an error; a folder without a plugin is not.
func own(device, env string) (string, error) {
	for _, entry := range filepath.SplitList(env) {
		if entry == "" {
			continue
		}
		path, err := filepath.Abs(entry)
		if err != nil {
			return "", fmt.Errorf("%s: %w", PluginPathEnv, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", PluginPathEnv, err)
		}
		if !info.IsDir() {
			if deviceOf(path) == device {
				return path, nil
			}
			continue
		}
		names, err := os.ReadDir(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", PluginPathEnv, err)
		}
		for _, n := range names {
			if isPlugin(n.Name()) && deviceOf(n.Name()) == device {
				return filepath.Join(path, n.Name()), nil
			}
		}
	}
	return "", nil
}

// isPlugin follows the file names under which PJRT plugins are published.
func isPlugin(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".so" || ext == ".dylib") && (strings.Contains(name, "pjrt") || strings.Contains(name, "xla_cuda"))
}

func deviceOf(path string) string {
	base := strings.ToLower(filepath.Base(path))
	if strings.Contains(base, "cuda") || strings.Contains(base, "gpu") {
		return CUDA
	}
	return CPU
}

// List says what the machine has, without loading or fetching anything: an Info
// with an empty Err can be opened, as far as can be told from outside.
func List(_ context.Context, o Options) []Info {
	var all []Info
	for _, device := range []string{CUDA, CPU} {
		info, err := look(device, o)
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

// look is resolve without side effects and without digests.
func look(device string, o Options) (Info, error) {
	if !HasXLA {
		return Info{}, fmt.Errorf("this build has no XLA: %s", xla.WhyNot)
	}
	if device == CUDA && !o.hasGPU() {
		return Info{}, fmt.Errorf("no NVIDIA GPU")
	}
	path, err := own(device, o.getenv(PluginPathEnv))
	if err != nil {
		return Info{}, err
	}
	if path != "" {
		return Info{Plugin: filepath.Base(path), Path: path}, checkLibrary(path)
	}
	p, ok := choose(device)
	if !ok {
		return Info{}, fmt.Errorf("no %s plugin is pinned for %s/%s; %s", device, runtime.GOOS, runtime.GOARCH, ownPluginHint)
	}
	info := Info{Plugin: p.Name, PluginVersion: p.Version}
	if o.CacheDir == "" || !wheel.Have(p.Pin, o.CacheDir) {
		return info, fmt.Errorf("plugin %s %s is not installed (%d MB; `sprint doctor --install`, or fetched when first needed)", p.Name, p.Version, p.Size/1_000_000)
	}
	return pinnedInfo(device, p, wheel.Dir(p.Pin, o.CacheDir))
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
	info, err := resolve(ctx, name, o)
	if err != nil && ctx.Err() == nil {
		return Info{}, failure(ctx, name, "its plugin cannot be had", "", nil, err, o)
	}
	return info, err
}
