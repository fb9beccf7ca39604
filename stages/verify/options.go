package verify

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/filecheck"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Options of verify.
type Options struct {
	Gold      string            `yaml:"gold" path:"true" key:"-" doc:"gold set: csv, jsonl or parquet with title, best url or id, and labels by hand: in a column label, or in a 0/1 column and <category>_tag of each category"`
	Columns   map[string]string `yaml:"columns" like:"fetch.files.columns" key:"set" doc:"what the gold set calls columns, by our names, {title: subject, label: category}; by default as fetch's files, where it has such a column"`
	Separator string            `yaml:"separator" default:";" like:"label.separator" key:"set" doc:"what stands between the categories of a cell of a column label: ; or , or |"`
	Values    map[string]string `yaml:"values" like:"label.values" key:"set" doc:"categories by what a column label calls them, {Sport: sports, Other: none}; by default as label"`
	Checks    []Check           `yaml:"checks" required:"true" min:"1" doc:"what must hold; at least one"`
}

// Check is one requirement on the figures.
type Check struct {
	ID       string   `yaml:"id" required:"true" enum:"macro_f1|micro_f1|accuracy|precision|recall|f1|tag_accuracy|gain|masked_gap|no_rule_fired|calibration|support|train_support|weak_domain|weak_length|weak_language|drift_labels|drift_lengths|latency_p50|latency_p99|reload|fallback|leak" doc:"what is measured"`
	On       string   `yaml:"on" alias:"set" default:"test" enum:"test|gold" doc:"the rows it is measured on; set is another word for it, for programs that read YAML 1.1, where on means true"`
	Over     string   `yaml:"over" enum:"keywords|majority" when:"id=gain" doc:"gain: the baseline whose macro-F1 is subtracted"`
	Category string   `yaml:"category" when:"id=precision,recall,f1,tag_accuracy,calibration,support,train_support" doc:"the category it is about"`
	Rows     int      `yaml:"rows" default:"20" min:"1" when:"id=weak_domain,weak_length,weak_language" doc:"smaller segments are passed over"`
	Release  string   `yaml:"release" like:"publish.name" when:"id=drift_labels,drift_lengths" doc:"drift: the model whose last release is compared with"`
	Min      *float64 `yaml:"min" doc:"the least value that passes"`
	Max      *float64 `yaml:"max" doc:"the largest value that passes"`
	Lower    *float64 `yaml:"lower" doc:"what the lower end of the 95 % interval must be above; gain with lower: 0 is a gain that is no accident"`
	Severity string   `yaml:"severity" default:"error" enum:"error|warn" doc:"error fails the run, warn only says so"`
}

// Check refuses checks that could not be evaluated.
func (o *Options) Check() []stages.Problem {
	var out []stages.Problem
	releases := map[string]bool{}
	for i, c := range o.Checks {
		fail := func(field, message, hint string) {
			out = append(out, stages.Problem{Path: fmt.Sprintf("checks.%d.%s", i, field), Message: message, Hint: hint})
		}
		c.check(o.Gold != "", fail)
		if c.Release != "" {
			releases[c.Release] = true
			if !models.ValidName(c.Release) {
				fail("release", fmt.Sprintf("%q is no model name", c.Release), "use a-z, 0-9, dot, dash and underscore")
			} else if len(releases) > 1 {
				fail("release", "all checks of drift compare with one model", "name the same release in each")
			}
		}
	}
	return slices.Concat(out, rows.CheckFormat("gold", o.Gold), rows.CheckColumns("columns", o.Columns), rows.CheckLabelForm("", o.Layout().Labels))
}

// Layout is that of the gold set.
func (o *Options) Layout() rows.Layout {
	return rows.Layout{Columns: o.Columns, Labels: rows.LabelForm{Separator: o.Separator, Values: o.Values}}
}

// GoldFile names the gold set.
func (o *Options) GoldFile() (option, path string) { return "gold", o.Gold }

// CheckFiles looks into the gold set.
func (o *Options) CheckFiles(_ context.Context, src stages.Source) []stages.FileProblem {
	t, err := dataset.Taxonomy(src)
	if err != nil {
		return nil // it is told as the taxonomy's
	}
	if wrong := dataset.CheckValues("", t, o.Layout().Labels); wrong != nil {
		return wrong
	}
	return filecheck.Gold("gold", o.Gold, o.Layout(), dataset.Categories(t))
}

