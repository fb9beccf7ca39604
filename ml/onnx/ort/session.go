//go:build cgo && linux && (amd64 || arm64)

package ort

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "ort.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// Available tells builds that can load ONNX Runtime from those that cannot; WhyNot says what
// the others need.
const (
	Available = true
	WhyNot    = ""
)

// Library is ONNX Runtime, loaded. It stays until the process ends.
type Library struct{ runtime *C.ortRuntime }

// load loads the library at a path. The caller has checked the file.
func load(path string) (*Library, error) {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	var reason *C.char
	r := C.ortOpen(p, &reason)
	if r == nil {
		return nil, failure("open "+path, reason)
	}
	return &Library{r}, nil
}

// Version is the library's own.
func (l *Library) Version() string { return C.GoString(C.ortVersionOf(l.runtime)) }

// failure makes an error of a text of C's, which it frees.
func failure(what string, reason *C.char) error {
	if reason == nil {
		return errors.New(what + ": no memory")
	}
	defer C.free(unsafe.Pointer(reason))
	return fmt.Errorf("%s: %s", what, C.GoString(reason))
}

// output is one of a session: elements of a row, and the bytes of each.
type output struct {
	name           string
	elements, size int
}

// session is a model in the library. Run is safe for concurrent use; close must come after
// the last.
type session struct {
	s            *C.ortSession
	inputs, outs []*C.char
	sizes        []int // of a row, in bytes
	closing      sync.Once
}

func (l *Library) session(model []byte, threads int, inputs []string, outputs []output) (*session, error) {
	var reason *C.char
	s := C.ortLoad(l.runtime, unsafe.Pointer(unsafe.SliceData(model)), C.size_t(len(model)), C.int(threads), &reason)
	if s == nil {
		return nil, failure("put the model into ONNX Runtime", reason)
	}
	out := &session{s: s}
	for _, name := range inputs {
		out.inputs = append(out.inputs, C.CString(name))
	}
	for _, o := range outputs {
		out.outs, out.sizes = append(out.outs, C.CString(o.name)), append(out.sizes, o.elements*o.size)
	}
	return out, nil
}

// run computes a batch: in has the inputs one behind the other, int64 [rows,length] each; the
// result has the outputs so.
func (s *session) run(in []int64, rows, length int) ([]byte, error) {
	if len(in) != len(s.inputs)*rows*length || rows*length == 0 {
		return nil, fmt.Errorf("%d numbers are not %d inputs of %d rows of %d", len(in), len(s.inputs), rows, length)
	}
	total, sizes := 0, make([]C.size_t, len(s.sizes))
	for i, n := range s.sizes {
		sizes[i], total = C.size_t(rows*n), total+rows*n
	}
	to := make([]byte, total)
	var reason *C.char
	bad := C.ortRun(s.s, C.int(len(s.inputs)), &s.inputs[0], (*C.int64_t)(&in[0]), C.int64_t(rows), C.int64_t(length),
		C.int(len(s.outs)), &s.outs[0], &sizes[0], (*C.char)(unsafe.Pointer(&to[0])), &reason)
	if bad != 0 {
		return nil, failure("ONNX Runtime", reason)
	}
	return to, nil
}

func (s *session) close() {
	s.closing.Do(func() {
		C.ortClose(s.s)
		for _, name := range append(s.inputs, s.outs...) {
			C.free(unsafe.Pointer(name))
		}
	})
}
