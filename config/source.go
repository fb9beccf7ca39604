package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxSource caps a plan, values or config file.
const maxSource = 1 << 20

// maxDepth caps the nesting of a file; real ones stay below 8.
const maxDepth = 32

// document is a parsed YAML file: its value, and where each part stands.
type document struct {
	file  string
	lines []string
	root  *item
}

// item is one value with its place. value is nil, bool, int64, float64, string,
// []*item, *mapping or broken.
type item struct {
	pos   Position
	value any
}

// broken stands for a value whose mistake was reported: nothing more is said
// of it.
type broken struct{}

// mapping keeps the order of keys and where each key stands.
type mapping struct {
	keys   []string
	keyPos map[string]Position
	items  map[string]*item
}

func (m *mapping) get(key string) *item { return m.items[key] }

var errTooLarge = errors.New("the file is larger than 1 MiB")

const tooLargeHint = "a plan names data, it does not hold it"

// readSource reads a file of at most 1 MiB without reading a larger one whole.
func readSource(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSource {
		return nil, errTooLarge
	}
	return data, nil
}

// parseDocument reads strict YAML: one document, no anchors, aliases, merge
// keys or tags of its own, no key twice.
func parseDocument(file string, data []byte) (*document, Errors) {
	doc := &document{file: file, lines: strings.Split(string(data), "\n")}
	if len(data) > maxSource {
		return doc, Errors{{Pos: Position{File: file}, Message: errTooLarge.Error(), Hint: tooLargeHint}}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return doc, Errors{doc.at(1+bytes.Count(data[:i], []byte{'\n'}), 0, "", "a NUL byte: this is not a text file", "")}
	}
	if !utf8.Valid(data) {
		for i, line := range doc.lines {
			if !utf8.ValidString(line) {
				good := 0
				for rest := line; ; good++ {
					r, size := utf8.DecodeRuneInString(rest)
					if r == utf8.RuneError && size == 1 {
						break
					}
					rest = rest[size:]
				}
				return doc, Errors{doc.at(i+1, good+1, "", "this is not UTF-8", "save the file as UTF-8")}
			}
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var node yaml.Node
	err := decoder.Decode(&node)
	if errors.Is(err, io.EOF) {
		doc.root = &item{pos: Position{File: file, Line: 1, Col: 1}}
		return doc, nil
	}
	if err != nil {
		return doc, Errors{doc.syntax(err)}
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return doc, Errors{doc.syntax(err)}
		}
		return doc, Errors{doc.at(second.Line, second.Column, "", "a second document: a file holds one", "remove the line --- and what follows")}
	}
	var errs Errors
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		doc.root = doc.convert(node.Content[0], "", 0, &errs)
	} else {
		doc.root = &item{pos: Position{File: file, Line: 1, Col: 1}}
	}
	return doc, errs
}

// syntax turns the parser's error into one with a place.
func (d *document) syntax(err error) *Error {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return d.at(0, 0, "", "not valid YAML: "+err.Error(), "")
	}
	line, col := load.Mark.Line, load.Mark.Column
	for line > 1 && (line > len(d.lines) || strings.TrimSpace(d.lines[line-1]) == "") {
		line, col = line-1, 0 // the end of the file is no place to look at
	}
	e := d.at(line, col, "", "not valid YAML: "+load.Message, "")
	switch {
	case line > 0 && strings.Contains(d.lines[line-1], "\t"):
		e.Hint = "YAML is indented by spaces, never by tabs"
	case load.ContextMsg != "" && load.ContextMark.Line > 0 && load.ContextMark.Line <= line:
		e.Hint = fmt.Sprintf("%s that begins in line %d", load.ContextMsg, load.ContextMark.Line)
	}
	return e
}

// at makes an error at a place of the document.
func (d *document) at(line, col int, path, message, hint string) *Error {
	return d.on(Position{File: d.file, Line: line, Col: col}, path, message, hint)
}

func (d *document) on(pos Position, path, message, hint string) *Error {
	e := &Error{Pos: pos, Path: path, Message: message, Hint: hint}
	if pos.File == d.file && pos.Line > 0 && pos.Line <= len(d.lines) {
		e.Excerpt = strings.TrimRight(d.lines[pos.Line-1], "\r")
	}
	return e
}

