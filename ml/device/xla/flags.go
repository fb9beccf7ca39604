//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package xla

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
)

// packing is the flag of XLA's CPU plugins for XNNPACK. That packs the right
// side of a matrix product once if it is an input of the program, and again only
// when its address changes. A weight that is updated in place keeps its address,
// and would be read as it was in the first step. Without XNNPACK products run as
// fast (measured: MiniLM, two cores).
const packing = "xla_cpu_use_xnnpack"

// flagsEnv is read once by each plugin, when its first client is made.
const flagsEnv = "XLA_FLAGS"

// withoutPacking makes a client while XLA's environment switches packing off. A
// plugin that does not know a flag ends the process, so it is looked for first.
func withoutPacking[T any](path string, known bool, open func() (T, error)) (T, error) {
	var none T
	if !known {
		var err error
		if known, err = contains(path, packing); err != nil {
			return none, fmt.Errorf("look for flags in the plugin: %w", err)
		}
	}
	before, set := os.LookupEnv(flagsEnv)
	if !known {
		return open()
	}
	if err := os.Setenv(flagsEnv, before+" --"+packing+"=false"); err != nil {
		return none, err
	}
	defer func() {
		if set {
			_ = os.Setenv(flagsEnv, before) // it was possible before
		} else {
			_ = os.Unsetenv(flagsEnv) // nor can this fail
		}
	}()
	return open()
}

// contains reports whether a file holds a string.
func contains(path, s string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		chunk, err := r.Peek(1 << 20)
		if bytes.Contains(chunk, []byte(s)) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if _, err := r.Discard(len(chunk) - len(s)); err != nil {
			return false, err
		}
	}
}
