package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Overrides change options of a plan without touching its file.
type Overrides struct {
	Set    []string // "stage.option=YAML", from --set; the later wins
	Env    []string // "NAME=value" of the environment; SPRINT_SET_* counts
	Values []string // files of {stage: {option: value}}; the later wins
}

// Origin says where the value of an option comes from.
type Origin struct {
	// From is "default", "plan", "values", "env", "set" or "gold of stage
	// verify" for a stage's option, "default", "file", "profile NAME", "env" or
	// "flag" for the config. Pos is the place as precisely as it is known.
	From string
	Pos  Position
}

// strength orders the sources of a stage's option, weakest first.
func (o Origin) strength() int {
	return slices.Index([]string{"default", "plan", "values", "env", "set"}, o.From)
}

// Options is the chain of a plan's options, weakest first: the tags' defaults,
// the plan, --values files, SPRINT_SET_* variables, --set flags. It is for one
// goroutine.
type Options struct {
	plan   *Plan
	layers []layer
	stages map[string]*stageOptions
	docs   []*document // --values files, for the excerpts of messages
	// defaults are those of the tags, parsed: every stage of a kind has them.
	defaults map[string]any
}

// layer is one source of values for all stages.
type layer struct {
	from string
	base string // folder that relative paths of this layer start from
	raw  map[string]map[string]any
	pos  map[string]map[string]Position // by stage and "option.path"
}

// stageOptions is the merged chain of one stage.
type stageOptions struct {
	k      *koanf.Koanf
	origin map[string]Origin // of leaves and lists
	base   map[string]string // folder for relative paths, by the same path
	places map[string]Position
}

const delimiter = "."

func newLayer(from, base string) layer {
	return layer{from: from, base: base, raw: map[string]map[string]any{}, pos: map[string]map[string]Position{}}
}

// NewOptions merges the chain. Mistakes in --set and --values are Errors,
// variables that fit no stage, or two, are a *UsageError.
func NewOptions(plan *Plan, o Overrides) (*Options, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	c := &Options{plan: plan, stages: map[string]*stageOptions{}, defaults: map[string]any{}}
	fromPlan := newLayer("plan", plan.Dir())
	for i := range plan.Stages {
		s := &plan.Stages[i]
		fromPlan.raw[s.Name] = s.With
		places := map[string]Position{}
		for path, pos := range s.places {
			if rest, ok := strings.CutPrefix(path, "with."); ok {
				places[rest] = pos
			}
		}
		fromPlan.pos[s.Name] = places
	}
	c.layers = append(c.layers, fromPlan)
	var errs Errors
	for _, file := range o.Values {
		l, e := c.valuesLayer(file)
		errs = append(errs, e...)
		c.layers = append(c.layers, l)
	}
	env, err := c.envLayer(o.Env, wd)
	if err != nil {
		return nil, err
	}
	c.layers = append(c.layers, env)
	set, e := c.setLayer(o.Set, wd)
	errs = append(errs, e...)
	c.layers = append(c.layers, set)
	for _, s := range plan.Stages {
		merged, err := c.merge(s.Name)
		if err != nil {
			errs = append(errs, &Error{Pos: s.Pos, Path: "stages." + s.Name + ".with", Message: err.Error()})
		}
		c.stages[s.Name] = merged
	}
	return c, errs.OrNil()
}

func (c *Options) stageNames() []string {
	names := make([]string, len(c.plan.Stages))
	for i, s := range c.plan.Stages {
		names[i] = s.Name
	}
	return names
}

// valuesLayer reads a --values file: a map of stages, each a map of options.
func (c *Options) valuesLayer(file string) (layer, Errors) {
	l := newLayer("values", filepath.Dir(file))
	data, err := readSource(file)
	if err != nil {
		return l, Errors{{Pos: Position{File: file}, Message: fmt.Sprintf("cannot read the values: %v", cause(err))}}
	}
	doc, errs := parseDocument(file, data)
	c.docs = append(c.docs, doc)
	if doc.root == nil || doc.root.value == nil {
		return l, errs
	}
	top, ok := doc.root.value.(*mapping)
	if !ok {
		return l, append(errs, doc.on(doc.root.pos, "", "want a map of stages, this is "+typeName(doc.root.value), "for example {train: {epochs: 1}}"))
	}
	for _, stage := range top.keys {
		if _, known := c.plan.Stage(stage); !known {
			errs = append(errs, doc.on(top.keyPos[stage], stage, "the plan has no such stage", Suggest(stage, c.stageNames())))
			continue
		}
		it := top.items[stage]
		if it.value == nil {
			continue // a stage whose options are all commented out
		}
		m, ok := it.plain().(map[string]any)
		if !ok {
			errs = append(errs, doc.on(it.pos, stage, "want a map of options, this is "+typeName(it.value), ""))
			continue
		}
		l.raw[stage] = m
		l.pos[stage] = map[string]Position{}
		it.places("", l.pos[stage])
	}
	return l, errs
}

