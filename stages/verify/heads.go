package verify

import (
	"context"
	"fmt"
	"os"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/embeddings"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/resources"
)

// measureHeads lets the heads answer from which train tuned the model, if it did.
func (s *stage) measureHeads(ctx context.Context, in stages.Inputs, m *measurer, dev *device.Device, sets []*evaluationSet) error {
	if _, ok := in.Artifact("heads"); !ok {
		return nil
	}
	tree, err := in.Tree(ctx, "heads")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.env.Scratch, "heads-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	thresholds, tuned, err := release.FetchHeads(ctx, tree, dir)
	if err != nil || !tuned {
		return err
	}
	if m.headThresholds, err = classify.Thresholds(thresholds, m.t); err != nil {
		return err
	}
	model, err := classify.LoadModel(dir, m.t, dev)
	if err != nil {
		return resources.Computed(err)
	}
	defer model.Close()
	heads := *m
	heads.model, heads.thresholds = model, m.headThresholds
	model.Answered = heads.answered
	env := s.env
	env.Note = func(_ string, v any) { s.env.Note(embeddings.HeadsNoteName, v) }
	done, err := heads.answerByVectors(env, model, dev)
	if err != nil {
		return err
	}
	defer done()
	for _, x := range sets {
		heads.begin(x.name+", before the encoder was tuned", len(x.texts))
		if _, _, x.answers[byHeads], err = heads.predict(ctx, x.texts); err != nil {
			return fmt.Errorf("%s: the heads: %w", x.name, err)
		}
	}
	return nil
}
