package refresh

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/comparison"
	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// judge puts a challenger in the champion's place, or notes that and why it is not. by is the
// run that just made it, or found it made; nil if none did. It stands for the run that
// published it, where that one was killed before its record.
func (r *refresh) judge(ctx context.Context, c *champion, challenger models.Release, by *runs.Result) error {
	r.out.Challenger = shown(challenger)
	record, err := r.recordOf(ctx, challenger)
	if err != nil {
		return err
	}
	if record == nil && by != nil && by.Run != nil {
		record = &runs.Record{Result: *by}
	}
	from, why := "none", "the model had no release before"
	if c != nil {
		from = fmt.Sprint(c.release.Version)
	} else if c, err = r.predecessor(ctx, challenger); err != nil {
		return err
	}
	if c != nil && record == nil {
		return r.refuse(ctx, challenger, "nobody knows on what the challenger was trained and calibrated, so that no row measures it fairly")
	}
	if err := r.measureBoth(ctx, c, challenger, record); err != nil {
		return err
	}
	refusal := ""
	if c != nil {
		why, refusal = weigh(r.rules.MinChange, r.rules.MinChangeCorrections, r.out.Gold, r.out.OnCorrections)
	}
	if refusal != "" {
		return r.refuse(ctx, challenger, refusal)
	}
	if _, err := promotion.Promote(ctx, r.Store, promotion.Request{
		Name: r.model, Alias: models.Champion, Version: fmt.Sprint(challenger.Version), From: from, Who: r.Who, Why: "refresh: " + why, Try: r.Try,
	}); err != nil {
		return err
	}
	r.end(Promoted, stages.CodeDone, "%s is the champion now: %s", r.out.Challenger.Ref, why)
	return nil
}

// refuse notes in the store that a challenger was decided on: no later refresh does again.
func (r *refresh) refuse(ctx context.Context, challenger models.Release, why string) error {
	registry := models.In(r.Store)
	seen, err := registry.LastMove(ctx, r.model, Refused)
	if err != nil {
		return err
	}
	reason := models.Reason{Who: r.Who, Why: "refresh: " + why, Run: runOf(challenger)}
	if _, err := registry.MoveAlias(ctx, r.model, Refused, challenger.Version, seen, reason); err != nil {
		return err
	}
	promote := func(v *Version) string { return commandline.Of("promote", v.Ref).String() }
	if r.out.Champion == nil {
		r.end(NotPromoted, stages.CodePublish, "%s is not made the champion, which %s has not: %s", r.out.Challenger.Ref, r.model, why)
		r.out.Hint = fmt.Sprintf("`%s` makes the release before it the champion, `%s` that version all the same", promote(r.out.Predecessor), promote(r.out.Challenger))
		return nil
	}
	r.end(NotPromoted, stages.CodePublish, "%s stays the champion: %s", r.out.Champion.Ref, why)
	r.out.Hint = fmt.Sprintf("`%s` makes that version the champion all the same", promote(r.out.Challenger))
	return nil
}

// weigh judges what was measured: why a challenger takes the champion's place, or why it
// does not.
func weigh(least, leastCorrections float64, gold, corrections *comparison.Comparison) (why, refusal string) {
	switch {
	case gold == nil:
		return "", "no row of the gold set measures both"
	case len(gold.Categories) == 0:
		return "", "champion and challenger have no category in common, so that nothing compares them: promote the challenger by hand if that is meant"
	case gold.MacroF1.Before == nil:
		return "", fmt.Sprintf("the gold set says nothing: no category has %d positives", metrics.MinSupport)
	}
	why = "macro-F1 on gold " + changed(gold.MacroF1)
	if below(gold.MacroF1, least) {
		return "", fmt.Sprintf("%s, and %+.3f is the least", why, least)
	}
	if corrections == nil || corrections.MicroF1.Before == nil || corrections.Rows < metrics.MinSupport {
		return why, ""
	}
	more := "micro-F1 on corrections " + changed(corrections.MicroF1)
	if below(corrections.MicroF1, leastCorrections) {
		return "", fmt.Sprintf("%s, and %+.3f is the least", more, leastCorrections)
	}
	return why + "; " + more, ""
}

// below compares in the four digits that figures have.
func below(c comparison.Change, least float64) bool { return c.Change < least-5e-5 }

func changed(c comparison.Change) string {
	return fmt.Sprintf("changed by %+.3f (%+.3f to %+.3f), from %.3f to %.3f", c.Change, c.CI[0], c.CI[1], *c.Before, *c.After)
}

