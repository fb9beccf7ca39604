//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package xla

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// Available tells builds that can load plugins from those that cannot; WhyNot says what
// the others need.
const (
	Available = true
	WhyNot    = ""
)

// Open loads the plugin and makes a client of it. The caller has checked the file: a
// damaged library ends the process. GoMLX may panic instead of returning an error.
//
// go-xla guesses what a plugin is from its path ("CPU" or "cuda" anywhere in it) and would
// fetch plugins by itself; both are settled here.
func Open(o Options) (*Client, error) {
	if strings.Contains(o.Path, ",") {
		return nil, errors.New("the path holds a comma, at which go-xla would cut it; keep the cache and the plugin elsewhere")
	}
	config := o.Path + ",noshared_buffers"
	if o.CPU {
		config = o.Path + ",shared_buffers"
	}
	plugins.opening.Lock()
	defer plugins.opening.Unlock()
	xla.EnableAutoInstall(false)
	cache := newProgramCache(o)
	create := func() (*xla.Backend, error) { return newBackend(o.Path, config, cache) }
	var backend *xla.Backend
	var err error
	if o.CPU {
		backend, err = withoutPacking(o.Path, o.Pinned, create)
	} else {
		backend, err = create()
	}
	if err != nil {
		return nil, err
	}
	if backend.NumDevices() == 0 {
		backend.Finalize()
		return nil, errors.New("the plugin offers no device")
	}
	plugin, err := pjrt.GetPlugin(o.Path)
	if err != nil {
		return nil, err
	}
	major, minor := plugin.Version()
	return &Client{
		Backend: backend, programs: cache,
		API:         fmt.Sprintf("%d.%d", major, minor),
		Description: fmt.Sprintf("%d device(s): %s", backend.NumDevices(), backend.DeviceDescription(0)),
	}, nil
}

// owned reports whether a file belongs to the user of this process.
func owned(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