func (c Check) check(gold bool, fail func(field, message, hint string)) {
	d := definitionOf(c.ID)
	if c.On == "gold" && !gold {
		fail("on", "the check is on gold, but no gold set is named", "add `gold: FILE` to verify, or measure on test")
	}
	if d.category == always && c.Category == "" {
		fail("category", c.ID+" is of one category", "add `category: NAME`; the average of all is macro_f1")
	}
	if c.ID == "gain" && c.Over == "" {
		fail("over", "gain is over a baseline", "for example {id: gain, set: gold, over: keywords, min: 0.05, lower: 0}")
	}
	least, most := c.limits()
	switch {
	case d.limited && (c.Min != nil || c.Max != nil || c.Lower != nil):
		fail("id", c.ID+" holds or does not: it takes no min, max or lower", "")
	case least == nil && most == nil && c.Lower == nil:
		fail("id", "a check without min, max and lower always passes", "add one of them")
	}
	lo, hi := d.span()
	for field, limit := range map[string]*float64{"min": c.Min, "max": c.Max, "lower": c.Lower} {
		switch {
		case limit == nil || *limit >= lo && *limit <= hi:
		case math.IsInf(hi, 1):
			fail(field, fmt.Sprintf("%s is never below %g", c.ID, lo), "")
		default:
			fail(field, fmt.Sprintf("%s is from %g to %g, not %g", c.ID, lo, hi, *limit), percentHint(*limit, hi))
		}
	}
	if c.Lower != nil && !d.interval {
		fail("lower", c.ID+" has no interval", "use min or max")
	}
	if c.Min != nil && c.Max != nil && *c.Min > *c.Max {
		fail("min", fmt.Sprintf("min %g is above max %g: no value passes", *c.Min, *c.Max), "")
	}
}

// percentHint is for those who write a share in percent.
func percentHint(limit, hi float64) string {
	if limit >= 2 && limit <= 100*hi {
		return fmt.Sprintf("write %g for %g %%", limit/100, limit)
	}
	return ""
}

// Resolve keys the stage by the taxonomy and the gold set's bytes.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	t, err := dataset.Taxonomy(lookup.Taxonomy())
	if err != nil {
		return nil, err
	}
	ext := dataset.Key(t)
	ext["rules"] = t.RulesKey()
	for i, c := range o.Checks {
		if c.ID == "accuracy" && !t.Single {
			return nil, stages.Fail(stages.CodePlan, "use micro_f1, or say `labels: single` in the taxonomy if a row has one category or none", "checks.%d: accuracy is of rows that have one label", i)
		}
		if c.Category != "" && t.Index(c.Category) < 0 {
			return nil, stages.At(fmt.Sprintf("checks.%d.category", i), stages.Fail(stages.CodePlan, fmt.Sprintf("its categories: %v", t.Names()), "the taxonomy has no category %q", c.Category))
		}
	}
	return ext, ext.AddFile(ctx, lookup, "gold", o.Gold)
}

// release is the model that drift is measured against, empty if it is not.
func (o *Options) release() string {
	for _, c := range o.Checks {
		if c.Release != "" {
			return c.Release
		}
	}
	return ""
}

// drifts reports whether drift is asked for.
func (o *Options) drifts() bool {
	return slices.ContainsFunc(o.Checks, func(c Check) bool { return c.ID == "drift_labels" || c.ID == "drift_lengths" })
}

// ResolveInputs keys a stage that measures drift by the release it compares
// with: the last one before this very model was published, so that its own
// release changes nothing for it.
func (o *Options) ResolveInputs(ctx context.Context, kept stages.Kept, inputs map[string]storage.Artifact) (stages.External, error) {
	name := o.release()
	if name == "" {
		return nil, nil
	}
	r, ok, err := release.Before(ctx, kept, name, inputs["model"].Digest)
	if err != nil || !ok {
		return nil, err
	}
	return stages.External{"release": map[string]any{"name": r.Name, "version": float64(r.Version), "digest": r.Digest}}, nil
}
