package label

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Encoder are the options of source encoder.
type Encoder struct {
	Model     string              `yaml:"model" required:"true" path:"dotted" key:"-" doc:"all-minilm-l6-v2, a Hugging Face model org/name[@revision], a folder, or a store URL; one made for sentence similarity"`
	Pooling   string              `yaml:"pooling" default:"mean" enum:"mean|cls|pooler" doc:"from tokens to one vector"`
	Text      []string            `yaml:"text" default:"[title]" enum:"title|description" min:"1" max:"2" doc:"fields of a row that are compared"`
	Threshold float64             `yaml:"threshold" default:"0.3" min:"-1" max:"1" doc:"least cosine similarity to a category's description"`
	Margin    float64             `yaml:"margin" default:"0.05" min:"0" max:"2" doc:"by how much it must lead the next category"`
	NoneBelow float64             `yaml:"none_below" default:"-1" min:"-1" max:"1" doc:"a row that is this far from every category is of none; -1 says so of no row"`
	Strength  float64             `yaml:"strength" default:"0.7" above:"0" max:"1" doc:"the score of a label that the encoder gives"`
	Describe  map[string][]string `yaml:"describe" doc:"descriptions of categories, {crime: [police and courts, theft]}; by default the taxonomy's doc, else name and tags"`
}

const (
	encoderWeight = 0.5
	// maxTextTokens is the most tokens of a text that are compared.
	maxTextTokens = 128
)

// describe returns the texts of each category.
func (e *Encoder) describe(t *taxonomy.Taxonomy) [][]string {
	var out [][]string
	for _, c := range t.Categories {
		texts := e.Describe[c.Name]
		switch {
		case len(texts) > 0:
		case strings.TrimSpace(c.Doc) != "":
			texts = []string{c.Doc}
		default:
			texts = []string{strings.TrimSuffix(plainName(c.Name)+": "+strings.Join(c.Tags[1:], ", "), ": ")}
		}
		out = append(out, texts)
	}
	return out
}

func plainName(category string) string { return strings.ReplaceAll(category, "_", " ") }

// resolve keys the source by the encoder's content and by what it compares with.
func (e *Encoder) resolve(ctx context.Context, lookup stages.Lookup, t *taxonomy.Taxonomy, ext stages.External) error {
	for _, c := range slices.Sorted(maps.Keys(e.Describe)) {
		if t.Index(c) < 0 {
			return stages.At("encoder.describe."+c, stages.Fail(stages.CodePlan, fmt.Sprintf("its categories: %v", t.Names()), "the taxonomy has no category %q", c))
		}
	}
	id, err := resources.PinEncoder(ctx, lookup, e.Model)
	if err != nil {
		return stages.At("encoder.model", err)
	}
	ext["encoder"] = resources.EncoderKey(id)
	described := map[string]any{}
	for c, texts := range e.describe(t) {
		var list []any
		for _, text := range texts {
			list = append(list, text)
		}
		described[t.Categories[c].Name] = list
	}
	ext["described"] = described
	return nil
}

// encoderSource votes for the category whose description lies nearest to a row,
// if its cosine similarity reaches the threshold and leads the next category by
// the margin, and against those that are below the threshold.
type encoderSource struct {
	s     *stage
	t     *taxonomy.Taxonomy
	voter []int
	count *encoderCount

	model      *bert.Model
	dev        *device.Device
	embedder   *bert.Embedder
	categories [][][]float32 // by category and text, unit vectors
	tags       [][][]float32 // by category and tag; the empty tag has none
}

func newEncoder(s *stage, t *taxonomy.Taxonomy, b *assembly, weight float64) *encoderSource {
	b.report.Encoder = &encoderCount{}
	return &encoderSource{s: s, t: t, voter: b.voters.perCategory(sourceEncoder, t, weight), count: b.report.Encoder}
}

