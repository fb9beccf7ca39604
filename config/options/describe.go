package options

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Schema returns the JSON Schema of an options struct, given as a pointer. It
// is made of the tags that Decode reads.
func Schema(options any) map[string]any { return structSchema(reflect.TypeOf(options).Elem()) }

// DurationSchema is the JSON Schema of a duration such as 90s.
func DurationSchema(doc string) map[string]any {
	return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`, "description": doc}
}

func structSchema(t reflect.Type) map[string]any {
	properties := map[string]any{}
	required := []any{}
	for _, f := range fieldsOf(t) {
		s := typeSchema(t.Field(f.index).Type, f)
		if f.doc != "" {
			s["description"] = f.doc
		}
		if f.hasDefault {
			if v, err := strictyaml.ParseValue(f.defaultText); err == nil {
				s["default"] = v
			}
		}
		properties[f.name] = s
		if f.alias != "" {
			properties[f.alias] = s
		}
		if f.required {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func typeSchema(t reflect.Type, f field) map[string]any {
	t = elem(t)
	s := map[string]any{}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return DurationSchema("")
	case textual(t):
		s["type"] = []any{"string", "number"}
		return s
	}
	bound := func(low, high string) {
		for key, tag := range map[string]string{low: f.min, high: f.max, "exclusiveMinimum": f.above, "exclusiveMaximum": f.below} {
			if x, err := strconv.ParseFloat(tag, 64); err == nil {
				s[key] = x
			}
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64:
		s["type"] = "integer"
		bound("minimum", "maximum")
	case reflect.Float32, reflect.Float64:
		s["type"] = "number"
		bound("minimum", "maximum")
	case reflect.Slice:
		inner := f
		inner.min, inner.max, inner.above, inner.below = "", "", "", ""
		items := typeSchema(t.Elem(), inner)
		// A scalar given to a list is a list of one.
		list := map[string]any{"type": "array", "items": items}
		for key, tag := range map[string]string{"minItems": f.min, "maxItems": f.max} {
			if n, err := strconv.Atoi(tag); err == nil {
				list[key] = n
			}
		}
		s["anyOf"] = []any{list, items}
	case reflect.Map:
		s["type"] = "object"
		s["additionalProperties"] = typeSchema(t.Elem(), f)
	case reflect.Struct:
		return structSchema(t)
	case reflect.Interface:
		delete(s, "description")
	case reflect.String:
		s["type"] = "string"
		if len(f.enum) > 0 {
			delete(s, "type")
			var values []any
			for _, e := range f.enum {
				values = append(values, e)
				if b, err := strconv.ParseBool(e); err == nil && e == strconv.FormatBool(b) {
					values = append(values, b) // auto|true|false needs no quotes
				}
			}
			s["enum"] = values
		}
	default:
		s["description"] = fmt.Sprintf("type %s", t)
	}
	return s
}

func elem(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// structOf returns the struct inside a pointer or a list, nil for other types.
func structOf(t reflect.Type) reflect.Type {
	t = elem(t)
	if t.Kind() == reflect.Slice {
		t = elem(t.Elem())
	}
	if t.Kind() == reflect.Struct && !textual(t) {
		return t
	}
	return nil
}

// textual reports whether values of a type read themselves from text.
func textual(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// Field describes one option for reference pages.
type Field struct {
	Path    string // dotted
	Type    string
	Default string
	Doc     string
	Allowed string // enum or bounds, in words
	Keyed   bool
}

// Reference lists the options of a struct in its order, nested ones after
// their parent.
func Reference(options any) []Field {
	var out []Field
	reference(reflect.TypeOf(options).Elem(), "", &out)
	return out
}

func reference(t reflect.Type, prefix string, out *[]Field) {
	for _, f := range fieldsOf(t) {
		ft := t.Field(f.index).Type
		path := strictyaml.Join(prefix, f.name)
		x := Field{Path: path, Type: typeWord(ft), Default: f.defaultText, Doc: f.doc, Keyed: f.keyed && !f.path, Allowed: strings.Join(f.enum, ", ")}
		var bounds []string
		for _, b := range [][2]string{{"at least ", f.min}, {"at most ", f.max}, {"above ", f.above}, {"below ", f.below}} {
			if b[1] != "" {
				bounds = append(bounds, b[0]+b[1])
			}
		}
		if len(bounds) > 0 && elem(ft).Kind() == reflect.Slice {
			bounds = []string{strings.Join(bounds, ", ") + " of them"}
		}
		if x.Allowed != "" && len(bounds) > 0 {
			x.Allowed += "; "
		}
		x.Allowed += strings.Join(bounds, ", ")
		switch {
		case f.required:
			x.Default = "required"
		case f.like != "":
			x.Default = "as " + f.like
		}
		*out = append(*out, x)
		if inner := structOf(ft); inner != nil {
			at := path
			if elem(ft).Kind() == reflect.Slice {
				at += "[]"
			}
			reference(inner, at, out)
		}
	}
}

// typeWord says what a value of a type is, in words.
func typeWord(t reflect.Type) string {
	t = elem(t)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case textual(t):
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "whole number"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + typeWord(t.Elem())
	case reflect.Map, reflect.Struct:
		return "map"
	}
	return "text"
}
