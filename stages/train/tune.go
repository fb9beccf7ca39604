package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/ml/tokenize"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
)

// fitted is a model with heads, and what these were fitted on.
type fitted struct {
	t     *taxonomy.Taxonomy
	dev   *device.Device
	model *bert.Model
	set   []rows.Row // of train and val
	val   []rows.Row // the part that is measured
	fit   *frozen.Fit
	began time.Time // the stage, whose time max_minutes is
}

// tuneHeads tunes the encoder where that gains something, and writes the outputs: beside
// those of the model its heads as they were before.
func (s *stage) tuneHeads(ctx context.Context, out stages.Outputs, f fitted) error {
	calibration, thresholds := f.fit.Calibration(f.model), f.fit.Thresholds(f.model)
	untuned := func(why string) error {
		s.env.Log.Info("the encoder stays as it is: the model is its heads", "reason", why)
		s.env.Note("untuned", why)
		if err := release.WriteUntuned(ctx, out, why); err != nil {
			return err
		}
		return s.write(ctx, out, f.model, []Epoch{s.headsEpoch(f.t, f.set, f.fit)}, calibration, thresholds)
	}
	if why := s.o.Tune.Skip(&f.model.Spec, s.o.Heads.Rounds, f.set); why != "" {
		return untuned(why)
	}
	l, err := s.newTuning(f)
	if err != nil {
		return err
	}
	defer l.trainer.Close()
	err = l.run(ctx)
	if errors.Is(err, stages.ErrMoney) { // before a step: there are the heads
		s.env.Note(stages.NoteEndedEarly, err.Error())
		return untuned(err.Error())
	}
	if err != nil {
		return err
	}
	model, err := l.trainer.Export(l.best, l.state.BestSteps)
	if err != nil {
		return err
	}
	if err := l.halve(ctx, model); err != nil {
		return l.interrupted(ctx, err, false)
	}
	if err := release.WriteHeads(ctx, out, s.env.Scratch, f.model, thresholds); err != nil {
		return err
	}
	return s.write(ctx, out, model, l.state.History, calibration, thresholds)
}

// gentle are the options of a fit that tunes.
func (s *stage) gentle(dev *device.Device) fit.Options {
	o, n := s.fitOptions(dev), s.o.Tune
	o.Epochs, o.LearningRate, o.BatchSize, o.HeadScale = n.Epochs, n.LearningRate, n.BatchSize, 1
	o.WordDropout = fit.WordDropout{Rate: n.MaskRandom, Delete: true}
	o.AltProb, o.Smoothing, o.ScoreWeight, o.TagWeight = 0, 0, 1, 1
	return o
}

// newTuning is a loop that tunes a model with fitted heads towards what these answer for
// the rows. val is measured after each epoch, and decides nothing.
func (s *stage) newTuning(f fitted) (*loop, error) {
	w := s.o.weights(f.t, f.set)
	w.choice = slices.Repeat([]float32{1}, f.model.Spec.Outputs())
	l, val := s.newMeasure(f.t, f.model, f.dev, f.val, w)
	if len(val) == 0 { // then the rows are measured that train, of which some are labelled
		l, val = s.newMeasure(f.t, f.model, f.dev, f.set, w)
	}
	for _, r := range f.set {
		l.texts = append(l.texts, r.Title)
	}
	o := s.gentle(f.dev)
	l.last, l.epochs, l.started = true, o.Epochs, f.began
	var err error
	if l.trainer, err = fit.New(f.model, f.dev, s.o.softExamples(f.model, f.t, f.set, f.fit.Soft, w), val, o); err != nil {
		return nil, fmt.Errorf("prepare the tuning: %w", err)
	}
	s.watchCompile(l, f.model)
	return l, nil
}

// softExamples are all rows, labelled or not, with targets for the outputs of the model.
// Tags are learned from the rows that carry one.
func (o *Options) softExamples(m *bert.Model, t *taxonomy.Taxonomy, set []rows.Row, targets [][]float32, w weights) []fit.Example {
	texts, out := make([]tokenize.Text, len(set)), make([]fit.Example, len(set))
	for i, r := range set {
		e := fit.Example{Score: targets[i], Weight: w.choice, Tag: make([]int32, len(t.Categories)), TagWeight: make([]float32, len(t.Categories))}
		for c, l := range r.Labels {
			tag := t.Categories[c].TagIndex(l.Tag)
			if l.Abstain && o.MaskAbstain || tag < 1 {
				continue
			}
			e.Tag[c] = int32(tag) //nolint:gosec // taxonomies are small
			_, e.TagWeight[c] = w.of(c, l, tag)
		}
		texts[i], out[i] = tokenize.Text{First: r.Title, Second: r.Description}, e
	}
	ids := m.EncodeAll(texts)
	for i := range out {
		out[i].IDs, out[i].Types = ids.At(i)
	}
	return out
}
