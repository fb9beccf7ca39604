//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// HasXLA tells builds that can load PJRT plugins from those that cannot; see noxla.go for the others.
const (
	HasXLA    = true
	noXLAHint = ""
)

// facts is what only an open plugin can tell.
type facts struct{ api, description string }

// openXLA loads the checked plugin at path and makes a client of it.
//
// go-xla guesses what a plugin is from its path ("CPU" or "cuda" anywhere in it)
// and would fetch plugins by itself; both are settled here.
//
// pinned says that the plugin is one of ours. Compiled programs are kept in p.
func openXLA(name, path string, pinned bool, p *programs) (compute.Backend, facts, error) {
	if strings.Contains(path, ",") {
		return nil, facts{}, fmt.Errorf("the path holds a comma, at which go-xla would cut it; keep the cache and the plugin elsewhere")
	}
	config := path + ",noshared_buffers"
	if name == CPU {
		config = path + ",shared_buffers"
	}
	plugins.opening.Lock()
	defer plugins.opening.Unlock()
	var f facts
	var opened compute.Backend
	err := Guard("", func() error {
		xla.EnableAutoInstall(false)
		create := func() (*xla.Backend, error) { return newBackend(path, config, p) }
		var backend *xla.Backend
		var err error
		if name == CPU {
			backend, err = withoutPacking(path, pinned, create)
		} else {
			backend, err = create()
		}
		if err != nil {
			return err
		}
		plugin, err := pjrt.GetPlugin(path)
		if err != nil {
			return err
		}
		major, minor := plugin.Version()
		f.api = fmt.Sprintf("%d.%d", major, minor)
		f.description = fmt.Sprintf("%d device(s): %s", backend.NumDevices(), backend.DeviceDescription(0))
		if backend.NumDevices() == 0 {
			backend.Finalize()
			return errors.New("the plugin offers no device")
		}
		opened = backend
		return nil
	})
	return opened, f, err
}

// owned reports whether a file belongs to the user of this process.
func owned(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
