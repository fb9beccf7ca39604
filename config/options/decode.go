// Package options is the language in which a struct describes options by its
// tags: what they are called, what they may be, what they mean by default and
// whether they are part of a key. tags.go reads the tags, values.go merges what
// several sources give and remembers who gave it, decode.go and scalars.go fill
// the struct and report every mistake at once, describe.go tells editors and
// readers of it, secrets.go which secrets it refers to. A stage's options and the config are both such structs. It knows
// neither plans nor stages.
package options

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Decoded is what Decode learned beside the struct.
type Decoded struct {
	// Keyed holds every option that changes the result, defaults written out:
	// the part of the key. Values are what JSON has.
	Keyed map[string]any
	// All holds the others too: paths, pacing, what is only recorded.
	All    map[string]any
	Origin map[string]Origin // by dotted path
}

// UnknownOption is the message about a key that a struct does not have.
const UnknownOption = "unknown option"

// Decoder fills structs from values. It is for one goroutine.
type Decoder struct {
	// ErrorAt makes an error about a place, with the line that stands there.
	ErrorAt func(pos diagnostic.Position, path, message, hint string) *diagnostic.Error
	// Like returns the value that another struct has for an option, by the tag
	// like; nil if there are no others.
	Like func(reference string) (Given, bool)

	// defaults are those of the tags, parsed: every struct of a type has them.
	defaults map[string]any
}

// Decode fills a struct from values. The struct's tags describe it:
//
//	yaml:"name"        the option's name
//	alias:"name"       another word for the name, decoded to the same
//	doc:"text"         one line of help
//	default:"YAML"     value if none is given
//	required:"true"    must be given
//	enum:"a|b"         allowed texts
//	min, max           inclusive bounds of a number or of a list's length
//	above, below       exclusive bounds
//	path:"true"        a file; relative to where the value was written
//	path:"dotted"      a name, or a path that begins with ./ or ../
//	key:"-"            recorded, not keyed
//	key:"set"          keyed where it is not its default: new options of old kinds
//	when:"option=v"    counts only if a neighbour has that value, or holds it
//	implied:"true"     where it is left out and a neighbour that counts only with one
//	                   value of it is written, that value in place of the default
//	like:"kind.option" default taken from the plan's one stage of that kind
//	secret:"true"      a reference, env:NAME or file:PATH
//
// All mistakes come at once, as diagnostic.Errors.
func (d *Decoder) Decode(values *Values, into any) (Decoded, error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return Decoded{}, fmt.Errorf("options: %s are decoded into a pointer to a struct, not %T", values.path, into)
	}
	x := &decoding{decoder: d, values: values, out: Decoded{Keyed: map[string]any{}, All: map[string]any{}, Origin: map[string]Origin{}}}
	x.fields(v.Elem(), values.merged.Raw(), "", "", x.out.Keyed, x.out.All)
	return x.out, x.errs.OrNil()
}

// parseDefault reads the default of a tag.
func (d *Decoder) parseDefault(text string) (any, error) {
	v, known := d.defaults[text]
	if known {
		return v, nil
	}
	v, err := strictyaml.ParseValue(text)
	if err == nil {
		if d.defaults == nil {
			d.defaults = map[string]any{}
		}
		d.defaults[text] = v
	}
	return v, err
}

// decoding is one call of Decode.
type decoding struct {
	decoder *Decoder
	values  *Values
	out     Decoded
	errs    diagnostic.Errors
	// idle is set for the options of a source that was not chosen: what is
	// there must be right, but nothing need be there.
	idle bool
}

func (d *decoding) fail(path, message, hint string) {
	d.errs = append(d.errs, d.decoder.ErrorAt(d.values.Position(path), d.values.Path(path), message, hint))
}

// fields decodes a map into a struct at a path. base is the folder for relative
// paths where the origin of a path is not known by itself (inside lists).
func (d *decoding) fields(v reflect.Value, raw map[string]any, path, base string, keyed, all map[string]any) {
	fields := fieldsOf(v.Type())
	raw = d.withoutAliases(fields, raw, path)
	d.refuseUnknown(fields, raw, path)
	decoded := map[string]any{} // the fields that count, by name
	for _, f := range fields {
		target, at := v.Field(f.index), strictyaml.Join(path, f.name)
		if !d.counts(target, f, raw[f.name], path, base, decoded) {
			continue
		}
		written := raw[f.name]
		if written == nil && f.implied {
			written = implied(fields, raw, f.name)
		}
		given, ok := d.given(f, written, at, base)
		if !ok {
			continue
		}
		if given.Value == nil && defaultsToStruct(target, f) {
			given.Value = map[string]any{}
		}
		if given.Value == nil {
			if f.keyed && !f.path && !f.sparse {
				keyed[f.name] = nil
			}
			all[f.name], decoded[f.name] = nil, ""
			continue
		}
		d.out.Origin[at] = given.Origin
		plainKeyed, plainAll, ok := d.value(target, given.Value, at, given.Base, f)
		if !ok {
			continue
		}
		if f.keyed && !f.path {
			keyed[f.name] = plainKeyed
			if !f.hasDefault && equalsOmitted(target) {
				// What is left out means the same, so it is the same.
				target.SetZero()
				keyed[f.name] = nil
			}
			if f.sparse && d.saysNothing(target, plainKeyed, at, f) {
				delete(keyed, f.name)
			}
		}
		all[f.name], decoded[f.name] = plainAll, plainAll
	}
}

