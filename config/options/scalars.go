package options

import (
	"encoding"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// maxInteger bounds whole numbers: a key is JSON, whose numbers are doubles, and
// beyond 2^53 two seeds would share one key.
const maxInteger = 1 << 53

// scalar decodes a value that holds no others. Both its JSON-able forms are one.
func (d *decoding) scalar(v reflect.Value, raw any, path, base string, f field) (keyed, all any, ok bool) {
	var plain any
	switch {
	case textual(v.Type()):
		plain, ok = d.unmarshalText(v, raw, path, f)
	case v.Type() == reflect.TypeFor[time.Duration]():
		plain, ok = d.duration(v, raw, path, f)
	case v.Kind() == reflect.String:
		plain, ok = d.text(v, raw, path, base, f)
	case v.Kind() == reflect.Bool:
		if plain, ok = raw.(bool); !ok {
			d.fail(path, "want true or false, this is "+strictyaml.TypeName(raw), f.doc)
			break
		}
		v.SetBool(raw.(bool))
	case v.CanInt():
		plain, ok = d.integer(v, raw, path, f)
	case v.CanFloat():
		plain, ok = d.float(v, raw, path, f)
	default:
		d.fail(path, fmt.Sprintf("options of type %s cannot be decoded", v.Type()), "")
	}
	if !ok {
		return nil, nil, false
	}
	return plain, plain, true
}

// unmarshalText decodes a type that reads itself. Its JSON-able form is what it
// writes, so that two spellings of one value have one key.
func (d *decoding) unmarshalText(v reflect.Value, raw any, path string, f field) (text string, ok bool) {
	switch raw.(type) {
	case string, bool, int64, float64:
		text = fmt.Sprint(raw)
	default:
		d.fail(path, "want text, this is "+strictyaml.TypeName(raw), f.doc)
		return "", false
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		d.fail(path, err.Error(), f.doc)
		return "", false
	}
	if m, can := v.Addr().Interface().(encoding.TextMarshaler); can {
		if b, err := m.MarshalText(); err == nil {
			text = string(b)
		}
	}
	return text, true
}

func (d *decoding) duration(v reflect.Value, raw any, path string, f field) (plain string, ok bool) {
	text, _ := raw.(string)
	duration, err := time.ParseDuration(text)
	if err != nil {
		d.fail(path, "want a duration such as 90s or 2h, this is "+strictyaml.TypeName(raw), f.doc)
		return "", false
	}
	if !bounds(d, duration, "", time.ParseDuration, path, f) {
		return "", false
	}
	v.SetInt(int64(duration))
	return duration.String(), true
}

func (d *decoding) integer(v reflect.Value, raw any, path string, f field) (plain float64, ok bool) {
	n, isInt := raw.(int64)
	if x, isFloat := raw.(float64); isFloat && x == math.Trunc(x) && math.Abs(x) < maxInteger {
		n, isInt = int64(x), true
	}
	if !isInt || v.OverflowInt(n) {
		d.fail(path, "want a whole number, this is "+strictyaml.TypeName(raw), f.doc)
		return 0, false
	}
	if n > maxInteger || n < -maxInteger {
		d.fail(path, fmt.Sprintf("the number %d is out of range: it must be at most 2^53", n), f.doc)
		return 0, false
	}
	if !bounds(d, float64(n), "", parseFloat, path, f) {
		return 0, false
	}
	v.SetInt(n)
	return float64(n), true
}

func (d *decoding) float(v reflect.Value, raw any, path string, f field) (plain float64, ok bool) {
	x, isFloat := raw.(float64)
	if n, isInt := raw.(int64); isInt {
		x, isFloat = float64(n), true
	}
	if !isFloat {
		d.fail(path, "want a number, this is "+strictyaml.TypeName(raw), f.doc)
		return 0, false
	}
	if !bounds(d, x, "", parseFloat, path, f) {
		return 0, false
	}
	v.SetFloat(x)
	return x, true
}

// text decodes a string: an allowed one, a path or a reference to a secret.
func (d *decoding) text(v reflect.Value, raw any, path, base string, f field) (plain string, ok bool) {
	s, isString := raw.(string)
	if b, isBool := raw.(bool); isBool && slices.Contains(f.enum, strconv.FormatBool(b)) {
		s, isString = strconv.FormatBool(b), true // auto|true|false needs no quotes
	}
	if !isString {
		if f.secret {
			d.clearSecret(path)
			return "", false
		}
		hint := f.doc
		switch raw.(type) {
		case bool, int64, float64:
			hint = strings.TrimSpace("quote it to make it text. " + hint)
		}
		d.fail(path, "want text, this is "+strictyaml.TypeName(raw), hint)
		return "", false
	}
	if len(f.enum) > 0 && !slices.Contains(f.enum, s) {
		hint := diagnostic.Suggest(s, f.enum)
		if strings.HasPrefix(hint, "known:") {
			hint = f.doc // the message lists them
		}
		d.fail(path, fmt.Sprintf("%q is not one of %s", diagnostic.Shorten(s, 80), strings.Join(f.enum, ", ")), hint)
		return "", false
	}
	if f.secret && s != "" && !strings.HasPrefix(s, "env:") && !strings.HasPrefix(s, "file:") {
		d.clearSecret(path)
		return "", false
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
	return s, true
}

// clearSecret refuses a secret typed in clear without repeating it: neither the
// line of a file nor the value of a flag.
func (d *decoding) clearSecret(path string) {
	pos := d.values.Position(path)
	place := pos
	if strings.HasPrefix(pos.File, "--set ") {
		name, _, _ := strings.Cut(pos.File, "=")
		pos.File = name + "=***"
	}
	d.errs = append(d.errs, &diagnostic.Error{Pos: pos, Secret: &place, Path: d.values.Path(path), Message: "a secret is written as a reference, never in clear", Hint: "env:NAME or file:PATH"})
}
