//go:build !(cgo && ((linux && (amd64 || arm64)) || (darwin && arm64)))

package xla

import (
	"errors"
	"io/fs"

	"github.com/gomlx/compute"
)

// Available tells builds that can load plugins from those that cannot; WhyNot says what
// the others need.
const (
	Available = false
	WhyNot    = "XLA needs a build with cgo (CGO_ENABLED=1 and a C compiler) on linux/amd64, linux/arm64 or darwin/arm64; --device go works everywhere"
)

// Open is refused by this build.
func Open(Options) (*Client, error) { return nil, errors.New("this build has no XLA") }

func donating(b compute.Backend, _ int) compute.Backend { return b }

func owned(fs.FileInfo) bool { return false } // there are no programs to keep
