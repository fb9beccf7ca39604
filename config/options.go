package config

import (
	"fmt"
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
