//go:build !(cgo && linux && (amd64 || arm64))

package ort

import "errors"

// Available tells builds that can load ONNX Runtime from those that cannot; WhyNot says what
// the others need.
const (
	Available = false
	WhyNot    = "ONNX Runtime needs a build with cgo (CGO_ENABLED=1 and a C compiler) on linux/amd64 or linux/arm64; without --backend a device computes"
)

// Library is ONNX Runtime, which this build cannot load.
type Library struct{}

var errUnavailable = errors.New("this build has no ONNX Runtime: " + WhyNot)

func load(string) (*Library, error) { return nil, errUnavailable }

// Version is empty.
func (l *Library) Version() string { return "" }

type output struct {
	name           string
	elements, size int
}

type session struct{}

func (l *Library) session([]byte, int, []string, []output) (*session, error) {
	return nil, errUnavailable
}

func (s *session) run([]int64, int, int) ([]byte, error) { return nil, errUnavailable }

func (s *session) close() {}
