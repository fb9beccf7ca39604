package normalize

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// charsmap is SentencePiece's table of replacements: a trie of darts-clone's units, whose values
// are places in text, where a replacement ends with a zero.
type charsmap struct {
	units []uint32
	text  []byte
	ascii [utf8.RuneSelf]bool // runes that stay as they are
}

// maxCharsmap is in bytes of base64; the largest known one has 320 kB.
const maxCharsmap = 8 << 20

// parseCharsmap reads a table and checks that every walk through it ends.
func parseCharsmap(coded string) (*charsmap, error) {
	if len(coded) > maxCharsmap {
		return nil, fmt.Errorf("tokenizer.json: normalizer: precompiled_charsmap has %d bytes, more than %d", len(coded), maxCharsmap)
	}
	data, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: normalizer: precompiled_charsmap: %w", err)
	}
	if len(data) < 8 {
		return nil, errors.New("tokenizer.json: normalizer: precompiled_charsmap holds no table")
	}
	size := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if size == 0 || size%4 != 0 || uint64(size) > uint64(len(data)) {
		return nil, fmt.Errorf("tokenizer.json: normalizer: precompiled_charsmap says that its table has %d bytes, of %d", size, len(data))
	}
	c := &charsmap{units: make([]uint32, size/4), text: data[size:]}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	if !utf8.Valid(c.text) {
		return nil, errors.New("tokenizer.json: normalizer: precompiled_charsmap: the replacements are not UTF-8")
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("tokenizer.json: normalizer: precompiled_charsmap: %w", err)
	}
	for r := range c.ascii {
		_, replaced := c.find([]byte{byte(r)}) //nolint:gosec // below 128
		c.ascii[r] = !replaced
	}
	return c, nil
}

// The fields of a unit.
func offsetOf(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
func labelOf(u uint32) uint32  { return u & (1<<31 | 0xff) }
func hasLeaf(u uint32) bool    { return u>>8&1 == 1 }
func valueOf(u uint32) uint32  { return u & (1<<31 - 1) }

// check walks through all units that a text can reach: equal ends may share units, so the trie is
// a graph, but no walk may come back to where it was, and no value may lie outside of text.
func (c *charsmap) check() error {
	const unseen, open, done = 0, 1, 2
	// The children of a unit of base b are those units k whose label is b^k: sorted by base, they
	// are found without trying all bytes.
	starts := make([]uint32, len(c.units)+1)
	for k, u := range c.units {
		if b := uint32(k) ^ labelOf(u); labelOf(u) < 1<<8 && int64(b) < int64(len(c.units)) { //nolint:gosec // k is below 1<<23
			starts[b+1]++
		}
	}
	for i := range c.units {
		starts[i+1] += starts[i]
	}
	next, children := append([]uint32(nil), starts...), make([]uint32, starts[len(c.units)])
	for k, u := range c.units {
		if b := uint32(k) ^ labelOf(u); labelOf(u) < 1<<8 && int64(b) < int64(len(c.units)) { //nolint:gosec // k is below 1<<23
			children[next[b]] = uint32(k) //nolint:gosec // k is below 1<<23
			next[b]++
		}
	}
	type frame struct{ unit, base, child uint32 }
	state := make([]uint8, len(c.units))
	enter := func(k uint32) (frame, error) {
		base := k ^ offsetOf(c.units[k])
		if int64(base) >= int64(len(c.units)) {
			return frame{}, fmt.Errorf("unit %d points outside of the table", k)
		}
		if hasLeaf(c.units[k]) {
			if v := valueOf(c.units[base]); int64(v) >= int64(len(c.text)) || !utf8.RuneStart(c.text[v]) {
				return frame{}, fmt.Errorf("unit %d has no replacement", k)
			}
		}
		state[k] = open
		return frame{k, base, starts[base]}, nil
	}
	root, err := enter(0)
	stack := []frame{root}
	for err == nil && len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.child == starts[top.base+1] {
			state[top.unit], stack = done, stack[:len(stack)-1]
			continue
		}
		k := children[top.child]
		top.child++
		if labelOf(c.units[k]) == 0 { // a leaf's value may look like a child of byte 0
			continue
		}
		switch state[k] {
		case open:
			return fmt.Errorf("the table is no tree: unit %d leads back to itself", k)
		case unseen:
			var f frame
			if f, err = enter(k); err == nil {
				stack = append(stack, f)
			}
		}
	}
	return err
}

// find gives what stands for the shortest prefix of s that has a replacement. It is the shortest
// one since the original takes the first that it finds.
func (c *charsmap) find(s []byte) (replacement []byte, ok bool) {
	at := offsetOf(c.units[0])
	for _, b := range s {
		if b == 0 {
			return nil, false
		}
		at ^= uint32(b)
		if int64(at) >= int64(len(c.units)) || labelOf(c.units[at]) != uint32(b) {
			return nil, false
		}
		u := c.units[at]
		at ^= offsetOf(u)
		if hasLeaf(u) {
			from := c.text[valueOf(c.units[at]):]
			if n := bytes.IndexByte(from, 0); n >= 0 {
				from = from[:n]
			}
			return from, true
		}
	}
	return nil, false
}

// shortGrapheme is one byte more than a grapheme has that is replaced as a whole: by what stands
// for its shortest prefix, whatever follows that. It is odd, and models are trained with it.
const shortGrapheme = 6

func (c *charsmap) Apply(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		if b := src[i]; b >= ' ' && b < 0x7f && (i+1 == len(src) || src[i+1] < utf8.RuneSelf) {
			if i++; c.ascii[b] {
				dst = append(dst, b)
			} else {
				replacement, _ := c.find(src[i-1 : i])
				dst = append(dst, replacement...)
			}
			continue
		}
		n := grapheme(src[i:])
		g := src[i : i+n]
		i += n
		if n < shortGrapheme {
			if replacement, ok := c.find(g); ok {
				dst = append(dst, replacement...)
				continue
			}
		}
		for len(g) > 0 {
			_, width := utf8.DecodeRune(g)
			if replacement, ok := c.find(g[:width]); ok {
				dst = append(dst, replacement...)
			} else {
				dst = append(dst, g[:width]...)
			}
			g = g[width:]
		}
	}
	return dst
}

func (c *charsmap) DropsFirst([]byte) bool { return false }
