// Package strictyaml reads YAML that means one thing: one document in UTF-8 of at
// most 1 MiB, without anchors, aliases, merge keys, tags of its own or a key
// twice. Every value keeps the place where it stands, and a mistake is a
// diagnostic.Error that shows its line. document.go has the types, parse.go reads
// a text into them, values.go gives their values to code that needs no places.
package strictyaml

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
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

// ReadFile reads a file of at most 1 MiB without reading a larger one whole.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBytes {
		return nil, ErrTooLarge
	}
	return data, nil
}

// ErrorAt makes an error at a place, with the line that stands there if the
// place is in this document. path is the dotted path of the wrong value.
func (d *Document) ErrorAt(pos diagnostic.Position, path, message, hint string) *diagnostic.Error {
	e := &diagnostic.Error{Pos: pos, Path: path, Message: message, Hint: hint}
	if pos.File == d.File && pos.Line > 0 && pos.Line <= len(d.lines) {
		e.Excerpt = strings.TrimRight(d.lines[pos.Line-1], "\r")
	}
	return e
}

// at makes an error at a line and column of the document.
func (d *Document) at(line, col int, path, message, hint string) *diagnostic.Error {
	return d.ErrorAt(diagnostic.Position{File: d.File, Line: line, Col: col}, path, message, hint)
}
