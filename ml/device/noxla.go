//go:build !(cgo && ((linux && (amd64 || arm64)) || (darwin && arm64)))

package device

import (
	"errors"
	"io/fs"

	"github.com/gomlx/compute"
)

// HasXLA tells builds that can load PJRT plugins from those that cannot; see xla.go for the others.
const (
	HasXLA    = false
	noXLAHint = "XLA needs a build with cgo (CGO_ENABLED=1 and a C compiler) on linux/amd64, linux/arm64 or darwin/arm64; --device go works everywhere"
)

type facts struct{ api, description string }

func openXLA(string, string, bool, *programs) (compute.Backend, facts, error) {
	return nil, facts{}, errors.New("this build has no XLA")
}

func donating(b compute.Backend, _ int) compute.Backend { return b }

func owned(fs.FileInfo) bool { return false } // there are no programs to keep
