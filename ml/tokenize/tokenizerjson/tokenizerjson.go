// Package tokenizerjson is what the readers of a tokenizer.json's parts share: how a part names
// itself, the error for one that no engine here follows, and a reader of long lists.
// It imports nothing of this module.
package tokenizerjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// UnsupportedError says which part of a tokenizer.json is of a kind that an engine does not follow.
type UnsupportedError struct{ Part, Got, Want string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("tokenizer.json: %s is %s, not %s", e.Part, e.Got, e.Want)
}

// Typed is the type of a part.
type Typed struct {
	Type string `json:"type"`
}

// Name is the type for messages.
func (t Typed) Name() string {
	if t.Type == "" {
		return "without a type"
	}
	return t.Type
}

// Null says that a part is left out.
func Null(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// Reader reads valid JSON element by element. A list of 500,000 elements takes a general decoder
// ten times as long.
type Reader struct{ Rest []byte }

// Take reads a character of the syntax, if it is the next one.
func (r *Reader) Take(c byte) bool {
	r.Rest = bytes.TrimLeft(r.Rest, " \t\r\n")
	if len(r.Rest) == 0 || r.Rest[0] != c {
		return false
	}
	r.Rest = r.Rest[1:]
	return true
}

// Text reads a string.
func (r *Reader) Text() (string, bool) {
	if !r.Take('"') {
		return "", false
	}
	plain := true
	for i := 0; i < len(r.Rest); i++ {
		switch c := r.Rest[i]; {
		case c == '\\':
			plain = false
			i++
		case c == '"':
			raw := r.Rest[:i]
			r.Rest = r.Rest[i+1:]
			if plain && utf8.Valid(raw) {
				return string(raw), true
			}
			var s string
			err := json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &s)
			return s, err == nil
		}
	}
	return "", false
}

// Number reads a finite number.
func (r *Reader) Number() (float64, bool) {
	r.Rest = bytes.TrimLeft(r.Rest, " \t\r\n")
	n := bytes.IndexAny(r.Rest, " \t\r\n,]}")
	if n < 0 {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(r.Rest[:n]), 64)
	r.Rest = r.Rest[n:]
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