// envLayer reads SPRINT_SET_STAGE__OPTION__PART=YAML. Names are compared with
// dashes as underscores and without case, because the environment has neither.
func (c *Options) envLayer(env []string, wd string) (layer, error) {
	l := newLayer("env", wd)
	sorted := slices.Clone(env)
	sort.Strings(sorted)
	for _, kv := range sorted {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, "SPRINT_SET_")
		if !ok {
			continue
		}
		parts := strings.Split(strings.ToLower(rest), "__")
		if len(parts) < 2 || slices.Contains(parts, "") {
			return l, &UsageError{Message: fmt.Sprintf("environment variable %s: want SPRINT_SET_STAGE__OPTION", name), Hint: "two underscores part the stage from the option"}
		}
		var matches []string
		for _, s := range c.stageNames() {
			if strings.ReplaceAll(s, "-", "_") == parts[0] {
				matches = append(matches, s)
			}
		}
		if len(matches) == 0 {
			return l, &UsageError{Message: fmt.Sprintf("environment variable %s: the plan has no stage %q", name, parts[0]), Hint: "stages: " + strings.Join(c.stageNames(), ", ")}
		}
		if len(matches) > 1 {
			return l, &UsageError{Message: fmt.Sprintf("environment variable %s fits %s", name, strings.Join(matches, " and ")), Hint: "use --set instead"}
		}
		v, err := parseValue(value)
		if err != nil {
			return l, &UsageError{Message: fmt.Sprintf("environment variable %s: %v", name, err), Hint: "the value is YAML: quote text that looks like something else"}
		}
		l.put(matches[0], parts[1:], v, Position{File: "environment variable " + name})
	}
	return l, nil
}

// setLayer reads --set stage.option.part=YAML.
func (c *Options) setLayer(set []string, wd string) (layer, Errors) {
	l := newLayer("set", wd)
	var errs Errors
	for _, kv := range set {
		pos := Position{File: "--set " + shorten(kv, 80)}
		path, value, ok := strings.Cut(kv, "=")
		parts := strings.Split(path, ".")
		if !ok || len(parts) < 2 || slices.Contains(parts, "") {
			errs = append(errs, &Error{Pos: pos, Message: "want stage.option=value", Hint: "for example --set train.epochs=1"})
			continue
		}
		if _, known := c.plan.Stage(parts[0]); !known {
			errs = append(errs, &Error{Pos: pos, Message: fmt.Sprintf("the plan has no stage %q", parts[0]), Hint: Suggest(parts[0], c.stageNames())})
			continue
		}
		v, err := parseValue(value)
		if err != nil {
			errs = append(errs, &Error{Pos: pos, Message: err.Error(), Hint: "the value is YAML: quote text that looks like something else"})
			continue
		}
		l.put(parts[0], parts[1:], v, pos)
	}
	return l, errs
}

// fallback reads the default of a tag.
func (c *Options) fallback(text string) (any, error) {
	v, known := c.defaults[text]
	if known {
		return v, nil
	}
	v, err := parseValue(text)
	if err == nil {
		c.defaults[text] = v
	}
	return v, err
}

// parseValue reads one YAML value of a flag or variable.
func parseValue(text string) (any, error) {
	doc, errs := parseDocument("", []byte(text))
	if len(errs) > 0 {
		return nil, fmt.Errorf("%s", errs[0].Message)
	}
	return doc.root.plain(), nil
}

