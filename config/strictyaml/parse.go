package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"go.yaml.in/yaml/v4"
)

// Parse reads a text; file names it in messages. It returns a document in any
// case, with Root nil if there is nothing to tell of it, and all mistakes.
func Parse(file string, data []byte) (*Document, diagnostic.Errors) {
	doc := &Document{File: file, lines: strings.Split(string(data), "\n")}
	if len(data) > maxBytes {
		return doc, diagnostic.Errors{{Pos: diagnostic.Position{File: file}, Message: ErrTooLarge.Error(), Hint: TooLargeHint}}
	}
	if before, _, found := bytes.Cut(data, []byte{0}); found {
		return doc, diagnostic.Errors{doc.at(1+bytes.Count(before, []byte{'\n'}), 0, "", "a NUL byte: this is not a text file", "")}
	}
	for i, line := range doc.lines {
		// No line holds a NUL any more, so one marks the first bad byte.
		if good, _, bad := strings.Cut(strings.ToValidUTF8(line, "\x00"), "\x00"); bad {
			return doc, diagnostic.Errors{doc.at(i+1, utf8.RuneCountInString(good)+1, "", "this is not UTF-8", "save the file as UTF-8")}
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var node yaml.Node
	err := decoder.Decode(&node)
	if errors.Is(err, io.EOF) {
		doc.Root = &Node{Pos: diagnostic.Position{File: file, Line: 1, Col: 1}}
		return doc, nil
	}
	if err != nil {
		return doc, diagnostic.Errors{doc.syntax(err)}
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return doc, diagnostic.Errors{doc.syntax(err)}
		}
		return doc, diagnostic.Errors{doc.at(second.Line, second.Column, "", "a second document: a file holds one", "remove the line --- and what follows")}
	}
	var errs diagnostic.Errors
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		doc.Root = doc.convert(node.Content[0], "", 0, &errs)
	} else {
		doc.Root = &Node{Pos: diagnostic.Position{File: file, Line: 1, Col: 1}}
	}
	return doc, errs
}

// syntax turns the parser's error into one with a place.
func (d *Document) syntax(err error) *diagnostic.Error {
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

// convert turns a parsed node into ours and collects what is not allowed.
func (d *Document) convert(n *yaml.Node, path string, depth int, errs *diagnostic.Errors) *Node {
	it := &Node{Pos: diagnostic.Position{File: d.File, Line: n.Line, Col: n.Column}}
	fail := func(message, hint string) *Node {
		*errs = append(*errs, d.ErrorAt(it.Pos, path, message, hint))
		it.Value = Broken{}
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
		m := &Map{KeyPos: map[string]diagnostic.Position{}, Items: map[string]*Node{}}
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
			at := Join(path, k.Value)
			if first, double := m.KeyPos[k.Value]; double {
				*errs = append(*errs, d.at(k.Line, k.Column, at, fmt.Sprintf("the key stands twice, first in line %d", first.Line), "remove one of them"))
				continue
			}
			m.Keys = append(m.Keys, k.Value)
			m.KeyPos[k.Value] = diagnostic.Position{File: d.File, Line: k.Line, Col: k.Column}
			m.Items[k.Value] = d.convert(n.Content[i+1], at, depth+1, errs)
		}
		it.Value = m
	case yaml.SequenceNode:
		if t := n.ShortTag(); t != "!!seq" {
			return fail("tag "+t+" is not allowed", "")
		}
		list := make([]*Node, len(n.Content))
		for i, c := range n.Content {
			list[i] = d.convert(c, Join(path, strconv.Itoa(i)), depth+1, errs)
		}
		it.Value = list
	case yaml.ScalarNode:
		v, err := scalar(n)
		if err != nil {
			return fail(err.Error(), "")
		}
		it.Value = v
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
