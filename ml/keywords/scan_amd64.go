//go:build !purego

package keywords

// readsBeyond allows scan to be called near the end of a text.
const readsBeyond = true

// scan fills the bits of 64 bytes, sixteen at a time.
//
//go:noescape
func scan(p *byte, out *block)
