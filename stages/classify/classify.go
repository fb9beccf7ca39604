// Package classify answers which categories rows belong to, with a model that was
// published before: the kind of plans that use a model instead of making one.
//
// classify.go is the kind, its options and what they resolve to; stage.go is one attempt.
package classify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Kind returns the kind "classify".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "classify",
		Version: 1,
		Doc: `Answers which categories each row belongs to, by a published model.
The model is one of the run's store: NAME, NAME@VERSION or NAME@ALIAS. What it stands for
when the run begins is part of the key, so rows are classified again when the alias has
moved to another release, and only then; explain says which one it was. fallback: keywords
lets the rules of the plan's taxonomy answer where no release of that name is there yet,
so that a daily plan works from its first day; then they are part of the key. Nothing
falls back where a release is there: one that this machine cannot run fails the stage, and
so does one that key, where it is given, did not sign, or that none of the config's
model_keys signed. Rows that were classified before, by a release whose key is revoked
since, are refused too, until another release answers.
classified has the rows with a score and a tag of each category that is over its
threshold, null of the others, and model or keywords as label_source; classify_report
counts who answered.`,
		Example:  "model: swedish-news@champion\nfallback: keywords\n",
		Inputs:   func(any) []stages.Input { return []stages.Input{{Name: "articles"}} },
		Outputs:  func(any) []stages.Output { return []stages.Output{{Name: "classified"}, {Name: "classify_report"}} },
		Effort:   func(any) (string, float64) { return "articles", 1 },
		Options:  func() any { return new(Options) },
		New:      func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
		Isolated: stages.Always,
	}
}

// The values of Options.Fallback.
const (
	fallbackNone     = "none"
	fallbackKeywords = "keywords"
)

// Options of classify.
type Options struct {
	Model          string  `yaml:"model" required:"true" doc:"the published model that answers: NAME, NAME@VERSION or NAME@ALIAS of the run's store"`
	Fallback       string  `yaml:"fallback" default:"none" enum:"none|keywords" doc:"who answers before the first release of the model: nobody, which fails the stage, or the rules of the plan's taxonomy"`
	MinProbability float64 `yaml:"min_probability" default:"0" min:"0" max:"1" key:"set" doc:"how probable the answer of a model of one label per row must be; less is none"`
	Backend        string  `yaml:"backend" default:"device" enum:"device|onnx" key:"-" doc:"what computes a model's answers: the stage's device, or onnx: ONNX Runtime on the processor, fetched once (28 MB); they are alike to 1e-5"`

	// Key is keyed by the pair that it names.
	Key string `yaml:"key" path:"true" key:"-" doc:"file of a public key: a release that it did not sign is refused before it is loaded; a key of model_keys_revoked signs nothing"`

	// rules are those of the plan's taxonomy, signer is the key that Key names; nil if none.
	// Both are kept by Resolve for ResolveInputs.
	rules  stages.External
	signer *signature.PublicKey
}

// reference parts the option model.
func (o *Options) reference() (name, version string) {
	name, version, _ = strings.Cut(o.Model, "@")
	return name, version
}

// Check refuses what is no reference to a model of a store.
func (o *Options) Check() []stages.Problem {
	var out stages.Problems
	name, version := o.reference()
	out.If(!models.ValidName(name), "model", "NAME, NAME@VERSION or NAME@ALIAS, as `sprint models` lists them", "%q is no model name", name)
	_, number := models.ParseVersion(version)
	out.If(strings.Contains(o.Model, "@") && !number && !models.ValidAlias(version), "model", "after the @ stands a version or an alias, as `sprint models` lists them", "%q is neither a version nor an alias", version)
	return out
}

// CheckFiles looks at the public key.
func (o *Options) CheckFiles(context.Context, stages.Source) []stages.FileProblem {
	return release.CheckPublicKey("key", o.Key)
}

// Resolve reads the rules that answer where no release is there.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	var out stages.External
	if o.Key != "" {
		out = stages.External{}
		if err := out.AddFile(ctx, lookup, keyTrusted, o.Key); err != nil {
			return nil, err
		}
		var err error
		if o.signer, err = release.PublicKey(o.Key); err != nil {
			return nil, stages.Fail(stages.CodePlan, "`openssl ec -in PRIVATE -pubout` writes it", "key %s: %w", o.Key, err)
		}
	}
	if o.Fallback != fallbackKeywords {
		return out, nil
	}
	t, err := dataset.Taxonomy(lookup.Taxonomy())
	if err != nil {
		return nil, err
	}
	o.rules = rulesKey(t)
	return out, nil
}

func rulesKey(t *taxonomy.Taxonomy) stages.External {
	out := dataset.Key(t)
	out["rules"] = t.RulesKey()
	return out
}

// The names of what ResolveInputs keys.
const (
	keyModel   = "model"   // name and version
	keyRelease = "release" // digest
	keyTrusted = "trusted" // digest of the public key
)

// ResolveInputs keys the release that the model's name stands for now, or the rules that
// answer for it. A release that nobody trusted signed is refused here, before what was
// answered by it in an earlier run counts as done.
func (o *Options) ResolveInputs(ctx context.Context, kept stages.Kept, _ map[string]storage.Artifact) (stages.External, error) {
	name, version := o.reference()
	r, err := models.In(kept.Store).Release(ctx, name, version)
	if err == nil {
		if err := release.Trusted(ctx, kept, r, o.signer); err != nil {
			return nil, err
		}
	}
	switch {
	case err == nil:
		return stages.External{keyModel: fmt.Sprintf("%s@%d", r.Name, r.Version), keyRelease: r.Digest}, nil
	case !errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("model %s: %w", o.Model, err)
	case o.Fallback != fallbackKeywords:
		return nil, stages.Fail(stages.CodeEnvironment, "publish it with the plan that trains it, into this store; or set fallback: keywords, and rules answer until then", "the store has no model %s", o.Model)
	}
	out := stages.External{"keywords": map[string]any(o.rules)}
	return out, nil
}
