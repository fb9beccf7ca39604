package options

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
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

func textual(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
