package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
)

// maxDriftRows is about how many training rows stand for all.
const maxDriftRows = 1000

// trainDistribution is what the model answers on training rows, evenly spread ones of many.
func (m *measurer) trainDistribution(ctx context.Context, in []rows.Row) (Distribution, error) {
	step := max(1, len(in)/maxDriftRows)
	var some []rows.Row
	for i := 0; i < len(in); i += step {
		some = append(some, in[i])
	}
	_, _, answers, err := m.predict(ctx, newEvaluationSet(m.t, "train", some).texts)
	if err != nil {
		return Distribution{}, err
	}
	return m.distribution(some, answers), nil
}

// distribution counts what was answered on rows.
func (m *measurer) distribution(in []rows.Row, answers []metrics.Answer) Distribution {
	d := Distribution{Rows: len(in), Labels: map[string]int{"": 0}, Lengths: make([]int, len(lengthNames))}
	for _, name := range m.t.Names() {
		d.Labels[name] = 0
	}
	for i, r := range in {
		if !slices.Contains(answers[i].Positive, true) {
			d.Labels[""]++
		}
		for k, p := range answers[i].Positive {
			if p {
				d.Labels[m.t.Categories[k].Name]++
			}
		}
		d.Lengths[lengthClass(r.Title)]++
	}
	return d
}

// drift compares every set with the same set of the release that the key names,
// else with the training rows.
func (s *stage) drift(ctx context.Context, m *measurer, f *figures, trainRows []rows.Row) error {
	if !s.o.drifts() {
		return nil
	}
	before, against, err := s.earlierDistributions(ctx)
	if err != nil {
		return err
	}
	f.Drift = map[string]Drift{}
	var trained Distribution
	for name, d := range f.Details {
		was, who := before[name].Distribution, against
		if was.Rows == 0 {
			if trained.Rows == 0 {
				if trained, err = m.trainDistribution(ctx, trainRows); err != nil {
					return err
				}
			}
			was, who = trained, "train"
		}
		var p, q []int
		for _, c := range append([]string{""}, m.t.Names()...) {
			p, q = append(p, was.Labels[c]), append(q, d.Distribution.Labels[c])
		}
		x := Drift{Against: who, Labels: metrics.PSI(p, q)}
		if len(was.Lengths) == len(lengthNames) {
			x.Lengths = metrics.PSI(was.Lengths, d.Distribution.Lengths)
		}
		f.Drift[name] = x
	}
	return nil
}

// earlierDetails are what is compared with, whatever else the earlier release
// measured on a set.
type earlierDetails struct {
	Distribution Distribution `json:"distribution"`
}

// earlierDistributions reads the distributions of the earlier release, by set.
func (s *stage) earlierDistributions(ctx context.Context) (map[string]earlierDetails, string, error) {
	key, ok := s.env.External["release"].(map[string]any)
	if !ok {
		return nil, "", nil
	}
	version, _ := key["version"].(float64)
	digest, _ := key["digest"].(string)
	name := fmt.Sprintf("%v@%.0f", key["name"], version)
	files, err := s.env.Store.Tree(ctx, digest)
	if err != nil {
		return nil, "", fmt.Errorf("release %s: %w", name, err)
	}
	data, err := release.ReadFile(ctx, s.env.Store, files, "metrics.json")
	if err != nil {
		return nil, "", fmt.Errorf("release %s: %w", name, err)
	}
	var was struct {
		Details map[string]earlierDetails `json:"details"`
	}
	if err := json.Unmarshal(data, &was); err != nil {
		return nil, "", stages.Fail(stages.CodeIntegrity, "publish the model again", "release %s: metrics.json: %w", name, err)
	}
	if len(was.Details) == 0 {
		s.env.Log.Warn("the earlier release stored no distribution: drift is measured against the training rows", "release", name)
	}
	return was.Details, name, nil
}

func checkDriftLabels(_ context.Context, in checkInput) (observation, error) {
	d := in.figures.Drift[in.check.On]
	return observation{value: d.Labels, where: d.Against}, nil
}

func checkDriftLengths(_ context.Context, in checkInput) (observation, error) {
	d := in.figures.Drift[in.check.On]
	return observation{value: d.Lengths, where: d.Against}, nil
}
