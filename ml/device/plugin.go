package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/ml/wheel"
)

// pinned is a plugin that sprint knows how to fetch, for this machine.
type pinned struct {
	wheel.Pin
	member string // path of the plugin inside the wheel
}

const userPluginHint = "set " + PluginPathEnv + " to a PJRT plugin of your own"

// pinFor gives the pin of a device for this machine.
func pinFor(device string) (pinned, bool) {
	r := cpuRelease()
	if device == CUDA {
		r = cudaRelease(nvidia().driver)
	}
	b, ok := r.builds[runtime.GOOS+"/"+runtime.GOARCH]
	licences := strings.ReplaceAll(r.name, "-", "_") + "-" + r.version + ".dist-info/licenses/"
	return pinned{
		Pin: wheel.Pin{Name: r.name, Version: r.version, SHA256: b.sum, Record: b.record, Size: b.size, Platform: b.platform,
			Keep: []string{r.member, licences}, Hint: userPluginHint},
		member: r.member,
	}, ok
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

// pinnedInfo describes a fetched plugin; package wheel has checked it.
func pinnedInfo(device string, p pinned, dir string) (Info, error) {
	sum, err := wheel.FileDigest(dir, p.Pin, p.member)
	if err != nil {
		return Info{}, err
	}
	return Info{Name: device, Plugin: p.Name, PluginVersion: p.Version, Digest: "sha256:" + sum,
		Path: filepath.Join(dir, filepath.FromSlash(p.member))}, nil
}

// userPluginInfo checks and describes a plugin that the user brought.
func userPluginInfo(device, path string) (Info, error) {
	if err := checkUserPlugin(path); err != nil {
		return Info{}, err
	}
	sum, err := wheel.HashFile(path)
	if err != nil {
		return Info{}, fmt.Errorf("hash the plugin: %w", err)
	}
	return Info{Name: device, Plugin: filepath.Base(path), Digest: "sha256:" + sum, Path: path}, nil
}

// checkUserPlugin looks into a plugin that the user brought, and asks whether it can be
// anybody else's. Whose it is, the user has decided by naming it.
func checkUserPlugin(path string) error {
	err := ownership.Named(path)
	if shared, ok := errors.AsType[*ownership.Error](err); ok {
		return fmt.Errorf("%s names a plugin that may be anybody's: %w\n  %s; or name one in a folder of your own", PluginPathEnv, err, shared.Hint)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", PluginPathEnv, err)
	}
	return checkLibrary(path)
}

// userPlugin looks for the user's plugin in the value of PluginPathEnv. A file counts
// for the device whose name its path carries, or for cpu if it carries none. A
// named file that is not there is an error; a folder without a plugin is not. A path that
// begins where one happens to stand is refused: there the plugin would be whoever's the
// folder is.
func userPlugin(device, env string) (string, error) {
	for _, entry := range filepath.SplitList(env) {
		if entry == "" {
			continue
		}
		if !filepath.IsAbs(entry) {
			return "", fmt.Errorf("%s: %s is relative to the working directory\n  write its absolute path", PluginPathEnv, entry)
		}
		path := filepath.Clean(entry)
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
