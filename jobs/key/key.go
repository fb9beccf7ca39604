// Package key makes the key of a stage: a digest of everything that changes the
// stage's result, its pre-image. It holds the pre-image, the one way to write it
// as bytes (canonical JSON), and the comparison of two pre-images that says why
// work is done again. It imports nothing of sprint.
package key

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// keyFormat is bumped when the pre-image's own shape changes.
const keyFormat = 1

// Preimage is what a key is the digest of: everything that changes the result
// of a stage, and nothing else. It is stored with the manifest so that a later
// run can say what changed.
type Preimage struct {
	Format   int               `json:"format"`
	Kind     string            `json:"kind"`
	Version  int               `json:"version"`
	Options  map[string]any    `json:"options"`
	Inputs   map[string]string `json:"inputs"` // artifact name -> digest
	External map[string]any    `json:"external"`
}

// Key returns the pre-image as canonical JSON and its SHA-256 as 64 hex digits.
func (p Preimage) Key() (key string, canonical []byte, err error) {
	p.Format = keyFormat
	raw, err := json.Marshal(p)
	if err != nil {
		return "", nil, fmt.Errorf("key of a %s stage: %w", p.Kind, err)
	}
	canonical, err = Canonical(raw)
	if err != nil {
		return "", nil, fmt.Errorf("key of a %s stage: %w", p.Kind, err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(canonical)), canonical, nil
}

// Canonical rewrites JSON by RFC 8785: keys sorted by UTF-16 code units, no
// space, numbers as ECMAScript prints a double, strings with the least escapes.
func Canonical(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON value")
	}
	return AppendCanonical(nil, v)
}

// AppendCanonical appends a value to b in the form of Canonical. It takes what
// encoding/json decodes into an any, and no other types.
func AppendCanonical(b []byte, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, x), nil
	case float64:
		// encoding/json follows ECMAScript's shortest form for doubles.
		n, err := json.Marshal(x)
		if string(n) == "-0" {
			n = []byte("0")
		}
		return append(b, n...), err
	case string:
		return appendString(b, x)
	case []any:
		b = append(b, '[')
		var err error
		for i, c := range x {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = AppendCanonical(b, c); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		keys := slices.SortedFunc(maps.Keys(x), func(a, b string) int {
			return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		})
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendString(b, k); err != nil {
				return nil, err
			}
			b = append(b, ':')
			if b, err = AppendCanonical(b, x[k]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return nil, fmt.Errorf("a value of type %T has no canonical form", v)
}

// escapes are the characters that have a short escape.
var escapes = map[rune]string{
	'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`,
}

func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("the text %q is not UTF-8", s)
	}
	b = append(b, '"')
	for _, r := range s {
		switch escape, ok := escapes[r]; {
		case ok:
			b = append(b, escape...)
		case r < 0x20:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"'), nil
}
