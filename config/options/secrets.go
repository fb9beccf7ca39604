package options

import "reflect"

// Secrets lists the references to secrets, env:NAME or file:PATH, that an options
// struct holds, given as a pointer.
func Secrets(options any) []string { return secretsIn(reflect.ValueOf(options).Elem()) }

func secretsIn(v reflect.Value) []string {
	var out []string
	for _, f := range fieldsOf(v.Type()) {
		x := v.Field(f.index)
		if x.Kind() == reflect.Pointer {
			if x.IsNil() {
				continue
			}
			x = x.Elem()
		}
		switch {
		case x.Kind() == reflect.Struct && !textual(x.Type()):
			out = append(out, secretsIn(x)...)
		case x.Kind() == reflect.Slice && x.Type().Elem().Kind() == reflect.Struct && !textual(x.Type().Elem()):
			for i := range x.Len() {
				out = append(out, secretsIn(x.Index(i))...)
			}
		case !f.secret:
		case x.Kind() == reflect.String:
			out = append(out, x.String())
		case x.Kind() == reflect.Map:
			for _, key := range x.MapKeys() {
				out = append(out, x.MapIndex(key).String())
			}
		case x.Kind() == reflect.Slice:
			for i := range x.Len() {
				out = append(out, x.Index(i).String())
			}
		}
	}
	return out
}
