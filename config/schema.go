package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// KindSchema is what the schema needs of a kind of stage.
type KindSchema struct {
	Name    string
	Doc     string
	Options any // pointer to the options struct
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
		path := join(prefix, f.name)
		x := Field{Path: path, Type: typeWord(ft), Default: f.fallback, Doc: f.doc, Keyed: f.keyed && !f.path, Allowed: strings.Join(f.enum, ", ")}
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

// Schema returns the JSON Schema (draft 2020-12) of a plan with the options of
// all kinds. Editors use it; it is generated from the same tags that Decode
// reads.
func Schema(kinds []KindSchema) ([]byte, error) {
	name := map[string]any{"type": "string", "pattern": namePattern}
	names := make([]any, len(kinds))
	var rules []any
	for i, k := range kinds {
		names[i] = k.Name
		options := structSchema(reflect.TypeOf(k.Options).Elem())
		summary, _, _ := strings.Cut(k.Doc, "\n")
		options["description"] = summary
		byKind := map[string]any{"properties": map[string]any{"kind": map[string]any{"const": k.Name}}, "required": []any{"kind"}}
		byName := map[string]any{"properties": map[string]any{"name": map[string]any{"const": k.Name}}, "not": map[string]any{"required": []any{"kind"}}}
		rules = append(rules, map[string]any{
			"if":   map[string]any{"anyOf": []any{byKind, byName}},
			"then": map[string]any{"properties": map[string]any{"with": options}},
		})
	}
	stage := map[string]any{
		"type": "object", "additionalProperties": false, "required": []any{"name"},
		"properties": map[string]any{
			"name":      name,
			"kind":      map[string]any{"enum": names, "description": "What the stage does; its name by default."},
			"needs":     map[string]any{"type": []any{"array", "string"}, "items": name, "description": "Stages that come first; the one before by default."},
			"inputs":    map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string", "pattern": inputPattern}, "description": "Settles which stage makes an input, {test: split.test}."},
			"with":      map[string]any{"type": "object"},
			"retry":     retrySchema(),
			"timeout":   durationSchema("Ends an attempt."),
			"resources": map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{"device": map[string]any{"type": "string", "description": "auto, cpu, cuda, go or another PJRT name; a demand."}}},
		},
		"allOf": rules,
	}
	return json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "sprint plan",
		"type":    "object", "additionalProperties": false, "required": []any{"name", "stages"},
		"properties": map[string]any{
			"name":     name,
			"taxonomy": map[string]any{"type": "string", "description": "File of categories, tags and rules, relative to the plan."},
			"stages":   map[string]any{"type": "array", "minItems": 1, "items": stage},
		},
	}, "", "  ")
}

func durationSchema(doc string) map[string]any {
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
			if v, err := parseValue(f.fallback); err == nil {
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
		return durationSchema("")
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

// retrySchema describes both forms of retry.
func retrySchema() map[string]any {
	silent := defaultRetry()
	tries := func(standard int, text string) map[string]any {
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 100, "default": standard, "description": text}
	}
	wait := durationSchema("Before the first further try; doubled for each one after it.")
	wait["default"] = silent.Wait.String()
	return map[string]any{
		"description": "Further tries of an attempt: a number for network, store and machine alike, or a map of budgets.",
		"anyOf": []any{
			map[string]any{"type": "integer", "minimum": 0, "maximum": 100},
			map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{
				"network": tries(silent.Network, "When a source or registry did not answer."),
				"store":   tries(silent.Store, "When the store did not answer."),
				"machine": tries(silent.Machine, "When the process that did the work is gone."),
				"failure": tries(silent.Failure, "When the stage failed by itself, with code 1 or 8."),
				"wait":    wait,
			}},
		},
	}
}
