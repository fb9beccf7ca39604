package verify

import (
	"context"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/resources"
)

// timedTexts is how many single texts are timed, and batchedTexts how many at once: the
// encoder embeds them for the clock, whatever vectors are kept.
const (
	timedTexts   = 50
	batchedTexts = 500
)

func (m *measurer) measureLatency(ctx context.Context, device string, s *evaluationSet) (Timings, error) {
	out := Timings{Device: device}
	texts := s.texts[:min(timedTexts, len(s.texts))]
	if len(texts) == 0 {
		return out, nil
	}
	for range 2 { // programs are compiled by the first pass
		var each []float64
		for _, t := range texts {
			began := time.Now()
			if _, err := m.model.Predict(ctx, []classify.Text{t}); err != nil {
				return out, resources.Computed(err)
			}
			each = append(each, float64(time.Since(began).Microseconds())/1e3)
		}
		slices.Sort(each)
		out.Texts, out.P50, out.P99 = len(each), each[len(each)/2], each[len(each)*99/100]
	}
	texts = s.texts[:min(batchedTexts, len(s.texts))]
	began := time.Now()
	if _, err := m.model.Predict(ctx, texts); err != nil {
		return out, resources.Computed(err)
	}
	out.Rate = float64(len(texts)) / time.Since(began).Seconds()
	return out, nil
}

// checkLatency is of the timings: it holds for a machine and a moment.
func checkLatency(_ context.Context, in checkInput) (observation, error) {
	o := observation{value: in.timings.P50, where: in.timings.Device}
	if in.check.ID == "latency_p99" {
		o.value = in.timings.P99
	}
	return o, nil
}
