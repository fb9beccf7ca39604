// Package strictyaml reads YAML that means one thing: one document in UTF-8 of at
// most 1 MiB, without anchors, aliases, merge keys, tags of its own or a key
// twice. Every value keeps the place where it stands, and a mistake is a
// diagnostic.Error that shows its line. document.go has the types and gives their
// values to code that needs no places, parse.go reads a text into them.
package strictyaml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/ml/plainfile"
)

// maxBytes caps a file, maxDepth its nesting; real plans stay below 8 levels.
const (
	maxBytes = 1 << 20
	maxDepth = 32
)

// ErrTooLarge is what ReadFile gives for a file over 1 MiB; TooLargeHint says
// what to do about it.
var ErrTooLarge = errors.New("the file is larger than 1 MiB")

// TooLargeHint is the hint of a message that tells ErrTooLarge.
const TooLargeHint = "a plan names data, it does not hold it"

// Document is a parsed file: its values, and its lines for messages.
type Document struct {
	File string // as errors name it
	Root *Node  // nil if the text could not be parsed

	lines []string
}

// Node is one value with its place. Value is nil, bool, int64, float64, string,
// []*Node, *Map or Broken.
type Node struct {
	Pos   diagnostic.Position
	Value any
}

// Map keeps the order of keys, and where each key stands.
type Map struct {
	Keys   []string
	KeyPos map[string]diagnostic.Position
	Items  map[string]*Node
}

// Broken stands for a value whose mistake was reported: nothing more is said
// of it.
type Broken struct{}

// ReadFile reads a plain file of at most 1 MiB without reading a larger one whole.
func ReadFile(path string) ([]byte, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

// ReadPipe reads what ReadFile does, and pipes, for which it waits until ctx ends.
func ReadPipe(ctx context.Context, path string) ([]byte, error) {
	f, err := plainfile.OpenPipe(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBytes {
		return nil, ErrTooLarge
	}
	return data, nil
}

// ErrorAt makes an error at a place, with the line that stands there if the
// place is in this document; without a document there is no line. path is the
// dotted path of the wrong value.
func (d *Document) ErrorAt(pos diagnostic.Position, path, message, hint string) *diagnostic.Error {
	e := &diagnostic.Error{Pos: pos, Path: path, Message: message, Hint: hint}
	if d != nil && pos.File == d.File && pos.Line > 0 && pos.Line <= len(d.lines) {
		e.Excerpt = strings.TrimRight(d.lines[pos.Line-1], "\r")
	}
	return e
}

// at makes an error at a line and column of the document.
func (d *Document) at(line, col int, path, message, hint string) *diagnostic.Error {
	return d.ErrorAt(diagnostic.Position{File: d.File, Line: line, Col: col}, path, message, hint)
}

// ParseValue reads one value of a flag, a variable or a default: nil, bool,
// int64, float64, string, []any or map[string]any. Its error has no place.
func ParseValue(text string) (any, error) {
	doc, errs := Parse("", []byte(text))
	if len(errs) > 0 {
		return nil, errors.New(errs[0].Message)
	}
	return doc.Root.Plain(), nil
}

// Join appends a key to a dotted path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Plain returns the value without its places, as ParseValue does. Broken is nil.
func (n *Node) Plain() any {
	switch v := n.Value.(type) {
	case *Map:
		out := make(map[string]any, len(v.Keys))
		for _, k := range v.Keys {
			out[k] = v.Items[k].Plain()
		}
		return out
	case []*Node:
		out := make([]any, len(v))
		for i, c := range v {
			out[i] = c.Plain()
		}
		return out
	case Broken:
		return nil
	}
	return n.Value
}

// KeyPath returns the path under which Places records where the key of a value
// stands, beside the value's own. A document has no NUL, so no key ends like it.
func KeyPath(path string) string { return path + "\x00key" }

// Places records where the value and every part below it stand, by dotted path.
func (n *Node) Places(path string, into map[string]diagnostic.Position) {
	into[path] = n.Pos
	switch v := n.Value.(type) {
	case *Map:
		for _, k := range v.Keys {
			v.Items[k].Places(Join(path, k), into)
			into[KeyPath(Join(path, k))] = v.KeyPos[k]
		}
	case []*Node:
		for i, c := range v {
			c.Places(Join(path, strconv.Itoa(i)), into)
		}
	}
}

// TypeName says what a value is, for messages.
func TypeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "nothing"
	case bool:
		return fmt.Sprintf("the truth value %v", x)
	case int64, float64:
		return fmt.Sprintf("the number %v", x)
	case string:
		return fmt.Sprintf("the text %q", diagnostic.Shorten(x, 40))
	case []*Node, []any:
		return "a list"
	case *Map, map[string]any:
		return "a map"
	}
	return fmt.Sprintf("%v", v)
}