func (d *document) convert(n *yaml.Node, path string, depth int, errs *Errors) *item {
	it := &item{pos: Position{File: d.file, Line: n.Line, Col: n.Column}}
	fail := func(message, hint string) *item {
		*errs = append(*errs, d.on(it.pos, path, message, hint))
		it.value = broken{}
		return it
	}
	if depth > maxDepth {
		return fail("nested too deeply", "")
	}
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return fail("anchors and aliases are not allowed", "write the value out")
	}
	switch n.Kind {
	case yaml.MappingNode:
		if t := n.ShortTag(); t != "!!map" {
			return fail("tag "+t+" is not allowed", "")
		}
		m := &mapping{keyPos: map[string]Position{}, items: map[string]*item{}}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			switch {
			case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
				*errs = append(*errs, d.at(k.Line, k.Column, path, "merge keys (<<) are not allowed", "write the values out"))
				continue
			case k.Kind != yaml.ScalarNode || k.Anchor != "":
				*errs = append(*errs, d.at(k.Line, k.Column, path, "a key must be a plain word", ""))
				continue
			}
			at := join(path, k.Value)
			if first, double := m.keyPos[k.Value]; double {
				*errs = append(*errs, d.at(k.Line, k.Column, at, fmt.Sprintf("the key stands twice, first in line %d", first.Line), "remove one of them"))
				continue
			}
			m.keys = append(m.keys, k.Value)
			m.keyPos[k.Value] = Position{File: d.file, Line: k.Line, Col: k.Column}
			m.items[k.Value] = d.convert(n.Content[i+1], at, depth+1, errs)
		}
		it.value = m
	case yaml.SequenceNode:
		if t := n.ShortTag(); t != "!!seq" {
			return fail("tag "+t+" is not allowed", "")
		}
		list := make([]*item, len(n.Content))
		for i, c := range n.Content {
			list[i] = d.convert(c, join(path, strconv.Itoa(i)), depth+1, errs)
		}
		it.value = list
	case yaml.ScalarNode:
		v, err := scalar(n)
		if err != nil {
			return fail(err.Error(), "")
		}
		it.value = v
	default:
		return fail("not a value", "")
	}
	return it
}

// scalar gives the value of a YAML 1.2 core scalar. Dates stay text.
func scalar(n *yaml.Node) (any, error) {
	switch t := n.ShortTag(); t {
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int":
		var i int64
		if err := n.Decode(&i); err != nil {
			return nil, fmt.Errorf("the number %s is out of range", n.Value)
		}
		return i, nil
	case "!!float":
		var f float64
		if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%s is not a number that can be used", n.Value)
		}
		return f, nil
	default:
		return nil, fmt.Errorf("tag %s is not allowed", t)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// plain strips the places off.
func (it *item) plain() any {
	switch v := it.value.(type) {
	case *mapping:
		out := make(map[string]any, len(v.keys))
		for _, k := range v.keys {
			out[k] = v.items[k].plain()
		}
		return out
	case []*item:
		out := make([]any, len(v))
		for i, c := range v {
			out[i] = c.plain()
		}
		return out
	case broken:
		return nil
	}
	return it.value
}

// keyMark ends the path under which the place of a key is kept, beside that of
// its value. A document has no NUL, so no key of a plan ends like it.
const keyMark = "\x00key"

// places records where every part below it stands, by dotted path.
func (it *item) places(path string, into map[string]Position) {
	into[path] = it.pos
	switch v := it.value.(type) {
	case *mapping:
		for _, k := range v.keys {
			v.items[k].places(join(path, k), into)
			into[join(path, k)+keyMark] = v.keyPos[k]
		}
	case []*item:
		for i, c := range v {
			c.places(join(path, strconv.Itoa(i)), into)
		}
	}
}

// shorten cuts a text to so many characters.
func shorten(s string, most int) string {
	count := 0
	for i := range s {
		if count == most {
			return s[:i] + "…"
		}
		count++
	}
	return s
}

// typeName says what a value is, for messages.
func typeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "nothing"
	case bool:
		return fmt.Sprintf("the truth value %v", x)
	case int64, float64:
		return fmt.Sprintf("the number %v", x)
	case string:
		return fmt.Sprintf("the text %q", shorten(x, 40))
	case []*item, []any:
		return "a list"
	case *mapping, map[string]any:
		return "a map"
	}
	return fmt.Sprintf("%v", v)
}
