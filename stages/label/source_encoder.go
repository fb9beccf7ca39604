package label

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/embeddings"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/similarity"
)

// Encoder are the options of source encoder.
type Encoder struct {
	Model       string              `yaml:"model" required:"true" path:"dotted" key:"-" doc:"all-minilm-l6-v2, a Hugging Face model org/name[@revision], a folder, or a store URL; one made for sentence similarity"`
	Pooling     string              `yaml:"pooling" default:"mean" enum:"mean|cls|pooler" doc:"from tokens to one vector"`
	Prompt      string              `yaml:"prompt" default:"auto" key:"set" doc:"what stands before every text, as encoders for search want it (e5: \"query: \"); auto is the default prompt of the encoder's config_sentence_transformers.json, if it has one"`
	Text        []string            `yaml:"text" default:"[title]" enum:"title|description" min:"1" max:"2" doc:"fields of a row that are compared"`
	Temperature float64             `yaml:"temperature" default:"0.05" above:"0" max:"10" doc:"what similarities are divided by before they become probabilities of the categories"`
	Sure        float64             `yaml:"sure" default:"0.8" min:"0" max:"1" doc:"least probability of the category, and of the tag, that is named"`
	NoneShare   float64             `yaml:"none_share" default:"0" min:"0" below:"1" doc:"share of the rows, those that lie farthest from every description, that are of no category"`
	Strength    float64             `yaml:"strength" default:"0.7" above:"0" max:"1" doc:"the score of a label that the encoder gives"`
	Describe    map[string][]string `yaml:"describe" doc:"descriptions of categories, {crime: [police and courts, theft]}; by default the taxonomy's doc, else name and tags"`
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

// encoderSource votes for the category whose description lies nearest to a row, if it is
// sure enough of it, and against those that lie farther than the middle.
//
// Encoders differ in how near all texts lie to each other: cosines of e5 are 0.75 to 0.95,
// those of MiniLM 0 to 0.6. So rows are compared with descriptions as seen from their own
// middle, and descriptions from theirs: what is left says how a text differs from others,
// at one scale for all encoders.
type encoderSource struct {
	s     *stage
	t     *taxonomy.Taxonomy
	voter []int
	count *encoderCount
	rows  []rows.Row // all of the stage, which make the middle

	model      *bert.Model
	dev        *device.Device
	space      *embeddings.Space
	known      map[*rows.Row][]float32
	middle     []float64
	categories similarity.Views
	tags       []similarity.Views // by category: its descriptions, then its tags
	noneBelow  float64
}

func newEncoder(s *stage, t *taxonomy.Taxonomy, b *assembly, weight float64) *encoderSource {
	b.report.Encoder = &encoderCount{}
	return &encoderSource{s: s, t: t, voter: b.voters.perCategory(sourceEncoder, t, weight), count: b.report.Encoder, rows: b.rows}
}

// open loads the encoder and embeds all rows and descriptions, when the first row needs it.
func (e *encoderSource) open(ctx context.Context) error {
	if err := e.load(ctx); err != nil {
		return err
	}
	set := make([]*rows.Row, len(e.rows))
	for i := range set {
		set[i] = &e.rows[i]
	}
	vectors, err := e.embedRows(ctx, set)
	if err != nil {
		return err
	}
	var texts []string
	var of []int // the category of each, and then of each tag
	for c, described := range e.s.o.Encoder.describe(e.t) {
		for _, text := range described {
			texts, of = append(texts, text), append(of, c)
		}
	}
	descriptions := len(texts)
	for c, category := range e.t.Categories {
		for _, tag := range category.Tags[1:] {
			texts, of = append(texts, tag+" "+plainName(category.Name)), append(of, c)
		}
	}
	described, err := e.embed(ctx, texts)
	if err != nil {
		return err
	}
	e.categories = similarity.New(described[:descriptions], of[:descriptions], len(e.t.Categories))
	for c := range e.t.Categories {
		e.tags = append(e.tags, similarity.OfTags(described, of, descriptions, c))
	}
	e.middle = similarity.RowsMiddle(vectors, e.categories.Middle)
	e.known = make(map[*rows.Row][]float32, len(set))
	best := make([]float64, len(set))
	for i, v := range vectors {
		e.known[set[i]] = v
		best[i] = slices.Max(e.categories.Near(v, e.middle))
	}
	e.noneBelow = math.Inf(-1)
	if k := int(e.s.o.Encoder.NoneShare * float64(len(best))); k > 0 {
		slices.Sort(best)
		e.noneBelow = best[k]
	}
	return nil
}

// load opens the device and the encoder.
func (e *encoderSource) load(ctx context.Context) error {
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
		Pooling: o.Pooling, HeadHidden: 1, MaxLength: min(maxTextTokens, enc.Config.MaxTokens()), Text: o.Text, Prompt: resources.PromptOf(o.Prompt, enc),
		Categories: []bert.Category{{Name: "none", Tags: []string{""}}}, // heads are not used
	}
	if e.model, err = bert.FromEncoder(enc, spec, 1); err != nil {
		return stages.Fail(stages.CodePlan, "change encoder.pooling or encoder.prompt", "%w", err)
	}
	if e.dev, err = resources.OpenDevice(ctx, e.s.env, e.s.env.Device); err != nil {
		return err
	}
	e.s.env.Note("device", strings.TrimSpace(e.dev.Name+" "+e.dev.Plugin))
	e.space, err = embeddings.Open(e.s.env, e.model, e.dev)
	return err
}