// withoutAliases is a map with the names of options in the place of other words for them.
// Each keeps its place.
func (d *decoding) withoutAliases(fields []field, raw map[string]any, path string) map[string]any {
	for _, f := range fields {
		v, given := raw[f.alias]
		if f.alias == "" || !given {
			continue
		}
		at := strictyaml.Join(path, f.alias)
		if _, both := raw[f.name]; both {
			d.fail(at, fmt.Sprintf("is another word for %s, which is given too", f.name), "write one of them")
		} else {
			raw = maps.Clone(raw)
			raw[f.name] = v
			d.values.places[strictyaml.Join(path, f.name)] = d.values.Position(at)
		}
		raw = maps.Clone(raw)
		delete(raw, f.alias)
	}
	return raw
}

// refuseUnknown reports the keys that are no fields.
func (d *decoding) refuseUnknown(fields []field, raw map[string]any, path string) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	for _, k := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(names, k) {
			at := strictyaml.Join(path, k)
			d.errs = append(d.errs, d.decoder.ErrorAt(d.values.keyPosition(at), d.values.Path(at), UnknownOption, diagnostic.Suggest(k, names)))
		}
	}
}

// counts reports whether a field counts beside the neighbours that are decoded.
// What is written for one that does not is checked.
func (d *decoding) counts(target reflect.Value, f field, written any, path, base string, decoded map[string]any) bool {
	if f.when == "" {
		return true
	}
	option, want, _ := strings.Cut(f.when, "=")
	now, known := decoded[option]
	if known && chosen(strings.Split(want, ","), now) {
		return true
	}
	if known && written != nil {
		d.inactive(target, written, strictyaml.Join(path, f.name), base, strictyaml.Join(path, option), fmt.Sprintf("has no effect with %s: %v", option, now), "remove it, or set "+option+": "+want, f)
	}
	return false
}

// implied is the value of an option with which alone a neighbour counts that is written; nil
// if there is no such neighbour.
func implied(fields []field, raw map[string]any, option string) any {
	for _, f := range fields {
		name, value, _ := strings.Cut(f.when, "=")
		if name == option && value != "" && !strings.Contains(value, ",") && raw[f.name] != nil {
			return value
		}
	}
	return nil
}

// chosen reports whether an option has one of some values, or a list holds one.
func chosen(wanted []string, now any) bool {
	list, isList := now.([]any)
	if !isList {
		return slices.Contains(wanted, fmt.Sprint(now))
	}
	return slices.ContainsFunc(list, func(x any) bool { return slices.Contains(wanted, fmt.Sprint(x)) })
}

// inactive looks at an option that does not count, because option, its
// neighbour, has another value. The map of a source that is not chosen may stay
// in a plan and is only checked. A single value is a mistake, unless a stronger
// layer chose that other value over the plan's.
func (d *decoding) inactive(v reflect.Value, raw any, path, base, option, message, hint string, f field) {
	if structOf(v.Type()) != nil {
		idle := &decoding{decoder: d.decoder, values: d.values, idle: true, out: Decoded{Origin: map[string]Origin{}}}
		idle.value(reflect.New(v.Type()).Elem(), raw, path, base, f)
		d.errs = append(d.errs, idle.errs...)
		return
	}
	if d.values.Origin(option).strength() <= d.values.Origin(path).strength() {
		d.fail(path, message, hint)
	}
}

