// Package label gives each row a label per category: by a chain, or a vote, of
// sources such as the taxonomy's rules, columns that the rows carry, and the
// corrections of reviewers.
//
// label.go is the kind and its options, stage.go one attempt, documents.go what
// label_report.json holds. assembly.go puts together what the sources say;
// source.go is the contract of a source, and each is a file source_NAME.go. A new
// source is such a file, its name in the enum of Options.Source and a case in
// stage.sources. batch.go and disagreement.go belong to source_http.go, which asks
// with package chat what package question says.
package label

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/chat"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/question"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/filecheck"
)

// The sources of labels.
const (
	sourceOverlay = "overlay"
	sourceColumns = "columns"
	sourceRules   = "rules"
	sourceEncoder = "encoder"
	sourceHTTP    = "http"
)

// Kind returns the kind "label".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "label",
		Version: 8,
		Doc: `Gives each row a score and a tag per category.
A score is the strength of the category in [-1,1]; 0 is absent. The sources are
asked in their order, each for what is still undecided; with combine: vote all
are asked and their weights decide. rules: the strongest rule that fires gives
the score, or where the taxonomy says labels: single its category's share of all hits
by their weight; a row on which none fires is undecided, not negative: nobody looked
at it. columns: labels that the rows carry,
in a column label, in whose place values and separator say what it means, or in a 0/1
column <category>, or <category>_score, with <category>_tag of each; rows whose cell is empty are left to the next
source, and none is a row of no category. encoder: the category whose description
lies nearest, if it is probable enough. http: what a chat model
answers; the config names the endpoint (endpoints: {chat: https://host/v1}), paid
answers stay in the store and are never asked for twice. overlay: a file of corrections, which
wins over all others wherever it stands; of two corrections of a category of a row
the one of the later time counts, else the one further down; rows that it corrects and the
sources did not give join the others, unless overlay.unknown says otherwise. conflict says what becomes of a category
on which votes disagree, exclusive that a row has one category at most. A gold
part weighs the voters by how often they are right there; it is never the one
that verify scores: rows of that are left out, and rows of the gold part do not
train. Every row records who decided (label_source), which rules fired and where
votes disagreed; label_report counts sources, coverage, overlap, conflicts and
rules that never fire. Where the taxonomy has rules by language each row gets its language,
from its column language (sv, sv-SE, Swedish), else from its letters, which tell some forty
languages apart; it is kept with the row, and a row of a language without rules gets no label
from them.`,
		Example: "source: [rules, encoder]\nencoder: {model: all-minilm-l6-v2, sure: 0.8}\n",
		Topics: []stages.Topic{
			{Of: "source", Name: sourceRules, Doc: "The words of the taxonomy: the strongest rule that fires gives score and tag.", Example: "source: rules\n"},
			{Of: "source", Name: sourceColumns, Doc: "Labels that the rows carry.", Example: "source: [columns, rules]\n"},
			{Of: "source", Name: sourceEncoder, Options: "encoder", Doc: "The category whose description lies nearest to the text, if it is probable enough. Rows and descriptions are each seen from their own middle, so one setting suits all encoders; the vectors stay in the store, and train reads them there.", Example: "source: [rules, encoder]\nencoder: {model: all-minilm-l6-v2, sure: 0.8}\n"},
			{Of: "source", Name: sourceHTTP, Options: "http", Doc: "What a chat model answers; the config names the endpoint. Paid answers stay in the store and are never asked for twice; batch: true buys them by batches, ask: disagreement where the other sources need them.", Example: "source: [rules, encoder, http]\ncombine: vote\nencoder: {model: all-minilm-l6-v2}\nhttp: {model: NAME, key: env:CHAT_KEY, batch: true, ask: disagreement}\n"},
			{Of: "source", Name: sourceOverlay, Options: "overlay", Doc: "Corrections by people, as `sprint review import` writes them; they win over all other sources. Corrected rows that the sources did not give, of an earlier window for example, join the others where the file has their title: a split removes those of the gold set from both. A split by time takes the time of the correction where the file has no seen_at.", Example: "source: [rules, overlay]\noverlay: {file: corrections.csv}\n"},
		},
		Inputs:  func(any) []stages.Input { return []stages.Input{{Name: "articles"}} },
		Outputs: func(any) []stages.Output { return []stages.Output{{Name: "labelled"}, {Name: "label_report"}} },
		Effort:  func(any) (string, float64) { return "articles", 1 },
		Options: func() any { return new(Options) },
		New: func(options any, env stages.Env) stages.Stage {
			return &stage{o: options.(*Options), env: env, pause: chat.FirstPause}
		},
		Isolated: func(options any) bool { return options.(*Options).uses(sourceEncoder) },
		Pays: func(options any) bool {
			o := options.(*Options)
			return o.uses(sourceHTTP) && (o.HTTP.PriceIn > 0 || o.HTTP.PriceOut > 0)
		},
		// The store keeps vectors and answers as they come.
		Checkpoints: func(options any) bool {
			return options.(*Options).uses(sourceEncoder) || options.(*Options).uses(sourceHTTP)
		},
	}
}

