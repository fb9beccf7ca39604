package train

import (
	"context"
	"log/slog"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/filecheck"
)

// Calibrate says how scores and thresholds are fitted after training.
type Calibrate struct {
	Temperature string  `yaml:"temperature" default:"none" enum:"none|one|category" doc:"rescale scores so that they are probabilities: one temperature for all categories, or one for each; the model applies it to all its answers; with labels: single one is always fitted"`
	Gold        float64 `yaml:"gold" default:"0" min:"0" below:"1" doc:"share of the gold set, whole stories drawn by their rows' identity, on which thresholds and temperatures are fitted where it has enough positives; verify does not score these rows"`
	File        string  `yaml:"file" path:"true" like:"verify.gold" key:"-" doc:"that gold set; by default the one that verify measures against"`

	Columns   map[string]string `yaml:"columns" like:"fetch.files.columns" key:"set" doc:"what the gold set calls columns, by our names; by default as fetch's files"`
	Separator string            `yaml:"separator" default:";" like:"label.separator" key:"set" doc:"what stands between the categories of a cell of its column label: ; or , or |"`
	Values    map[string]string `yaml:"values" like:"label.values" key:"set" doc:"categories by what its column label calls them; by default as label"`
}

func (c Calibrate) layout() rows.Layout {
	return rows.Layout{Columns: c.Columns, Labels: rows.LabelForm{Separator: c.Separator, Values: c.Values}}
}

// CheckFiles looks whether there is such an encoder, and into the gold set.
func (o *Options) CheckFiles(_ context.Context, src stages.Source) []stages.FileProblem {
	out := resources.CheckEncoder("encoder", o.Encoder)
	t, err := dataset.Taxonomy(src)
	if err != nil || o.Calibrate.Gold == 0 {
		return out // the taxonomy's mistakes are told as such
	}
	if wrong := dataset.CheckValues("calibrate.", t, o.Calibrate.layout().Labels); wrong != nil {
		return append(out, wrong...)
	}
	return append(out, filecheck.Gold("calibrate.file", o.Calibrate.File, o.Calibrate.layout(), dataset.Categories(t))...)
}

// minPerAnswer is how many rows of each answer a fit on them needs.
const minPerAnswer = 8

// sample is scored rows of a category with their truth.
type sample struct {
	on     string
	scores []float32
	truth  []bool
}

func (s *sample) positives() int {
	n := 0
	for _, t := range s.truth {
		if t {
			n++
		}
	}
	return n
}

func (s *sample) suffices() bool {
	n := s.positives()
	return n >= minPerAnswer && len(s.truth)-n >= minPerAnswer
}

// error is the expected calibration error of scores for the sample's rows.
func (s *sample) error(scores []float32) float64 {
	truths := make([]metrics.Truth, len(s.truth))
	for i, t := range s.truth {
		truths[i].Positive = []bool{t}
	}
	return metrics.Calibrate(truths, 0, func(row int) float64 { return float64(scores[row]) }).ECE
}

// goldPart reads the part of the gold set that the plan grants.
func (s *stage) goldPart(ctx context.Context, t *taxonomy.Taxonomy) ([]rows.Row, error) {
	o := s.o.Calibrate
	if o.Gold == 0 {
		return nil, nil
	}
	g, err := rows.OpenGold(ctx, s.env.Files, o.File, o.layout(), dataset.Categories(t))
	if err != nil {
		return nil, err
	}
	if err := dataset.CheckChoice(t, g.Rows); err != nil {
		return nil, stages.Fail(stages.CodeStage, "decide which of them is right", "gold set %s: %w", o.File, err)
	}
	var part []rows.Row
	for i, in := range dedup.GoldPart(g.Rows, o.Gold) {
		if in {
			part = append(part, g.Rows[i])
		}
	}
	if len(part) == 0 || len(part) == len(g.Rows) {
		return nil, stages.Fail(stages.CodeStage, "label more rows by hand, or change calibrate.gold", "calibrate.gold %g takes %d of the %d rows of %s", o.Gold, len(part), len(g.Rows), o.File)
	}
	return part, nil
}

