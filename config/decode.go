package config

import (
	"encoding"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
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

// Decode fills the options struct of a stage from the chain. The struct's tags
// describe it:
//
//	yaml:"name"        the option's name
//	doc:"text"         one line of help
//	default:"YAML"     value if none is given
//	required:"true"    must be given
//	enum:"a|b"         allowed texts
//	min, max           inclusive bounds of a number or of a list's length
//	above, below       exclusive bounds
//	path:"true"        a file; relative to where the value was written
//	path:"dotted"      a name, or a path that begins with ./ or ../
//	key:"-"            recorded, not keyed
//	when:"option=v"    counts only if a neighbour has that value, or holds it
//	like:"kind.option" default taken from the plan's one stage of that kind
//	secret:"true"      a reference, env:NAME or file:PATH
//
// All mistakes come at once, as Errors.
func (c *Options) Decode(stage string, into any) (Decoded, error) {
	s, ok := c.stages[stage]
	if !ok {
		return Decoded{}, fmt.Errorf("config: no stage %q", stage)
	}
	d := &decoder{c: c, stage: stage, s: s, out: Decoded{Keyed: map[string]any{}, All: map[string]any{}, Origin: map[string]Origin{}}}
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return Decoded{}, fmt.Errorf("config: options of stage %q must be a pointer to a struct, not %T", stage, into)
	}
	raw := s.k.Raw()
	d.structure(v.Elem(), raw, "", "", d.out.Keyed, d.out.All)
	return d.out, d.errs.OrNil()
}

type decoder struct {
	c     *Options
	stage string
	s     *stageOptions
	out   Decoded
	errs  Errors
	// idle is set for the options of a source that was not chosen: what is
	// there must be right, but nothing need be there.
	idle bool
}

func (d *decoder) fail(path, message, hint string) {
	d.errs = append(d.errs, d.c.Error(d.stage, path, message, hint))
}

// structure decodes a map into a struct. base is the folder for relative paths
// where the origin of a path is not known by itself (inside lists).
func (d *decoder) structure(v reflect.Value, raw map[string]any, path, base string, keyed, all map[string]any) {
	fields := fieldsOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	for _, k := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(names, k) {
			at := join(path, k)
			d.errs = append(d.errs, d.c.errorAt(d.c.keyPosition(d.stage, at), join("stages."+d.stage+".with", at), "unknown option", Suggest(k, names)))
		}
	}
	active := map[string]any{}
	for _, f := range fields {
		at := join(path, f.name)
		value, given := raw[f.name]
		if f.when != "" {
			option, want, _ := strings.Cut(f.when, "=")
			now, known := active[option]
			if !known || !chosen(strings.Split(want, ","), now) {
				if known && given && value != nil {
					d.inactive(v.Field(f.index), value, at, base, join(path, option), fmt.Sprintf("has no effect with %s: %v", option, now), "remove it, or set "+option+": "+want, f)
				}
				continue
			}
		}
		origin := d.originOf(at)
		from := base
		if b, ok := d.s.base[at]; ok {
			from = b
		}
		if given && value == nil {
			given = false
		}
		if !given && f.like != "" {
			if other, b, o, ok := d.c.like(f.like); ok {
				value, from, origin, given = other, b, o, true
			}
		}
		if !given && f.hasDefault {
			var err error
			if value, err = d.c.fallback(f.fallback); err != nil {
				d.fail(at, fmt.Sprintf("the default %q is not YAML: %v", f.fallback, err), "")
				continue
			}
			origin, given = Origin{From: "default"}, true
		}
		if !given && f.required {
			if d.idle {
				continue
			}
			hint := f.doc
			if len(f.enum) > 0 {
				hint += " (" + strings.Join(f.enum, ", ") + ")"
			}
			d.fail(at, "is missing", strings.TrimSpace(hint))
			continue
		}
		target := v.Field(f.index)
		if !given {
			if target.Kind() == reflect.Pointer && target.Type().Elem().Kind() == reflect.Struct && f.when != "" {
				value, given = map[string]any{}, true // the chosen source's map, all defaults
			} else if target.Kind() == reflect.Struct && !isText(target) {
				value, given = map[string]any{}, true
			}
		}
		if !given {
			if f.keyed && !f.path {
				keyed[f.name] = nil
			}
			all[f.name], active[f.name] = nil, ""
			continue
		}
		d.out.Origin[at] = origin
		plainKeyed, plainAll, ok := d.value(target, value, at, from, f)
		if !ok {
			continue
		}
		if f.keyed && !f.path {
			keyed[f.name] = plainKeyed
			if !f.hasDefault && void(target) {
				// What is left out means the same, so it is the same.
				target.SetZero()
				keyed[f.name] = nil
			}
		}
		all[f.name] = plainAll
		active[f.name] = plainAll
	}
}