// gold reads the gold set of the plan.
func (r *refresh) gold() ([]rows.Row, error) {
	g, err := rows.OpenPlannedGold(r.verify.Gold, r.verify.Layout(), dataset.Categories(r.taxonomy))
	if err != nil {
		return nil, err
	}
	return g.Rows, nil
}

// measureBoth has champion and challenger answer on one gold set, that of the plan as it is
// now, and on the corrections. What either was calibrated on is left out.
func (r *refresh) measureBoth(ctx context.Context, c *champion, challenger models.Release, record *runs.Record) error {
	gold, err := r.gold()
	if err != nil {
		return err
	}
	corrected, err := r.corrections(ctx, c, gold, record)
	if err != nil || c == nil {
		return err
	}
	r.tellGold(ctx, c, record)
	for _, x := range []*runs.Record{c.run, record} {
		if gold, err = r.withoutCalibration(ctx, x, gold, x == record); err != nil {
			return err
		}
	}
	if record != nil {
		fetched, err := r.output(ctx, record, "fetch", "articles")
		if err != nil {
			return err
		}
		corrected = named(corrected, fetched)
	}
	if r.out.Corrections != nil {
		r.out.Corrections.Measured = len(corrected)
	}
	all := slices.Concat(gold, corrected)
	before, err := r.Answerer.Answer(ctx, c.release, all)
	if err != nil {
		return err
	}
	after, err := r.Answerer.Answer(ctx, challenger, all)
	if err != nil {
		return err
	}
	if lost := without(before.Categories, after.Categories); len(lost) > 0 {
		r.note("the challenger has no category %s, which the champion has: both are compared without", strings.Join(lost, ", "))
	}
	if more := without(after.Categories, before.Categories); len(more) > 0 {
		r.note("the champion has no category %s, which the challenger has: both are compared without", strings.Join(more, ", "))
	}
	names, n := r.taxonomy.Names(), len(gold)
	r.out.Gold = comparison.Predictions(predictions("gold", names, gold, before.part(0, n)), predictions("gold", names, gold, after.part(0, n)))
	r.out.OnCorrections = comparison.Predictions(predictions("corrections", names, corrected, before.part(n, len(all))), predictions("corrections", names, corrected, after.part(n, len(all))))
	return nil
}

// without are the names that are none of others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

// tellGold says that a gold set was changed since a model was verified on it.
func (r *refresh) tellGold(ctx context.Context, c *champion, record *runs.Record) {
	now := r.Graph.Files()[r.verify.Gold].Digest
	for _, x := range []struct {
		who string
		run *runs.Record
	}{{"champion", c.run}, {"challenger", record}} {
		if x.run == nil {
			continue
		}
		if was := r.goldOf(ctx, x.run); was != "" && now != "" && was != now {
			r.note("the gold set was changed since the %s was verified (%.19s, now %.19s): both models were measured again on the one that there is now", x.who, was, now)
		}
	}
}

// withoutCalibration leaves out what a run's training was calibrated on. That of a challenger
// must be known: rows that made its thresholds would speak for it.
func (r *refresh) withoutCalibration(ctx context.Context, of *runs.Record, gold []rows.Row, known bool) ([]rows.Row, error) {
	if of == nil {
		return gold, nil
	}
	a, ok := artifactOf(of.Stages, "train", "calibration")
	if !ok {
		return gold, nil
	}
	data, err := r.Store.ReadBlob(ctx, a.Digest, a.Size, maxDocument)
	if storage.MissingOrDamaged(err) && !known {
		return gold, nil
	}
	var c release.Calibration
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("calibration of run %s: %w", *of.Run, err)
	}
	rest, _ := dedup.RemoveOverlap(gold, c.Rows())
	return rest, nil
}

// maxDocument caps an artifact that is read whole, in bytes.
const maxDocument = 64 << 20

// predictions are answers about labelled rows, whose labels are of the given categories.
func predictions(on string, names []string, labelled []rows.Row, a *Answers) []document.Prediction {
	out := make([]document.Prediction, len(labelled))
	for i, x := range labelled {
		out[i] = document.Prediction{On: on, ID: x.ID, URL: x.URL, Title: x.Title, Categories: map[string]document.CategoryAnswer{}}
		for k, name := range a.Categories {
			if at := slices.Index(names, name); at >= 0 {
				l := x.Labels[at]
				out[i].Categories[name] = document.CategoryAnswer{Truth: !l.Abstain && l.Score > 0, Unknown: l.Abstain, Score: a.Score[i][k], Answer: a.Positive[i][k]}
			}
		}
	}
	return out
}
