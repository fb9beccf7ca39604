package strictyaml

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sprint-ml/sprint/config/diagnostic"
)

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
