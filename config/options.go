package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// Options are the options of a plan's stages, merged from what gives them,
// weakest first: the tags' defaults, the plan, --values files, SPRINT_SET_*
// variables, --set flags. It is for one goroutine.
type Options struct {
	plan    *Plan
	docs    []*strictyaml.Document // --values files, for the excerpts of messages
	stages  map[string]*options.Values
	decoder options.Decoder
}

// NewOptions merges the options of all stages. Mistakes in --set and --values
// are diagnostic.Errors, and come beside the options; variables that fit no
// stage, or two, are a *diagnostic.UsageError.
func NewOptions(plan *Plan, o Overrides) (*Options, error) {
	r := &overrideReader{plan: plan}
	sources, err := r.read(o)
	if err != nil {
		return nil, err
	}
	c := &Options{plan: plan, docs: r.docs, stages: map[string]*options.Values{}}
	c.decoder = options.Decoder{ErrorAt: c.errorAt, Like: c.like}
	errs := r.errs
	for i := range plan.Stages {
		s := &plan.Stages[i]
		path := "stages." + s.Name + ".with"
		values := options.NewValues(path, s.FieldPos("with"))
		for _, source := range sources {
			if layer, ok := source.stages[s.Name]; ok {
				if err := values.Add(*layer); err != nil {
					errs = append(errs, &diagnostic.Error{Pos: s.Pos, Path: path, Message: err.Error()})
					break
				}
			}
		}
		c.stages[s.Name] = values
	}
	return c, errs.OrNil()
}

// Decode fills the options struct of a stage, a pointer, as options.Decoder does.
func (c *Options) Decode(stage string, into any) (options.Decoded, error) {
	values, ok := c.stages[stage]
	if !ok {
		return options.Decoded{}, fmt.Errorf("config: no stage %q", stage)
	}
	return c.decoder.Decode(values, into)
}

// Position returns where an option of a stage was given, as precisely as known.
func (c *Options) Position(stage, option string) diagnostic.Position {
	values, ok := c.stages[stage]
	if !ok {
		return diagnostic.Position{}
	}
	return values.Position(option)
}

// Error makes an error about an option of a stage.
func (c *Options) Error(stage, option, message, hint string) *diagnostic.Error {
	return c.errorAt(c.Position(stage, option), strictyaml.Join("stages."+stage+".with", option), message, hint)
}

// errorAt finds the excerpt in the plan or in a values file.
func (c *Options) errorAt(pos diagnostic.Position, path, message, hint string) *diagnostic.Error {
	for _, doc := range c.docs {
		if doc.File == pos.File {
			return doc.ErrorAt(pos, path, message, hint)
		}
	}
	return c.plan.ErrorAt(pos, path, message, hint)
}

// like finds the value that the one stage of a kind has for an option,
// "kind.option": how split learns of verify's gold set.
func (c *Options) like(reference string) (given options.Given, ok bool) {
	kind, option, _ := strings.Cut(reference, ".")
	found := 0
	for _, s := range c.plan.Stages {
		if s.Kind != kind {
			continue
		}
		if g, ok := c.stages[s.Name].Get(option); ok {
			found++
			given = options.Given{Value: g.Value, Base: g.Base, Origin: options.Origin{From: option + " of stage " + s.Name, Pos: g.Origin.Pos}}
		}
	}
	return given, found == 1
}

// Overrides change options of a plan without touching its file.
type Overrides struct {
	Set    []string // "stage.option=YAML", from --set; the later wins
	Env    []string // "NAME=value" of the environment; SPRINT_SET_* counts
	Values []string // files of {stage: {option: value}}; the later wins
	// Read returns the content of a file of Values; nil reads plain files of at most
	// 1 MiB.
	Read func(path string) ([]byte, error)
}

// setPrefix begins the variables that override options of stages.
const setPrefix = "SPRINT_SET_"

// overrideReader reads overrides into layers by stage.
type overrideReader struct {
	plan *Plan
	docs []*strictyaml.Document // --values files, for the excerpts of messages
	errs diagnostic.Errors
}

// layers holds what one source gives, by stage.
type layers struct {
	from, base string
	stages     map[string]*options.Layer
}

func newLayers(from, base string) layers {
	return layers{from: from, base: base, stages: map[string]*options.Layer{}}
}

// of returns the layer of a stage.
func (l layers) of(stage string) *options.Layer {
	if l.stages[stage] == nil {
		l.stages[stage] = options.NewLayer(l.from, l.base)
	}
	return l.stages[stage]
}

// read returns the layers of a plan and its overrides, weakest first: the plan,
// --values files, variables, --set flags.
func (r *overrideReader) read(o Overrides) ([]layers, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	out := []layers{r.planLayers()}
	for _, file := range o.Values {
		out = append(out, r.valuesLayers(file, o.Read))
	}
	env, err := r.envLayers(o.Env, wd)
	if err != nil {
		return nil, err
	}
	return append(out, env, r.setLayers(o.Set, wd)), nil
}

