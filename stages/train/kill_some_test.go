//go:build !e2e

package train

import "github.com/sprint-ml/sprint/ml/device"

// The pure-Go device starts at once; the e2e tier kills everywhere, and on XLA.
var kills = []killing{{device.Go, 41, 3}}
