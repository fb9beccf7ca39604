package verify

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// checkedTexts is how many texts an integrity check asks about.
const checkedTexts = 32

// checkReload reads the saved bytes a second time and finds the largest difference
// of a score; another tag is a difference of 1.
func checkReload(ctx context.Context, in checkInput) (o observation, err error) {
	again, err := in.stage.load(ctx, in.artifacts, in.m.t, in.dev)
	if err != nil {
		return o, err
	}
	defer again.Close()
	texts := in.set.texts[:min(checkedTexts, len(in.set.texts))]
	a, err := in.m.model.Predict(ctx, texts)
	if err != nil {
		return o, resources.Computed(err)
	}
	b, err := again.Predict(ctx, texts)
	if err != nil {
		return o, resources.Computed(err)
	}
	var samples []Sample
	for i := range a {
		for k, c := range in.m.t.Categories {
			d := math.Abs(float64(a[i].Scores[k] - b[i].Scores[k]))
			if a[i].Tags[k] != b[i].Tags[k] {
				d = max(d, 1)
			}
			if o.value = max(o.value, d); d > 0 && len(samples) < maxSamples {
				answer := func(p classify.Prediction) string {
					return fmt.Sprintf("%s %.4f %s", c.Name, p.Scores[k], c.Tags[p.Tags[k]])
				}
				samples = append(samples, in.set.sample(i, answer(a[i]), answer(b[i])))
			}
		}
	}
	o.samples = func() []Sample { return samples }
	return o, nil
}

// checkFallback opens a release whose weights are damaged the way that classify does,
// and counts the texts that are not answered as the keywords answer, or whose
// answer names another source.
func checkFallback(ctx context.Context, in checkInput) (o observation, err error) {
	dir, err := in.stage.fetchDamaged(ctx, in.artifacts)
	if err != nil {
		return o, err
	}
	c, err := classify.OpenFolder(dir)
	if err != nil {
		return o, err
	}
	texts := in.set.texts[:min(checkedTexts, len(in.set.texts))]
	if err := c.Load(dir, in.dev); err == nil {
		return observation{value: float64(len(texts)), where: "a model with damaged weights was loaded"}, nil
	}
	answers, err := c.Classify(ctx, texts, false)
	if err != nil {
		return o, err
	}
	var samples []Sample
	for i, a := range answers {
		expected := in.set.answers[byKeywords][i].Positive
		ok := a.Source == classify.SourceKeywords && a.Model == nil
		for k, category := range in.m.t.Categories {
			_, answered := a.Categories[category.Name]
			ok = ok && answered == expected[k]
		}
		if ok {
			continue
		}
		if o.value++; len(samples) < maxSamples {
			samples = append(samples, in.set.sample(i, in.m.positiveNames(expected)+" by keywords", fmt.Sprintf("%d categories by %s", len(a.Categories), a.Source)))
		}
	}
	o.samples = func() []Sample { return samples }
	return o, nil
}

// fetchDamaged makes a folder like a release whose weights cannot be read.
func (s *stage) fetchDamaged(ctx context.Context, in stages.Inputs) (string, error) {
	dir, err := s.fetchTree(ctx, in, "model")
	if err != nil {
		return "", err
	}
	files := map[string][]byte{"taxonomy.yaml": s.env.Taxonomy.Data, "model.safetensors": []byte("damaged")}
	if files["thresholds.json"], err = storeio.ReadFile(ctx, in, "thresholds"); err != nil {
		return "", err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}
