package train

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/speed"
)

type stage struct {
	o   *Options
	env stages.Env
}

// Preflight opens the device, fetches the encoder and reads the gold part.
func (s *stage) Preflight(ctx context.Context) error {
	dev, err := resources.OpenDevice(ctx, s.env, s.env.Device)
	if err != nil {
		return err
	}
	defer dev.Close()
	if _, err = resources.FetchEncoder(ctx, s.env, s.o.Encoder); err != nil {
		return err
	}
	t, err := dataset.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	_, err = s.goldPart(ctx, t)
	return err
}

// Run fits the model and writes model, history and thresholds.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	began := time.Now()
	t, err := dataset.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	dev, err := resources.OpenDevice(ctx, s.env, s.env.Device)
	if err != nil {
		return err
	}
	defer dev.Close()
	s.noteDevice(dev)
	if s.o.frozen() {
		return s.runHeads(ctx, began, t, dev, in, out)
	}
	trainRows, err := dataset.ReadLabelled(ctx, in, "train", t)
	if err != nil {
		return err
	}
	model, err := s.model(ctx, t, s.o.hasNone(t, trainRows))
	if err != nil {
		return err
	}
	l, err := s.newLoop(ctx, in, t, model, dev, trainRows)
	if err != nil {
		return err
	}
	defer l.trainer.Close()
	l.started = began
	s.watchCompile(l, model)
	if err := l.run(ctx); err != nil {
		return err
	}
	return l.write(ctx, out)
}

// watchCompile lets the loop say what compiling costs, and what a slow device will.
func (s *stage) watchCompile(l *loop, model *bert.Model) {
	c := model.Spec.Encoder
	l.trainer.OnCompile, l.compileModel = l.announceCompile, fmt.Sprintf("%dx%d", c.NumHiddenLayers, c.HiddenSize)
	if l.dev.Name == device.Go {
		s.env.Note("estimate", speed.OfGo(l.trainer, model))
	}
}

// newLoop selects the labels that train, makes examples of their rows and a trainer that
// the loop drives.
func (s *stage) newLoop(ctx context.Context, in stages.Inputs, t *taxonomy.Taxonomy, model *bert.Model, dev *device.Device, trainRows []rows.Row) (*loop, error) {
	trainRows, err := s.selectLabels(ctx, t, model, dev, trainRows)
	if err != nil {
		return nil, err
	}
	weights := s.o.weights(t, trainRows)
	if t.Single {
		weights.choice = s.o.choiceWeights(trainRows, model.Spec.Outputs())
	}
	examples, used := s.o.examples(model, t, trainRows, weights, true)
	if err := checkClasses(examples); err != nil {
		return nil, err
	}
	valRows, err := dataset.ReadLabelled(ctx, in, "val", t)
	if err != nil {
		return nil, err
	}
	l, val := s.newMeasure(t, model, dev, valRows, weights)
	if l.gold, err = s.goldPart(ctx, t); err != nil {
		return nil, err
	}
	if len(val) == 0 {
		return nil, stages.Fail(stages.CodeStage, "give split a larger share for val, or label more rows", "no validation row has a label that counts")
	}
	s.env.Log.Info("rows", "train", len(trainRows), "train_labelled", len(examples), "val_labelled", len(val))
	if err := s.checkDevice(ctx, model, dev); err != nil {
		return nil, err
	}
	for _, i := range used {
		l.texts = append(l.texts, trainRows[i].Title)
	}
	if s.o.Sampling == "balanced" {
		examples, l.texts = fit.Balance(examples, l.texts, uint64(s.o.Seed)) //nolint:gosec // any 64 bits will do
	}
	if l.trainer, err = fit.New(model, dev, examples, val, s.fitOptions(dev)); err != nil {
		return nil, fmt.Errorf("prepare the training: %w", err)
	}
	return l, nil
}

// newMeasure is a loop without a trainer, which measures some rows, and their examples.
func (s *stage) newMeasure(t *taxonomy.Taxonomy, model *bert.Model, dev *device.Device, valRows []rows.Row, w weights) (*loop, []fit.Example) {
	val, kept := s.o.examples(model, t, valRows, w, false)
	l := &loop{stage: s, names: t.Names(), device: dev.Name + " " + dev.Digest, t: t, dev: dev, truth: truths(t, valRows, kept), epochs: s.o.Epochs}
	if t.Single {
		l.fired = s.o.firedShare(t, valRows)
	}
	for _, i := range kept {
		r := valRows[i]
		if t.Single {
			l.targets = append(l.targets, s.o.targets(r, model.Spec.Outputs()))
		}
		if !s.o.has("description") {
			r.Description = ""
		}
		l.val = append(l.val, r)
	}
	return l, val
}