// Options of label.
type Options struct {
	Source          []string           `yaml:"source" default:"[rules]" enum:"rules|columns|encoder|http|overlay" min:"1" doc:"who labels, in order: the taxonomy's rules, columns that the rows carry, an encoder's similarity to descriptions, a chat model over HTTP, an overlay of corrections"`
	Rules           string             `yaml:"rules" default:"taxonomy" enum:"taxonomy" when:"source=rules" doc:"where the rules come from: the plan's taxonomy"`
	Encoder         Encoder            `yaml:"encoder" when:"source=encoder" doc:"options of source encoder"`
	HTTP            HTTP               `yaml:"http" when:"source=http" doc:"options of source http"`
	Overlay         Overlay            `yaml:"overlay" when:"source=overlay" doc:"options of source overlay"`
	Combine         string             `yaml:"combine" default:"chain" enum:"chain|vote" doc:"chain: a later source decides what the earlier left undecided; vote: all sources vote"`
	Conflict        string             `yaml:"conflict" default:"max" enum:"max|vote|abstain" doc:"votes that disagree on a category: max takes the strongest score, vote the heavier side, abstain none"`
	Conflicts       map[string]string  `yaml:"conflicts" enum:"max|vote|abstain" doc:"the same for single categories, {crime: abstain}"`
	Exclusive       bool               `yaml:"exclusive" default:"false" doc:"a row has one category at most: several are a conflict"`
	Weights         map[string]float64 `yaml:"weights" above:"0" max:"1" doc:"weight of a source's votes, {columns: 0.5}; 1 by default, 0.5 for encoder; a rule's votes have its own weight too"`
	Gold            string             `yaml:"gold" path:"true" key:"-" doc:"gold part (csv, jsonl, parquet) that weighs the voters; never the set that verify scores"`
	Scored          string             `yaml:"scored" path:"true" like:"verify.gold" key:"-" doc:"gold set whose rows never weigh voters; by default the one that verify measures against"`
	Columns         map[string]string  `yaml:"columns" like:"fetch.files.columns" key:"set" doc:"what the gold part or the overlay calls columns, by our names, {title: subject, label: category}; by default as fetch's files, where it has such a column"`
	Separator       string             `yaml:"separator" default:";" key:"set" doc:"what stands between the categories of a cell of a column label: ; or , or |"`
	Values          map[string]string  `yaml:"values" key:"set" doc:"categories by what a column label calls them: {Sport: sports, Stöld: crime/theft, Other: none}; case, spaces and dashes never matter"`
	DetectLanguages bool               `yaml:"detect_languages" default:"false" key:"set" doc:"find out the language of rows whose column language names none even where no rule is of a language, for figures by language; it is kept with the row"`
	Abstain         bool               `yaml:"abstain" default:"true" doc:"a row that no source decides is undecided; false makes it negative everywhere"`
	Empty           string             `yaml:"without_positives" default:"warn" enum:"warn|stop" doc:"a category without a single positive row"`
}

// absentWeight is the weight of the rules' silence on a category, on a row on
// which rules of other categories fired, over that of a rule.
const absentWeight = 0.5

func (o *Options) uses(source string) bool { return slices.Contains(o.Source, source) }

// Check refuses options that contradict each other.
func (o *Options) Check() []stages.Problem {
	var out stages.Problems
	for i, s := range o.Source {
		out.If(slices.Contains(o.Source[:i], s), "source", "name each source once", "%s stands twice", s)
	}
	out.If(len(o.Source) == 1 && o.uses(sourceOverlay),
		"source", "for example source: [rules, overlay]", "an overlay alone labels only the rows that it corrects")
	others := slices.ContainsFunc(o.Source, func(s string) bool { return s != sourceHTTP && s != sourceOverlay })
	out.If(o.uses(sourceHTTP) && o.HTTP.Ask == askDisagreement && (o.Combine != "vote" || !others),
		"http.ask", "set combine: vote, with source: [rules, encoder, http]", "ask: disagreement is for a chat model that votes with other sources")
	for _, s := range slices.Sorted(maps.Keys(o.Weights)) {
		out.If(!o.uses(s) || s == sourceOverlay,
			"weights."+s, "the sources are "+strings.Join(o.Source, ", "), "%s is no source that votes", s)
	}
	return slices.Concat(out, rows.CheckFormat("gold", o.Gold), rows.CheckFormat("overlay.file", o.Overlay.File), rows.CheckColumns("columns", o.Columns), rows.CheckLabelForm("", o.form()))
}