func (l *layer) put(stage string, path []string, v any, pos Position) {
	if l.raw[stage] == nil {
		l.raw[stage], l.pos[stage] = map[string]any{}, map[string]Position{}
	}
	at := l.raw[stage]
	for _, p := range path[:len(path)-1] {
		next, ok := at[p].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[p] = next
		}
		at = next
	}
	last := path[len(path)-1]
	have, _ := at[last].(map[string]any)
	if more, isMap := v.(map[string]any); isMap && have != nil {
		mergeMaps(have, more) // as if each stood in a layer of its own
	} else {
		at[last] = v
	}
	l.pos[stage][strings.Join(path, ".")] = pos
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

// merge loads a stage's layers into one koanf instance and remembers for each
// value which layer gave it.
func (c *Options) merge(stage string) (*stageOptions, error) {
	s := &stageOptions{k: koanf.New(delimiter), origin: map[string]Origin{}, base: map[string]string{}, places: map[string]Position{}}
	for _, l := range c.layers {
		raw := l.raw[stage]
		if len(raw) == 0 {
			continue
		}
		if err := s.k.Load(confmap.Provider(raw, ""), nil); err != nil {
			return s, err
		}
		s.place(stage, l)
	}
	return s, nil
}

// place records where the values of a layer stand. Places of weaker layers
// inside a value that this one replaces are forgotten, or a mistake in
// --set verify.checks would be shown in the plan.
func (s *stageOptions) place(stage string, l layer) {
	replaced := map[string]bool{}
	walk("", l.raw[stage], func(path string, whole bool) {
		s.origin[path] = Origin{From: l.from, Pos: l.place(stage, path)}
		s.base[path] = l.base
		s.places[path] = s.origin[path].Pos
		delete(s.places, path+keyMark)
		if whole {
			replaced[path] = true
		}
	})
	for path := range s.places {
		for i := range len(path) {
			if path[i] == '.' && replaced[path[:i]] {
				delete(s.places, path)
				delete(s.origin, path)
				delete(s.base, path)
				break
			}
		}
	}
	maps.Copy(s.places, l.pos[stage])
}

// place finds where a path stands: itself or the nearest part around it.
func (l *layer) place(stage, path string) Position {
	for p := path; p != ""; {
		if pos, ok := l.pos[stage][p]; ok {
			return pos
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return Position{}
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
			walk(join(path, k), c, visit)
		}
	}
}

// Position returns where an option of a stage was given, as precisely as known.
func (c *Options) Position(stage, path string) Position {
	s, ok := c.stages[stage]
	if !ok {
		return Position{}
	}
	for p := path; p != ""; {
		if pos, ok := s.places[p]; ok {
			return pos
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	if st, ok := c.plan.Stage(stage); ok {
		return st.FieldPos("with")
	}
	return Position{}
}

// Error makes an error about an option of a stage.
func (c *Options) Error(stage, path, message, hint string) *Error {
	return c.errorAt(c.Position(stage, path), join("stages."+stage+".with", path), message, hint)
}

// errorAt finds the excerpt in the plan or in a values file.
func (c *Options) errorAt(pos Position, path, message, hint string) *Error {
	for _, doc := range c.docs {
		if doc.file == pos.File {
			return doc.on(pos, path, message, hint)
		}
	}
	return c.plan.ErrorAt(pos, path, message, hint)
}

// keyPosition is where the key of an option stands, for unknown keys.
func (c *Options) keyPosition(stage, path string) Position {
	if pos, ok := c.stages[stage].places[path+keyMark]; ok {
		if origin := c.stages[stage].origin[path]; origin.From == "plan" || origin.From == "values" {
			return pos
		}
	}
	return c.Position(stage, path)
}

// like finds the value that a stage of another kind has for an option: how
// split learns of verify's gold set.
func (c *Options) like(reference string) (value any, base string, origin Origin, ok bool) {
	kind, option, _ := strings.Cut(reference, ".")
	found := 0
	for _, s := range c.plan.Stages {
		if s.Kind != kind {
			continue
		}
		o := c.stages[s.Name]
		if v := o.k.Get(option); v != nil {
			found++
			value, base = v, o.base[option]
			origin = Origin{From: option + " of stage " + s.Name, Pos: o.origin[option].Pos}
		}
	}
	return value, base, origin, found == 1
}

func indexPath(path string, i int) string { return join(path, strconv.Itoa(i)) }
