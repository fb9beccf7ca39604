//go:build !amd64 || purego

package keywords

import "unsafe"

// readsBeyond forbids scan to be called near the end of a text.
const readsBeyond = false

// scan fills the bits of 64 bytes, eight at a time.
func scan(p *byte, out *block) { scanPortable((*[64]byte)(unsafe.Pointer(p)), out) }