func (s *stage) noteDevice(dev *device.Device) {
	name := dev.Name
	if dev.Plugin != "" {
		name += " (" + strings.TrimSpace(dev.Plugin+" "+dev.PluginVersion) + ")"
	}
	s.env.Note("device", name)
	s.env.Note("plugin", map[string]any{"name": dev.Plugin, "version": dev.PluginVersion, "digest": dev.Digest, "api": dev.API, "description": dev.Description})
	if dev.Fallback != "" {
		s.env.Log.Warn("a faster device could not be used", "reason", dev.Fallback)
	}
}

// model puts new heads on the encoder, one of no category among them if none says so.
func (s *stage) model(ctx context.Context, t *taxonomy.Taxonomy, none bool) (*bert.Model, error) {
	dir, err := resources.FetchEncoder(ctx, s.env, s.o.Encoder)
	if err != nil {
		return nil, err
	}
	e, err := resources.LoadEncoder(dir)
	if err != nil {
		return nil, err
	}
	spec := bert.Spec{Pooling: s.o.pooling(e.HasPooler()), HeadHidden: s.o.HeadHidden, Linear: s.o.frozen(), MaxLength: min(s.o.MaxLength, e.Config.MaxTokens()), Text: s.o.Text, Prompt: resources.PromptOf(s.o.Prompt, e), Single: t.Single, None: none}
	for _, c := range t.Categories {
		spec.Categories = append(spec.Categories, bert.Category{Name: c.Name, Tags: c.Tags})
	}
	m, err := bert.FromEncoder(e, spec, uint64(s.o.Seed)) //nolint:gosec // any 64 bits will do
	if err != nil {
		return nil, stages.Fail(stages.CodeStage, "change pooling, prompt or max_length", "%w", err)
	}
	return m, nil
}

func (s *stage) fitOptions(dev *device.Device) fit.Options {
	o := s.o
	return fit.Options{
		Epochs: o.Epochs, BatchSize: o.BatchSize, BatchTokens: o.BatchTokens, MaxShapes: maxShapes,
		LearningRate: o.LearningRate, HeadScale: o.HeadScale, LayerDecay: o.LayerDecay, Warmup: o.Warmup, Schedule: o.Schedule,
		WeightDecay: o.WeightDecay, Clip: o.Clip, Dropout: o.Dropout, Smoothing: o.Smoothing,
		ScoreWeight: o.ScoreWeight, TagWeight: o.TagWeight, AltProb: o.MaskRules, WordDropout: fit.WordDropout{Rate: o.MaskRandom, Delete: o.MaskRandom > 0 && o.MaskHow == "delete"}, Seed: uint64(o.Seed), //nolint:gosec // any 64 bits will do
		FreezeEmbed: o.FreezeEmbed == "true" || o.FreezeEmbed == "auto" && dev.Name == device.Go, FreezeLayers: o.FreezeLayers,
		Half: o.Precision == "bf16", Accumulate: o.MicroBatches,
	}
}

// maxShapes bounds the programs that are compiled for steps.
const maxShapes = 8

// checkDevice compares a device that is not the CPU with it.
func (s *stage) checkDevice(ctx context.Context, m *bert.Model, dev *device.Device) error {
	if dev.Name != device.CUDA {
		return nil
	}
	cpu, err := resources.OpenDevice(ctx, s.env, device.Go)
	if err != nil {
		return err
	}
	defer cpu.Close()
	return resources.CheckParity(m, dev, cpu, s.o.Precision == "bf16")
}

// truths are the validation labels of the kept rows.
func truths(t *taxonomy.Taxonomy, set []rows.Row, kept []int) truth {
	k := len(t.Categories)
	out := truth{positive: make([][]bool, k), known: make([][]bool, k), tag: make([][]int32, k)}
	if t.Single {
		for _, i := range kept {
			positive, known := choiceTruth(set[i].Labels)
			for c, category := range t.Categories {
				out.positive[c], out.known[c] = append(out.positive[c], positive[c]), append(out.known[c], known)
				out.tag[c] = append(out.tag[c], int32(category.TagIndex(set[i].Labels[c].Tag))) //nolint:gosec // taxonomies are small
			}
		}
		return out
	}
	for c, category := range t.Categories {
		for _, i := range kept {
			l := set[i].Labels[c]
			out.positive[c] = append(out.positive[c], l.Score > 0)
			out.known[c] = append(out.known[c], !l.Abstain)
			out.tag[c] = append(out.tag[c], int32(category.TagIndex(l.Tag))) //nolint:gosec // taxonomies are small
		}
	}
	return out
}

// truth holds the validation labels, by category and row.
type truth struct {
	positive, known [][]bool
	tag             [][]int32
}
