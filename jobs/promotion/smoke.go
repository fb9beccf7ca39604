package promotion

import (
	"context"
	"fmt"
	"math"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Smoke returns a Request.Try that brings a release here, every byte compared with its
// digest, loads it, and has it answer the text that its publisher noted as an example, and
// the names of its categories. The model itself must answer, with finite scores of all
// its categories. o says where it runs; its Ref is not used.
func Smoke(store *storage.Store, o answers.Options) func(ctx context.Context, r models.Release) error {
	return func(ctx context.Context, r models.Release) error {
		o.Ref, o.Release, o.Strict = fmt.Sprintf("%s@%d", r.Name, r.Version), &r, true
		c, _, done, err := answers.Open(ctx, o)
		if err != nil {
			return fmt.Errorf("the alias stays: %w", err)
		}
		defer done()
		return smoke(ctx, c, o.Ref, "A text", example(ctx, store, r))
	}
}

// smoke demands sane answers of a classifier.
func smoke(ctx context.Context, c *classify.Classifier, ref string, texts ...string) error {
	var asked []classify.Text
	for _, text := range append(texts, c.Taxonomy.Names()...) {
		if text != "" {
			asked = append(asked, classify.Text{Title: text})
		}
	}
	wrong := func(format string, args ...any) error {
		return stages.Fail(stages.CodeIntegrity, "name another version", "the alias stays: %s answers wrongly: %w", ref, fmt.Errorf(format, args...))
	}
	got, err := c.Classify(ctx, asked, true)
	if err != nil {
		return resources.Computed(err)
	}
	for i, a := range got {
		switch {
		case a.Problem != "":
			return wrong("about %.80q: %s", asked[i].Title, a.Problem)
		case a.Source != classify.SourceModel:
			return wrong("about %.80q its %s answer", asked[i].Title, a.Source)
		case len(a.Categories) != len(c.Taxonomy.Categories):
			return wrong("about %.80q it has %d scores for %d categories", asked[i].Title, len(a.Categories), len(c.Taxonomy.Categories))
		}
		for category, score := range a.Categories {
			if math.IsNaN(score.Score) || score.Score < -1 || score.Score > 1 {
				return wrong("about %.80q its score of %s is %g", asked[i].Title, category, score.Score)
			}
		}
	}
	return nil
}

// example is a text that the run which published a release noted: a row that the model
// was tested on; empty if that cannot be found any more.
func example(ctx context.Context, store *storage.Store, r models.Release) string {
	run := runOf(r)
	if !runs.ValidID(run) {
		return ""
	}
	result, err := runs.LoadRecord(ctx, store, run)
	if err != nil {
		return ""
	}
	for _, st := range result.Stages {
		if st.Outputs["release"].Digest != r.Digest {
			continue
		}
		if m, err := store.Manifest(ctx, st.Kind, st.Key); err == nil {
			text, _ := m.Notes[stages.NoteExample].(string)
			return text
		}
	}
	return ""
}
