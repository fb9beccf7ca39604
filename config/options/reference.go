package options

import (
	"reflect"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/strictyaml"
)

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
