package options

import (
	"maps"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Delimiter separates the parts of an option's path.
const Delimiter = "."

// Origin says where the value of an option comes from.
type Origin struct {
	// From is "default", "plan", "values", "env", "set" or "gold of stage
	// verify" for a stage's option, "default", "user file", "file", "profile NAME",
	// "env" or "flag" for the config. Pos is the place as precisely as it is known.
	From string
	Pos  diagnostic.Position
}

// strength orders the sources of a stage's option, weakest first.
func (o Origin) strength() int {
	return slices.Index([]string{"default", "plan", "values", "env", "set"}, o.From)
}

// Layer is what one source gives to one struct.
type Layer struct {
	From string // the Origin.From of its values
	Base string // folder that relative paths of this layer start from
	Raw  map[string]any
	Pos  map[string]diagnostic.Position // by dotted path, as Node.Places records it
}

// NewLayer returns a layer without values.
func NewLayer(from, base string) *Layer {
	return &Layer{From: from, Base: base, Raw: map[string]any{}, Pos: map[string]diagnostic.Position{}}
}

// Set puts a value at a path. Maps are merged, as if each stood in a layer of
// its own.
func (l *Layer) Set(path []string, v any, pos diagnostic.Position) {
	for _, part := range slices.Backward(path) {
		v = map[string]any{part: v}
	}
	mergeMaps(l.Raw, v.(map[string]any))
	l.Pos[strings.Join(path, Delimiter)] = pos
}

func mergeMaps(into, from map[string]any) {
	for k, v := range from {
		have, _ := into[k].(map[string]any)
		if more, isMap := v.(map[string]any); isMap && have != nil {
			mergeMaps(have, more)
			continue
		}
		into[k] = v
	}
}

// nearest looks a dotted path up, then each path around it.
func nearest[T any](in map[string]T, path string) (x T, ok bool) {
	for ; path != "" && !ok; path = path[:max(strings.LastIndexByte(path, '.'), 0)] {
		x, ok = in[path]
	}
	return x, ok
}

// Values are the merged layers of one struct. Each value keeps its origin.
type Values struct {
	path   string              // of the struct in messages, "stages.train.with"
	pos    diagnostic.Position // of the struct, for what has no place of its own
	merged *koanf.Koanf
	origin map[string]Origin // of leaves and lists
	base   map[string]string // folder for relative paths, by the same path
	places map[string]diagnostic.Position
}

// NewValues returns no values for a struct that messages call path and that
// stands at pos.
func NewValues(path string, pos diagnostic.Position) *Values {
	return &Values{path: path, pos: pos, merged: koanf.New(Delimiter), origin: map[string]Origin{}, base: map[string]string{}, places: map[string]diagnostic.Position{}}
}

// Add merges a layer over what is there.
func (v *Values) Add(l Layer) error {
	if len(l.Raw) == 0 {
		return nil
	}
	if err := v.merged.Load(confmap.Provider(l.Raw, ""), nil); err != nil {
		return err
	}
	v.record(l)
	return nil
}

// record notes where the values of a layer stand. Places of weaker layers
// inside a value that this one replaces are forgotten, or a mistake in
// --set verify.checks would be shown in the plan.
func (v *Values) record(l Layer) {
	replaced := map[string]bool{}
	walk("", l.Raw, func(path string, whole bool) {
		pos, _ := nearest(l.Pos, path)
		v.origin[path], v.base[path], v.places[path] = Origin{From: l.From, Pos: pos}, l.Base, pos
		delete(v.places, strictyaml.KeyPath(path))
		if whole {
			replaced[path] = true
		}
	})
	for path := range v.places {
		for i := range len(path) {
			if path[i] == '.' && replaced[path[:i]] {
				delete(v.places, path)
				delete(v.origin, path)
				delete(v.base, path)
				break
			}
		}
	}
	maps.Copy(v.places, l.Pos)
}

// walk visits every path of a tree of maps; lists count as one value. whole
// tells values that replace what a weaker layer has there; maps are merged.
func walk(path string, v any, visit func(path string, whole bool)) {
	m, isMap := v.(map[string]any)
	if path != "" {
		visit(path, !isMap)
	}
	if isMap {
		for k, c := range m {
			walk(strictyaml.Join(path, k), c, visit)
		}
	}
}

// Path is the dotted path of an option in messages.
func (v *Values) Path(option string) string { return strictyaml.Join(v.path, option) }

// Position returns where an option was given, as precisely as known.
func (v *Values) Position(option string) diagnostic.Position {
	if pos, ok := nearest(v.places, option); ok {
		return pos
	}
	return v.pos
}

// keyPosition is where the key of an option stands, for unknown keys.
func (v *Values) keyPosition(option string) diagnostic.Position {
	if pos, ok := v.places[strictyaml.KeyPath(option)]; ok {
		if from := v.origin[option].From; from == "plan" || from == "values" {
			return pos
		}
	}
	return v.Position(option)
}

// Origin returns the origin of an option or of the nearest part around it.
func (v *Values) Origin(option string) Origin {
	if o, ok := nearest(v.origin, option); ok {
		return o
	}
	return Origin{From: "default"}
}

// Given is one value that a struct has, with its origin and the folder that a
// relative path in it starts from.
type Given struct {
	Value  any
	Base   string
	Origin Origin
}

// Get returns the value of an option at a dotted path, defaults not counted.
func (v *Values) Get(option string) (Given, bool) {
	x := v.merged.Get(option)
	return Given{Value: x, Base: v.base[option], Origin: v.origin[option]}, x != nil
}