func (e *encoderSource) embed(ctx context.Context, texts []string) ([][]float32, error) {
	return e.space.Embed(ctx, bert.EncodeTexts(e.model, texts, func(text string) (title, description string) { return text, "" }))
}

func (e *encoderSource) embedRows(ctx context.Context, set []*rows.Row) ([][]float32, error) {
	return e.space.Embed(ctx, bert.EncodeTexts(e.model, set, func(r *rows.Row) (title, description string) { return r.Title, r.Description }))
}

// Close frees the device.
func (e *encoderSource) Close() error {
	if e.space != nil {
		e.space.Close()
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
	if e.known == nil {
		if err := e.open(ctx); err != nil {
			return nil, err
		}
	}
	var strange []*rows.Row // of a gold part
	for _, r := range set {
		if e.known[r] == nil {
			strange = append(strange, r)
		}
	}
	if len(strange) > 0 {
		vectors, err := e.embedRows(ctx, strange)
		if err != nil {
			return nil, err
		}
		for i, r := range strange {
			e.known[r] = vectors[i]
		}
	}
	for i, r := range set {
		out[i] = e.votes(e.known[r])
	}
	return out, nil
}

// votes compares one row.
func (e *encoderSource) votes(row []float32) []labelmodel.Vote {
	o := &e.s.o.Encoder
	near := e.categories.Near(row, e.middle)
	best, p := similarity.Likeliest(near, o.Temperature)
	e.count.Asked++
	var out []labelmodel.Vote
	switch {
	case near[best] < e.noneBelow:
		for c := range near {
			out = append(out, labelmodel.Vote{Voter: e.voter[c], Category: c})
		}
		e.count.None++
		return out
	case p < o.Sure:
		e.count.Unsure++
		return nil
	}
	for c := range near {
		switch {
		case c == best:
			tag, p := similarity.Likeliest(e.tags[c].Near(row, e.middle), o.Temperature)
			if p < o.Sure {
				tag = 0
			}
			out = append(out, labelmodel.Vote{Voter: e.voter[c], Category: c, Score: o.Strength, Tag: tag})
		case near[c] < 0:
			out = append(out, labelmodel.Vote{Voter: e.voter[c], Category: c})
		}
	}
	e.count.Decided++
	return out
}
