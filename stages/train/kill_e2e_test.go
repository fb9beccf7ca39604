//go:build e2e

package train

import "github.com/sprint-ml/sprint/ml/device"

var kills = []killing{{device.Go, 1, 50}, {device.CPU, 6, 50}}
