package options

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// field is a struct field with its tags read.
type field struct {
	index          int
	name, doc      string
	alias          string // another word for the name
	defaultText    string
	hasDefault     bool
	required, path bool
	dotted         bool
	secret, keyed  bool
	sparse         bool // keyed where it is not its default
	enum           []string
	when, like     string
	implied        bool // if left out, neighbours that are written choose it
	min, max       string
	above, below   string
}

// fieldsOf reads the tags of a struct; fields without a yaml tag are no options.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		defaultText, has := f.Tag.Lookup("default")
		x := field{
			index: i, name: name, alias: f.Tag.Get("alias"), doc: f.Tag.Get("doc"), defaultText: defaultText, hasDefault: has,
			required: f.Tag.Get("required") == "true", path: f.Tag.Get("path") == "true", dotted: f.Tag.Get("path") == "dotted", secret: f.Tag.Get("secret") == "true",
			keyed: f.Tag.Get("key") != "-", sparse: f.Tag.Get("key") == "set", when: f.Tag.Get("when"), like: f.Tag.Get("like"), implied: f.Tag.Get("implied") == "true",
			min: f.Tag.Get("min"), max: f.Tag.Get("max"), above: f.Tag.Get("above"), below: f.Tag.Get("below"),
		}
		if e := f.Tag.Get("enum"); e != "" {
			x.enum = strings.Split(e, "|")
		}
		out = append(out, x)
	}
	return out
}

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// bounds checks a value against the tags min, max, above and below, which
// parse reads. unit follows the value in messages.
func bounds[T cmp.Ordered](d *decoding, x T, unit string, parse func(string) (T, error), path string, f field) bool {
	for _, b := range []struct {
		tag  string
		word string
		ok   func(bound T) bool
	}{
		{f.min, "at least", func(b T) bool { return x >= b }},
		{f.max, "at most", func(b T) bool { return x <= b }},
		{f.above, "above", func(b T) bool { return x > b }},
		{f.below, "below", func(b T) bool { return x < b }},
	} {
		if b.tag == "" {
			continue
		}
		bound, err := parse(b.tag)
		if err != nil {
			d.fail(path, fmt.Sprintf("the bound %q cannot be read: %v", b.tag, err), "")
			return false
		}
		if !b.ok(bound) {
			d.fail(path, fmt.Sprintf("%v%s is out of range: it must be %s %s", x, unit, b.word, b.tag), f.doc)
			return false
		}
	}
	return true
}
