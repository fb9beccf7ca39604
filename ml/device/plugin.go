package device

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/wheel"
)

// pinned is one plugin that sprint knows how to fetch.
type pinned struct {
	wheel.Pin
	platform string // GOOS/GOARCH
	member   string // path of the plugin inside the wheel
}

const userPluginHint = "set " + PluginPathEnv + " to a PJRT plugin of your own"

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
			Keep: []string{member, strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info/licenses/"}, Hint: userPluginHint},
		platform: platform, member: member,
	}
}

const (
	manyAMD64 = "manylinux_2_27_x86_64"
	manyARM64 = "manylinux_2_27_aarch64"
)

// pinFor gives the pin for this machine.
func pinFor(device string) (pinned, bool) {
	all := pins(device)
	i := slices.IndexFunc(all, func(p pinned) bool { return p.platform == runtime.GOOS+"/"+runtime.GOARCH })
	if i < 0 {
		return pinned{}, false
	}
	return all[i], true
}

// Pinned reports whether a plugin of cpu or cuda can be fetched for this machine.
func Pinned(device string) bool {
	_, ok := pinFor(device)
	return ok
}

// resolve finds the plugin of cpu or cuda: the user's own first, then the
// pinned one, fetched if it is missing. What it returns has been checked.
func resolve(ctx context.Context, device string, o Options) (Info, error) {
	path, err := userPlugin(device, o.getenv(PluginPathEnv))
	if err != nil {
		return Info{}, err
	}
	if path != "" {
		return userPluginInfo(device, path)
	}
	p, ok := pinFor(device)
	if !ok {
		return Info{}, fmt.Errorf("no %s plugin is pinned for %s/%s; %s", device, runtime.GOOS, runtime.GOARCH, userPluginHint)
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

// userPluginInfo checks and describes a plugin that the user brought.
func userPluginInfo(device, path string) (Info, error) {
	if err := checkLibrary(path); err != nil {
		return Info{}, err
	}
	sum, err := wheel.HashFile(path)
	if err != nil {
		return Info{}, fmt.Errorf("hash the plugin: %w", err)
	}
	return Info{Name: device, Plugin: filepath.Base(path), Digest: "sha256:" + sum, Path: path}, nil
}

// userPlugin looks for the user's plugin in the value of PluginPathEnv. A file counts
// for the device whose name its path carries, or for cpu if it carries none. A
// named file that is not there is an error; a folder without a plugin is not.
func userPlugin(device, env string) (string, error) {
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
