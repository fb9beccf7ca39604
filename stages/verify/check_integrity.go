package verify

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// checkedTexts is how many texts an integrity check asks about.
const checkedTexts = 32

// integrityChecker tries what no figure shows: that the saved bytes are the model, and
// that something answers without them.
type integrityChecker struct {
	s   *stage
	m   *measurer
	in  stages.Inputs
	dev *device.Device
}

// reload reads the saved bytes a second time and finds the largest difference
// of a score; another tag is a difference of 1.
func (p integrityChecker) reload(ctx context.Context, s *evaluationSet) (observation, error) {
	var o observation
	again, err := p.s.load(ctx, p.in, p.m.t, p.dev)
	if err != nil {
		return o, err
	}
	defer again.Close()
	texts := s.texts[:min(checkedTexts, len(s.texts))]
	a, err := p.m.model.Predict(ctx, texts)
	if err != nil {
		return o, resources.Computed(err)
	}
	b, err := again.Predict(ctx, texts)
	if err != nil {
		return o, resources.Computed(err)
	}
	var samples []Sample
	for i := range a {
		for k, c := range p.m.t.Categories {
			d := math.Abs(float64(a[i].Scores[k] - b[i].Scores[k]))
			if a[i].Tags[k] != b[i].Tags[k] {
				d = math.Max(d, 1)
			}
			if o.value = math.Max(o.value, d); d > 0 && len(samples) < maxSamples {
				samples = append(samples, s.sample(i, fmt.Sprintf("%s %.4f %s", c.Name, a[i].Scores[k], c.Tags[a[i].Tags[k]]), fmt.Sprintf("%s %.4f %s", c.Name, b[i].Scores[k], c.Tags[b[i].Tags[k]])))
			}
		}
	}
	o.samples = func() []Sample { return samples }
	return o, nil
}

// fallback opens a release whose weights are damaged the way that classify does,
// and counts the texts that are not answered as the keywords answer, or whose
// answer names another source.
func (p integrityChecker) fallback(ctx context.Context, s *evaluationSet) (observation, error) {
	var o observation
	dir, err := p.damaged(ctx)
	if err != nil {
		return o, err
	}
	c, err := classify.OpenFolder(dir)
	if err != nil {
		return o, err
	}
	texts := s.texts[:min(checkedTexts, len(s.texts))]
	if err := c.Load(dir, p.dev); err == nil {
		return observation{value: float64(len(texts)), where: "a model with damaged weights was loaded"}, nil
	}
	answers, err := c.Classify(ctx, texts, false)
	if err != nil {
		return o, err
	}
	var samples []Sample
	var res keywords.Result
	for i, a := range answers {
		p.m.matcher.Match(&res, texts[i].Title, texts[i].Description)
		expected := p.m.blank()
		ok := a.Source == classify.SourceKeywords && a.Model == nil
		for k, category := range p.m.t.Categories {
			expected.Positive[k] = res.Scores[k] > 0
			_, answered := a.Categories[category.Name]
			ok = ok && answered == expected.Positive[k]
		}
		if ok {
			continue
		}
		if o.value++; len(samples) < maxSamples {
			samples = append(samples, s.sample(i, p.m.positiveNames(expected.Positive)+" by keywords", fmt.Sprintf("%d categories by %s", len(a.Categories), a.Source)))
		}
	}
	if len(answers) != len(texts) {
		o.value = float64(len(texts))
	}
	o.samples = func() []Sample { return samples }
	return o, nil
}

// damaged is a folder like a release whose weights cannot be read.
func (p integrityChecker) damaged(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp(p.s.env.Scratch, "damaged-*")
	if err != nil {
		return "", err
	}
	tree, err := p.in.Tree(ctx, "model")
	if err != nil {
		return "", err
	}
	files := map[string][]byte{"taxonomy.yaml": p.s.env.Taxonomy.Data}
	if files["thresholds.json"], err = storeio.ReadFile(ctx, p.in, "thresholds"); err != nil {
		return "", err
	}
	for _, e := range tree.Entries() {
		if filepath.Base(e.Path) != e.Path {
			continue
		}
		if filepath.Ext(e.Path) == ".safetensors" {
			files[e.Path] = []byte("damaged")
			continue
		}
		if files[e.Path], err = storeio.ReadTreeFile(ctx, tree, e.Path); err != nil {
			return "", err
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	for name, data := range files {
		if err := root.WriteFile(name, data, 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func checkReload(ctx context.Context, in checkInput) (observation, error) {
	return in.integrity.reload(ctx, in.set)
}

func checkFallback(ctx context.Context, in checkInput) (observation, error) {
	return in.integrity.fallback(ctx, in.set)
}
