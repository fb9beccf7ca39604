package comparison

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/storage"
)

// Measured reports whether a run measured rows itself: one that took what another had
// measured compares with that one as equal.
func Measured(r *runs.Record) bool {
	st := stageOf(*r)
	return st != nil && st.State != runs.Cached
}

// stageOf is the last stage of a run that has predictions; nil if none has.
func stageOf(r runs.Record) *runs.StageResult {
	for i := range slices.Backward(r.Stages) {
		if _, there := r.Stages[i].Outputs["predictions"]; there && r.Stages[i].Kind == "verify" {
			return &r.Stages[i]
		}
	}
	return nil
}

// predictions reads what a run answered; why tells people that there is nothing to read.
func predictions(ctx context.Context, s *storage.Store, r runs.Record) (rows []document.Prediction, why string, err error) {
	st := stageOf(r)
	if st == nil {
		return nil, fmt.Sprintf("run %s measured nothing", *r.Run), nil
	}
	rows, missing, err := document.ReadPredictions(ctx, s, *st)
	if err != nil {
		return nil, "", err
	}
	if missing != "" {
		missing = fmt.Sprintf("run %s: %s", *r.Run, missing)
	}
	return rows, missing, nil
}

// pairs are rows that both runs answered, each with one truth.
type pairs struct {
	on                string
	names             []string // of categories that both runs know
	rows              []document.Prediction
	truths            []metrics.Truth
	before, after     []metrics.Answer
	apart, relabelled int
}

// categoryName is what a taxonomy allows: a stored name may be anybody's.
var categoryName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// identity is what makes two rows the same: the url, else the id, else the title.
func identity(p document.Prediction) string {
	switch {
	case p.URL != "":
		return "url:" + p.URL
	case p.ID != "":
		return "id:" + p.ID
	}
	return "title:" + strings.ToLower(strings.Join(strings.Fields(p.Title), " "))
}

// pairUp finds the rows of one set that both answered. Of rows with one identity the
// first pairs with the first, the second with the second.
func pairUp(before, after []document.Prediction) *pairs {
	p := &pairs{on: after[0].On}
	if before[0].On != p.on {
		return p
	}
	for name := range after[0].Categories {
		if _, both := before[0].Categories[name]; both && categoryName.MatchString(name) {
			p.names = append(p.names, name)
		}
	}
	slices.Sort(p.names)
	if len(p.names) == 0 {
		return p
	}
	byIdentity := map[string][]document.Prediction{}
	for _, r := range before {
		byIdentity[identity(r)] = append(byIdentity[identity(r)], r)
	}
	for _, r := range after {
		same := byIdentity[identity(r)]
		if len(same) == 0 {
			p.apart++
			continue
		}
		byIdentity[identity(r)] = same[1:]
		p.add(same[0], r)
	}
	for left := range maps.Values(byIdentity) {
		p.apart += len(left)
	}
	return p
}

func (p *pairs) add(old, now document.Prediction) {
	n := len(p.names)
	truth := metrics.Truth{Positive: make([]bool, n), Known: make([]bool, n), Tags: make([]string, n)}
	x, y := metrics.Answer{Positive: make([]bool, n), Tags: make([]string, n)}, metrics.Answer{Positive: make([]bool, n), Tags: make([]string, n)}
	for k, name := range p.names {
		a, b := old.Categories[name], now.Categories[name]
		if a.Truth != b.Truth || a.Unknown != b.Unknown {
			p.relabelled++
			return
		}
		truth.Positive[k], truth.Known[k] = b.Truth, !b.Unknown
		x.Positive[k], y.Positive[k] = a.Answer, b.Answer
	}
	p.rows, p.truths = append(p.rows, now), append(p.truths, truth)
	p.before, p.after = append(p.before, x), append(p.after, y)
}