// chosen reports whether an option has one of some values, or a list holds one.
func chosen(wanted []string, now any) bool {
	list, isList := now.([]any)
	if !isList {
		return slices.Contains(wanted, fmt.Sprint(now))
	}
	return slices.ContainsFunc(list, func(x any) bool { return slices.Contains(wanted, fmt.Sprint(x)) })
}

// void reports whether a written value is the one that an option has when it is
// left out: pointers tell the two apart, all else does not.
func void(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Struct:
		return false
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

// inactive looks at an option that does not count, because option, its
// neighbour, has another value. The map of a source that is not chosen may stay
// in a plan and is only checked. A single value is a mistake, unless a stronger
// layer chose that other value over the plan's.
func (d *decoder) inactive(v reflect.Value, raw any, path, base, option, message, hint string, f field) {
	if structOf(v.Type()) != nil {
		idle := &decoder{c: d.c, stage: d.stage, s: d.s, idle: true, out: Decoded{Origin: map[string]Origin{}}}
		idle.value(reflect.New(v.Type()).Elem(), raw, path, base, f)
		d.errs = append(d.errs, idle.errs...)
		return
	}
	if d.originOf(option).strength() <= d.originOf(path).strength() {
		d.fail(path, message, hint)
	}
}

func (d *decoder) originOf(path string) Origin {
	for p := path; p != ""; {
		if o, ok := d.s.origin[p]; ok {
			return o
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return Origin{From: "default"}
}

func isText(v reflect.Value) bool {
	if !v.CanAddr() {
		return false
	}
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// value decodes one value and returns its JSON-able forms.
func (d *decoder) value(v reflect.Value, raw any, path, base string, f field) (keyed, all any, ok bool) {
	if isText(v) {
		var text string
		switch raw.(type) {
		case string, bool, int64, float64:
			text = fmt.Sprint(raw)
		default:
			d.fail(path, "want text, this is "+typeName(raw), f.doc)
			return nil, nil, false
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			d.fail(path, err.Error(), f.doc)
			return nil, nil, false
		}
		if m, can := v.Addr().Interface().(encoding.TextMarshaler); can {
			if b, err := m.MarshalText(); err == nil {
				text = string(b)
			}
		}
		return text, text, true
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		text, _ := raw.(string)
		duration, err := time.ParseDuration(text)
		if err != nil {
			d.fail(path, "want a duration such as 90s or 2h, this is "+typeName(raw), f.doc)
			return nil, nil, false
		}
		if !bounds(d, duration, "", time.ParseDuration, path, f) {
			return nil, nil, false
		}
		v.SetInt(int64(duration))
		return duration.String(), duration.String(), true
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), raw, path, base, f)
	case reflect.Struct:
		m, isMap := raw.(map[string]any)
		if !isMap {
			d.fail(path, "want a map, this is "+typeName(raw), f.doc)
			return nil, nil, false
		}
		k, a := map[string]any{}, map[string]any{}
		before := len(d.errs)
		d.structure(v, m, path, base, k, a)
		return k, a, len(d.errs) == before
	case reflect.Slice:
		return d.list(v, raw, path, base, f)
	case reflect.Map:
		return d.mapOf(v, raw, path, base, f)
	case reflect.String:
		return d.text(v, raw, path, base, f)
	case reflect.Bool:
		b, isBool := raw.(bool)
		if !isBool {
			d.fail(path, "want true or false, this is "+typeName(raw), f.doc)
			return nil, nil, false
		}
		v.SetBool(b)
		return b, b, true
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, isInt := raw.(int64)
		if x, isFloat := raw.(float64); isFloat && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			n, isInt = int64(x), true
		}
		if !isInt || v.OverflowInt(n) {
			d.fail(path, "want a whole number, this is "+typeName(raw), f.doc)
			return nil, nil, false
		}
		// A key is JSON, whose numbers are doubles: beyond 2^53 two seeds
		// would share one key.
		if n > 1<<53 || n < -(1<<53) {
			d.fail(path, fmt.Sprintf("the number %d is out of range: it must be at most 2^53", n), f.doc)
			return nil, nil, false
		}
		if !bounds(d, float64(n), "", parseFloat, path, f) {
			return nil, nil, false
		}
		v.SetInt(n)
		return float64(n), float64(n), true
	case reflect.Float64, reflect.Float32:
		x, isFloat := raw.(float64)
		if n, isInt := raw.(int64); isInt {
			x, isFloat = float64(n), true
		}
		if !isFloat {
			d.fail(path, "want a number, this is "+typeName(raw), f.doc)
			return nil, nil, false
		}
		if !bounds(d, x, "", parseFloat, path, f) {
			return nil, nil, false
		}
		v.SetFloat(x)
		return x, x, true
	}
	d.fail(path, fmt.Sprintf("options of type %s cannot be decoded", v.Type()), "")
	return nil, nil, false
}

func (d *decoder) text(v reflect.Value, raw any, path, base string, f field) (keyed, all any, ok bool) {
	s, isString := raw.(string)
	if b, isBool := raw.(bool); isBool && slices.Contains(f.enum, strconv.FormatBool(b)) {
		s, isString = strconv.FormatBool(b), true // auto|true|false needs no quotes
	}
	if !isString {
		if f.secret {
			d.clearSecret(path)
			return nil, nil, false
		}
		hint := f.doc
		switch raw.(type) {
		case bool, int64, float64:
			hint = strings.TrimSpace("quote it to make it text. " + hint)
		}
		d.fail(path, "want text, this is "+typeName(raw), hint)
		return nil, nil, false
	}
	if len(f.enum) > 0 && !slices.Contains(f.enum, s) {
		hint := Suggest(s, f.enum)
		if strings.HasPrefix(hint, "known:") {
			hint = f.doc // the message lists them
		}
		d.fail(path, fmt.Sprintf("%q is not one of %s", shorten(s, 80), strings.Join(f.enum, ", ")), hint)
		return nil, nil, false
	}
	if f.secret && s != "" && !strings.HasPrefix(s, "env:") && !strings.HasPrefix(s, "file:") {
		d.clearSecret(path)
		return nil, nil, false
	}
	if f.path && s != "" && !strings.Contains(s, "://") && !filepath.IsAbs(s) {
		s = filepath.Join(base, s)
	}
	if f.dotted && (strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")) {
		// Stays recognisable as a path, not a name.
		if s = filepath.Join(base, s); !filepath.IsAbs(s) {
			s = "." + string(filepath.Separator) + s
		}
	}
	v.SetString(s)
	return s, s, true
}

// clearSecret refuses a secret typed in clear without repeating it: neither the
// line of a file nor the value of a flag.
func (d *decoder) clearSecret(path string) {
	pos := d.c.Position(d.stage, path)
	if strings.HasPrefix(pos.File, "--set ") {
		name, _, _ := strings.Cut(pos.File, "=")
		pos.File = name + "=***"
	}
	d.errs = append(d.errs, &Error{Pos: pos, Path: join("stages."+d.stage+".with", path), Message: "a secret is written as a reference, never in clear", Hint: "env:NAME or file:PATH"})
}

func (d *decoder) list(v reflect.Value, raw any, path, base string, f field) (keyed, all any, ok bool) {
	items, isList := raw.([]any)
	if !isList {
		items = []any{raw} // a scalar given to a list is a list of one
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	ks, as := make([]any, len(items)), make([]any, len(items))
	good := true
	element := f
	element.min, element.max, element.above, element.below = "", "", "", ""
	for i, x := range items {
		k, a, ok := d.value(out.Index(i), x, indexPath(path, i), base, element)
		ks[i], as[i] = k, a
		good = good && ok
	}
	if !good || !bounds(d, float64(len(items)), " entries", parseFloat, path, f) {
		return nil, nil, false
	}
	v.Set(out)
	return ks, as, true
}

func (d *decoder) mapOf(v reflect.Value, raw any, path, base string, f field) (keyed, all any, ok bool) {
	m, isMap := raw.(map[string]any)
	if !isMap {
		d.fail(path, "want a map, this is "+typeName(raw), f.doc)
		return nil, nil, false
	}
	out := reflect.MakeMap(v.Type())
	ks, as := map[string]any{}, map[string]any{}
	good := true
	for _, name := range slices.Sorted(maps.Keys(m)) {
		element := reflect.New(v.Type().Elem()).Elem()
		k, a, ok := d.value(element, m[name], join(path, name), base, f)
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