// open loads the encoder when the first row needs it.
func (e *encoderSource) open(ctx context.Context) error {
	dir, err := resources.FetchEncoder(ctx, e.s.env, e.s.o.Encoder.Model)
	if err != nil {
		return err
	}
	enc, err := resources.LoadEncoder(dir)
	if err != nil {
		return err
	}
	o := &e.s.o.Encoder
	spec := bert.Spec{
		Pooling: o.Pooling, HeadHidden: 1, MaxLength: min(maxTextTokens, enc.Config.MaxTokens()), Text: o.Text,
		Categories: []bert.Category{{Name: "none", Tags: []string{""}}}, // heads are not used
	}
	if e.model, err = bert.FromEncoder(enc, spec, 1); err != nil {
		return stages.Fail(stages.CodePlan, "change encoder.pooling", "%w", err)
	}
	if e.dev, err = resources.OpenDevice(ctx, e.s.env, e.s.env.Device); err != nil {
		return err
	}
	e.s.env.Note("device", strings.TrimSpace(e.dev.Name+" "+e.dev.Plugin))
	if e.embedder, err = bert.NewEmbedder(e.model, e.dev); err != nil {
		return err
	}
	for c, texts := range o.describe(e.t) {
		var tags []string
		for _, tag := range e.t.Categories[c].Tags[1:] {
			tags = append(tags, tag+" "+plainName(e.t.Categories[c].Name))
		}
		both, err := e.embed(ctx, append(slices.Clone(texts), tags...))
		if err != nil {
			return err
		}
		e.categories = append(e.categories, both[:len(texts)])
		e.tags = append(e.tags, append([][]float32{nil}, both[len(texts):]...))
	}
	return nil
}

func (e *encoderSource) embed(ctx context.Context, texts []string) ([][]float32, error) {
	encoded := bert.EncodeTexts(e.model, texts, func(text string) (title, description string) { return text, "" })
	vectors, err := e.embedder.Embed(ctx, encoded)
	return vectors, resources.Computed(err)
}

// Close frees the device.
func (e *encoderSource) Close() error {
	if e.embedder != nil {
		e.embedder.Close()
	}
	if e.dev != nil {
		e.dev.Close()
	}
	return nil
}

func (e *encoderSource) cast(ctx context.Context, set []*rows.Row) ([][]labelmodel.Vote, error) {
	out := make([][]labelmodel.Vote, len(set))
	if len(set) == 0 {
		return out, nil
	}
	if e.embedder == nil {
		if err := e.open(ctx); err != nil {
			return nil, err
		}
	}
	texts := bert.EncodeTexts(e.model, set, func(r *rows.Row) (title, description string) { return r.Title, r.Description })
	vectors, err := e.embedder.Embed(ctx, texts)
	if err != nil {
		return nil, resources.Computed(err)
	}
	for i, v := range vectors {
		out[i] = e.votes(v)
	}
	return out, nil
}

// votes compares one row.
func (e *encoderSource) votes(row []float32) []labelmodel.Vote {
	o := &e.s.o.Encoder
	near := make([]float64, len(e.categories))
	best := 0
	for c, texts := range e.categories {
		_, near[c] = nearest(row, texts)
		if near[c] > near[best] {
			best = c
		}
	}
	e.count.Asked++
	var out []labelmodel.Vote
	if near[best] < o.NoneBelow {
		for c := range near {
			out = append(out, labelmodel.Vote{Voter: e.voter[c], Category: c})
		}
		e.count.Decided++
		return out
	}
	lead := 2.0
	for c := range near {
		if c != best {
			lead = min(lead, near[best]-near[c])
		}
	}
	switch {
	case near[best] < o.Threshold:
		e.count.Far++
		return nil
	case lead < o.Margin:
		e.count.Close++
		return nil
	}
	for c := range near {
		switch {
		case c == best:
			tag, similarity := nearest(row, e.tags[c])
			if similarity < o.Threshold {
				tag = 0
			}
			out = append(out, labelmodel.Vote{Voter: e.voter[c], Category: c, Score: o.Strength, Tag: tag})
		case near[c] < o.Threshold:
			out = append(out, labelmodel.Vote{Voter: e.voter[c], Category: c})
		}
	}
	e.count.Decided++
	return out
}

// nearest returns the place and cosine similarity of the vector nearest to v.
// Vectors have length 1; those that are nil are passed over.
func nearest(v []float32, list [][]float32) (at int, similarity float64) {
	similarity = -1
	for i, w := range list {
		if w == nil {
			continue
		}
		sum := 0.0
		for j := range v {
			sum += float64(v[j]) * float64(w[j])
		}
		if sum > similarity {
			at, similarity = i, sum
		}
	}
	return at, similarity
}