func (o *Options) form() rows.LabelForm {
	return rows.LabelForm{Separator: o.Separator, Values: o.Values}
}

// Layout is that of the files of labels that the options name.
func (o *Options) Layout() rows.Layout { return rows.Layout{Columns: o.Columns, Labels: o.form()} }

// CheckFiles looks into the overlay and the gold part.
func (o *Options) CheckFiles(_ context.Context, src stages.Source) []stages.FileProblem {
	t, err := dataset.Taxonomy(src)
	if err != nil {
		return nil // it is told as the taxonomy's
	}
	if wrong := dataset.CheckValues("", t, o.form()); wrong != nil {
		return wrong
	}
	var out []stages.FileProblem
	if o.uses(sourceEncoder) {
		out = resources.CheckEncoder("encoder.model", o.Encoder.Model)
	}
	if o.uses(sourceOverlay) {
		out = append(out, filecheck.Overlay("overlay.file", o.Overlay.File, o.Layout(), dataset.Categories(t), ahead)...)
	}
	if o.Gold != "" {
		out = append(out, filecheck.Gold("gold", o.Gold, o.Layout(), dataset.Categories(t))...)
	}
	return out
}

// ReadLabels says that source columns reads labels of the rows.
func (o *Options) ReadLabels(src stages.Source) *stages.LabelColumns {
	if !o.uses(sourceColumns) {
		return nil
	}
	t, err := dataset.Taxonomy(src)
	if err != nil {
		return nil
	}
	vocabulary, err := rows.NewVocabulary(dataset.Categories(t), o.form())
	if err != nil {
		return nil // CheckFiles tells
	}
	return &stages.LabelColumns{Categories: t.Names(), Check: func(cell string) *stages.Problem {
		_, err := vocabulary.Parse(cell)
		if err == nil {
			return nil
		}
		return &stages.Problem{Message: err.Error(), Hint: labelHint(t, err)}
	}, Missing: func(categories []string) *stages.Problem {
		missing, hint := missingLabels(t, categories)
		if missing == "" {
			return nil
		}
		return &stages.Problem{Message: missing, Hint: hint}
	}}
}

// ahead tells of a correction that is dated in the future; the clock decides no label.
func ahead(c *rows.Correction) rows.Mistakes {
	if !c.IsAhead(time.Now()) {
		return nil
	}
	return rows.Mistakes{{Row: c.Number, Message: fmt.Sprintf("it is dated %s: no later review counts until then", c.Time.Format(time.RFC3339)), Hint: "write when it was reviewed"}}
}

// Resolve keys the stage by the categories and by what its sources read.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	t, err := dataset.Taxonomy(lookup.Taxonomy())
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Sorted(maps.Keys(o.Conflicts)) {
		if t.Index(c) < 0 {
			return nil, stages.At("conflicts."+c, stages.Fail(stages.CodePlan, fmt.Sprintf("its categories: %v", t.Names()), "the taxonomy has no category %q", c))
		}
	}
	ext := dataset.Key(t)
	if o.uses(sourceRules) {
		ext["rules"] = t.RulesKey()
	}
	if o.uses(sourceEncoder) {
		if err := o.Encoder.resolve(ctx, lookup, t, ext); err != nil {
			return nil, err
		}
	}
	if o.uses(sourceHTTP) {
		ext["prompt"] = question.Prompt(t)
	}
	if o.uses(sourceOverlay) {
		if err := ext.AddFile(ctx, lookup, "overlay", o.Overlay.File); err != nil {
			return nil, err
		}
	}
	if o.Gold == "" {
		return ext, nil
	}
	if err := cmp.Or(ext.AddFile(ctx, lookup, "gold", o.Gold), ext.AddFile(ctx, lookup, "scored", o.Scored)); err != nil {
		return nil, err
	}
	if ext["scored"] == ext["gold"] {
		return nil, stages.Fail(stages.CodePlan, "set rows aside for it, in a file of their own", "gold: %s is the gold set that verify scores; what weighs the voters must not score them", o.Gold)
	}
	return ext, nil
}