// calibrate fits temperatures, which it gives to the model, and thresholds.
func (l *loop) calibrate(ctx context.Context, model *bert.Model) (*release.Calibration, error) {
	if model.Spec.Single {
		return l.calibrateChoice(ctx, model)
	}
	samples, err := l.samples(ctx, model)
	if err != nil {
		return nil, err
	}
	o := l.o.Calibrate
	out := &release.Calibration{Temperature: o.Temperature, Categories: map[string]release.Calibrated{}, Gold: []release.GoldRow{}}
	for _, r := range l.gold {
		out.Gold = append(out.Gold, release.GoldRow{URL: r.URL, ID: r.ID, Title: r.Title})
	}
	var all sample
	for _, s := range samples {
		if s.suffices() {
			all.scores, all.truth = append(all.scores, s.scores...), append(all.truth, s.truth...)
		}
	}
	common := 1.0
	if o.rescales() && all.suffices() {
		common = metrics.Temperature(all.scores, all.truth)
	}
	temperatures := make([]float64, len(samples))
	for c, s := range samples {
		temperatures[c] = common
		if o.Temperature == "category" && s.suffices() {
			temperatures[c] = metrics.Temperature(s.scores, s.truth)
		}
		tempered := make([]float32, len(s.scores))
		for i, x := range s.scores {
			tempered[i] = float32(metrics.Temper(float64(x), temperatures[c]))
		}
		out.Categories[l.names[c]] = release.Calibrated{
			Threshold: metrics.Threshold(tempered, s.truth), Temperature: temperatures[c], On: s.on, Rows: len(s.truth), Positives: s.positives(),
			LogLoss: [2]float64{round(metrics.LogLoss(s.scores, s.truth, 1)), round(metrics.LogLoss(s.scores, s.truth, temperatures[c]))},
			Error:   [2]float64{s.error(s.scores), s.error(tempered)},
		}
	}
	if o.rescales() {
		model.Spec.Temperatures = temperatures
	}
	return out, nil
}

// samples are what each category is fitted on: the gold part where it says
// enough of it, else val with its weak labels.
func (l *loop) samples(ctx context.Context, model *bert.Model) ([]sample, error) {
	out := make([]sample, len(l.names))
	for c := range l.names {
		out[c].on = "val"
		for i, s := range l.state.Scores {
			if l.truth.known[c][i] {
				out[c].scores, out[c].truth = append(out[c].scores, s[c]), append(out[c].truth, l.truth.positive[c][i])
			}
		}
	}
	if len(l.gold) == 0 {
		return out, nil
	}
	texts := make([]bert.Text, len(l.gold))
	for i, r := range l.gold {
		texts[i].IDs, texts[i].Types = model.Encode(r.Title, r.Description)
	}
	predictions, err := l.predict(ctx, model, texts)
	if err != nil {
		return nil, err
	}
	var weak []string
	for c, name := range l.names {
		s := sample{on: "gold"}
		for i, p := range predictions {
			s.scores, s.truth = append(s.scores, p.Scores[c]), append(s.truth, l.gold[i].Labels[c].Score > 0)
		}
		if s.suffices() {
			out[c] = s
		} else {
			weak = append(weak, name)
		}
	}
	if len(weak) > 0 {
		l.env.Log.Warn("the gold part has too few rows of these categories: val decides", slog.Any("categories", weak), slog.Int("needed", minPerAnswer))
	}
	return out, nil
}

// predict answers for texts on the device that trained.
func (l *loop) predict(ctx context.Context, m *bert.Model, texts []bert.Text) ([]bert.Prediction, error) {
	p, err := bert.NewPredictor(m, l.dev)
	if err != nil {
		return nil, resources.Computed(err)
	}
	defer p.Close()
	predictions, err := p.Predict(ctx, texts)
	return predictions, resources.Computed(err)
}

func (c Calibrate) rescales() bool { return c.Temperature == "one" || c.Temperature == "category" }