func (r *overrideReader) planLayers() layers {
	l := newLayers("plan", r.plan.Dir())
	for i := range r.plan.Stages {
		s := &r.plan.Stages[i]
		layer := l.of(s.Name)
		layer.Raw = s.With
		for path, pos := range s.places {
			if rest, ok := strings.CutPrefix(path, "with."); ok {
				layer.Pos[rest] = pos
			}
		}
	}
	return l
}

// valuesLayers reads a --values file: a map of stages, each a map of options.
func (r *overrideReader) valuesLayers(file string, read func(string) ([]byte, error)) layers {
	l := newLayers("values", filepath.Dir(file))
	if read == nil {
		read = strictyaml.ReadFile
	}
	data, err := read(file)
	if err != nil {
		r.errs = append(r.errs, &diagnostic.Error{Pos: diagnostic.Position{File: file}, Message: fmt.Sprintf("cannot read the values: %v", cause(err))})
		return l
	}
	doc, errs := strictyaml.Parse(file, data)
	r.docs = append(r.docs, doc)
	r.errs = append(r.errs, errs...)
	if doc.Root == nil || doc.Root.Value == nil {
		return l
	}
	fail := func(pos diagnostic.Position, stage, message, hint string) {
		r.errs = append(r.errs, doc.ErrorAt(pos, stage, message, hint))
	}
	top, ok := doc.Root.Value.(*strictyaml.Map)
	if !ok {
		fail(doc.Root.Pos, "", "want a map of stages, this is "+strictyaml.TypeName(doc.Root.Value), "for example {train: {epochs: 1}}")
		return l
	}
	for _, stage := range top.Keys {
		if _, known := r.plan.Stage(stage); !known {
			fail(top.KeyPos[stage], stage, "the plan has no such stage", diagnostic.Suggest(stage, r.plan.stageNames()))
			continue
		}
		node := top.Items[stage]
		if node.Value == nil {
			continue // a stage whose options are all commented out
		}
		m, ok := node.Plain().(map[string]any)
		if !ok {
			fail(node.Pos, stage, "want a map of options, this is "+strictyaml.TypeName(node.Value), "")
			continue
		}
		layer := l.of(stage)
		layer.Raw = m
		node.Places("", layer.Pos)
	}
	return l
}

// envLayers reads SPRINT_SET_STAGE__OPTION__PART=YAML.
func (r *overrideReader) envLayers(env []string, wd string) (layers, error) {
	l := newLayers("env", wd)
	for _, kv := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, setPrefix)
		if !ok {
			continue
		}
		parts := strings.Split(strings.ToLower(rest), "__")
		if len(parts) < 2 || slices.Contains(parts, "") {
			return l, &diagnostic.UsageError{Message: fmt.Sprintf("environment variable %s: want SPRINT_SET_STAGE__OPTION", name), Hint: "two underscores part the stage from the option"}
		}
		stage, err := r.stageOfVariable(name, parts[0])
		if err != nil {
			return l, err
		}
		v, err := strictyaml.ParseValue(value)
		if err != nil {
			return l, &diagnostic.UsageError{Message: fmt.Sprintf("environment variable %s: %v", name, err), Hint: yamlHint}
		}
		l.of(stage).Set(parts[1:], v, diagnostic.Position{File: "environment variable " + name})
	}
	return l, nil
}

// stageOfVariable finds the stage that a variable names. Names are compared with
// dashes as underscores and without case, because the environment has neither.
func (r *overrideReader) stageOfVariable(variable, name string) (string, error) {
	var matches []string
	for _, s := range r.plan.stageNames() {
		if strings.ReplaceAll(s, "-", "_") == name {
			matches = append(matches, s)
		}
	}
	switch len(matches) {
	case 0:
		return "", &diagnostic.UsageError{Message: fmt.Sprintf("environment variable %s: the plan has no stage %q", variable, name), Hint: "stages: " + strings.Join(r.plan.stageNames(), ", ")}
	case 1:
		return matches[0], nil
	}
	return "", &diagnostic.UsageError{Message: fmt.Sprintf("environment variable %s fits %s", variable, strings.Join(matches, " and ")), Hint: "use --set instead"}
}

const yamlHint = "the value is YAML: quote text that looks like something else"

// setLayers reads --set stage.option.part=YAML.
func (r *overrideReader) setLayers(set []string, wd string) layers {
	l := newLayers("set", wd)
	for _, kv := range set {
		pos := diagnostic.Position{File: "--set " + diagnostic.Shorten(kv, 80)}
		fail := func(message, hint string) {
			r.errs = append(r.errs, &diagnostic.Error{Pos: pos, Message: message, Hint: hint})
		}
		path, value, ok := strings.Cut(kv, "=")
		parts := strings.Split(path, options.Delimiter)
		if !ok || len(parts) < 2 || slices.Contains(parts, "") {
			fail("want stage.option=value", "for example --set train.epochs=1")
			continue
		}
		if _, known := r.plan.Stage(parts[0]); !known {
			fail(fmt.Sprintf("the plan has no stage %q", parts[0]), diagnostic.Suggest(parts[0], r.plan.stageNames()))
			continue
		}
		v, err := strictyaml.ParseValue(value)
		if err != nil {
			fail(err.Error(), yamlHint)
			continue
		}
		l.of(parts[0]).Set(parts[1:], v, pos)
	}
	return l
}