// given returns what a field is given: what is written, else its neighbour's
// value, else its default. ok is false if it cannot be decoded at all.
func (d *decoding) given(f field, written any, path, base string) (g Given, ok bool) {
	g = Given{Value: written, Base: base, Origin: d.values.Origin(path)}
	if b, known := d.values.base[path]; known {
		g.Base = b
	}
	if g.Value == nil && f.like != "" && d.decoder.Like != nil {
		if like, found := d.decoder.Like(f.like); found {
			g = like
		}
	}
	if g.Value == nil && f.hasDefault {
		v, err := d.decoder.parseDefault(f.defaultText)
		if err != nil {
			d.fail(path, fmt.Sprintf("the default %q is not YAML: %v", f.defaultText, err), "")
			return g, false
		}
		g.Value, g.Origin = v, Origin{From: "default"}
	}
	if g.Value != nil || !f.required {
		return g, true
	}
	if !d.idle {
		hint := f.doc
		if len(f.enum) > 0 {
			hint += " (" + strings.Join(f.enum, ", ") + ")"
		}
		d.fail(path, "is missing", strings.TrimSpace(hint))
	}
	return g, false
}

// defaultsToStruct reports whether a field that is not given is a struct of
// defaults: a plain one, or the one of the chosen source.
func defaultsToStruct(v reflect.Value, f field) bool {
	if v.Kind() == reflect.Pointer {
		return v.Type().Elem().Kind() == reflect.Struct && f.when != ""
	}
	return v.Kind() == reflect.Struct && !textual(v.Type())
}

// equalsOmitted reports whether a written value is the one that an option has when it is
// left out: pointers tell the two apart, all else does not.
func equalsOmitted(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Struct:
		return false
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

// saysNothing reports whether an option has the value that it has when it is left out.
func (d *decoding) saysNothing(v reflect.Value, keyed any, path string, f field) bool {
	if m, isMap := keyed.(map[string]any); isMap && len(m) == 0 {
		return true
	}
	if !f.hasDefault {
		return equalsOmitted(v)
	}
	raw, err := d.decoder.parseDefault(f.defaultText)
	if err != nil {
		return false
	}
	idle := &decoding{decoder: d.decoder, values: d.values, idle: true, out: Decoded{Origin: map[string]Origin{}}}
	usual, _, ok := idle.value(reflect.New(v.Type()).Elem(), raw, path, "", f)
	return ok && reflect.DeepEqual(usual, keyed)
}

// value decodes one value and returns its JSON-able forms: what is keyed, and
// all of it.
func (d *decoding) value(v reflect.Value, raw any, path, base string, f field) (keyed, all any, ok bool) {
	if textual(v.Type()) || v.Type() == reflect.TypeFor[time.Duration]() {
		return d.scalar(v, raw, path, base, f)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), raw, path, base, f)
	case reflect.Struct, reflect.Map:
		m, isMap := raw.(map[string]any)
		if !isMap {
			d.fail(path, "want a map, this is "+strictyaml.TypeName(raw), f.doc)
			return nil, nil, false
		}
		if v.Kind() == reflect.Map {
			return d.mapOf(v, m, path, base, f)
		}
		k, a := map[string]any{}, map[string]any{}
		before := len(d.errs)
		d.fields(v, m, path, base, k, a)
		return k, a, len(d.errs) == before
	case reflect.Slice:
		return d.list(v, raw, path, base, f)
	case reflect.Interface: // whatever stands there; another struct describes it
		if raw == nil {
			return nil, nil, true
		}
		v.Set(reflect.ValueOf(raw))
		return raw, raw, true
	}
	return d.scalar(v, raw, path, base, f)
}

// list decodes a list, or a scalar as a list of one.
func (d *decoding) list(v reflect.Value, raw any, path, base string, f field) (keyed, all any, ok bool) {
	items, isList := raw.([]any)
	if !isList {
		items = []any{raw}
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	ks, as := make([]any, len(items)), make([]any, len(items))
	good := true
	element := f
	element.min, element.max, element.above, element.below = "", "", "", ""
	for i, x := range items {
		k, a, ok := d.value(out.Index(i), x, strictyaml.Join(path, strconv.Itoa(i)), base, element)
		ks[i], as[i] = k, a
		good = good && ok
	}
	if !good || !bounds(d, float64(len(items)), " entries", parseFloat, path, f) {
		return nil, nil, false
	}
	v.Set(out)
	return ks, as, true
}

// mapOf decodes a map of any keys.
func (d *decoding) mapOf(v reflect.Value, m map[string]any, path, base string, f field) (keyed, all any, ok bool) {
	out := reflect.MakeMap(v.Type())
	ks, as := map[string]any{}, map[string]any{}
	good := true
	for _, name := range slices.Sorted(maps.Keys(m)) {
		element := reflect.New(v.Type().Elem()).Elem()
		k, a, ok := d.value(element, m[name], strictyaml.Join(path, name), base, f)
		if !ok {
			good = false
			continue
		}
		out.SetMapIndex(reflect.ValueOf(name), element)
		ks[name], as[name] = k, a
	}
	if !good {
		return nil, nil, false
	}
	v.Set(out)
	return ks, as, true
}
