package refresh

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/ml/drift"
	"github.com/sprint-ml/sprint/stages"
)

// Reason is one thing that makes a training due, or does not.
type Reason struct {
	What string `json:"what"` // champion, age, drift, f1, rows, or cooldown
	Due  bool   `json:"due"`
	Text string `json:"text"`
}

// findings are what is known of the champion and the window when it is decided whether to
// train.
type findings struct {
	age           time.Duration // of the champion; 0 if nobody knows
	champion      bool          // there is one
	measures      []Measure
	trained, now  *drift.Expected // F1 on the rows of its training, and on the window; nil if not known
	fresh         int             // rows of the window that it has not seen; -1 if nobody knows
	sinceTraining time.Duration   // of the plan; 0 if it never trained
	lastRun       string          // that trained
}

// cooldown is what lets a training that is due wait.
const cooldown = "cooldown"

// reasons weighs findings by the rules of a plan. All but the cooldown are told, whether
// they ask for a training or not; the cooldown, first, only where one is due and has to wait.
func reasons(rules config.Refresh, f findings) []Reason {
	if !f.champion {
		return cooled(rules, f, []Reason{{"champion", true, "the model has no champion"}})
	}
	var out []Reason
	add := func(what string, due bool, format string, args ...any) {
		out = append(out, Reason{what, due, fmt.Sprintf(format, args...)})
	}
	switch age := time.Duration(rules.MaxAge); {
	case age == 0:
	case f.age == 0:
		add("age", false, "nobody knows how old the champion is")
	default:
		add("age", f.age >= age, "the champion is %s old, %s is the limit", span(f.age), rules.MaxAge)
	}
	if rules.Drift > 0 {
		out = append(out, driftReason(rules.Drift, f.measures))
	}
	if rules.F1Drop > 0 && f.trained != nil && f.now != nil {
		least := f.trained.MacroF1.Value - rules.F1Drop
		add("f1", f.now.MacroF1.CI[1] < least, "macro-F1 is estimated at %.3f (%.3f to %.3f) on the window, at %.3f on the rows of its training: %.3f is the limit",
			f.now.MacroF1.Value, f.now.MacroF1.CI[0], f.now.MacroF1.CI[1], f.trained.MacroF1.Value, least)
	}
	if rules.Rows > 0 && f.fresh >= 0 {
		add("rows", f.fresh >= rules.Rows, "%d rows of the window are new to the champion, %d is the limit", f.fresh, rules.Rows)
	}
	return cooled(rules, f, out)
}

// driftReason names what drifted, or what came nearest to it.
func driftReason(limit float64, all []Measure) Reason {
	if len(all) == 0 {
		return Reason{"drift", false, "drift could not be measured"}
	}
	var over []string
	for _, m := range all {
		if m.Alarm {
			over = append(over, fmt.Sprintf("%s %.2f (%.2f to %.2f)", m.Name, m.Index.Value, m.Index.CI[0], m.Index.CI[1]))
		}
	}
	if len(over) > 0 {
		return Reason{"drift", true, fmt.Sprintf("%s drifted, %g is the limit", strings.Join(over, ", "), limit)}
	}
	most := slices.MaxFunc(all, func(a, b Measure) int { return cmp.Compare(a.Index.CI[0], b.Index.CI[0]) })
	return Reason{"drift", false, fmt.Sprintf("nothing surely drifted by %g, the nearest to it is %s: %.2f (%.2f to %.2f)", limit, most.Name, most.Index.Value, most.Index.CI[0], most.Index.CI[1])}
}

// cooled says that a training which is due comes too soon after another.
func cooled(rules config.Refresh, f findings, all []Reason) []Reason {
	due := slices.ContainsFunc(all, func(r Reason) bool { return r.Due })
	if !due || f.sinceTraining == 0 || f.sinceTraining >= time.Duration(rules.Cooldown) {
		return all
	}
	wait := Reason{cooldown, false, fmt.Sprintf("run %s trained %s ago, and %s must pass between two trainings", f.lastRun, span(f.sinceTraining), rules.Cooldown)}
	return append([]Reason{wait}, all...)
}

// span is a time in the words of people.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		return fmt.Sprintf("%dd", d/day)
	}
	return strings.TrimSuffix(max(d.Round(time.Minute), time.Minute).String(), "0s")
}

// inFuture reports whether something is dated more than a day after now, by this clock or
// another that is wrong: its age is not known, and would else put off every training until
// then.
func (r *refresh) inFuture(what string, at time.Time) bool {
	if !at.After(r.Now.Add(24 * time.Hour)) {
		return false
	}
	r.note("%s is dated %s, and it is %s by this machine: its age is not known; check the clocks", what, at.UTC().Format(time.RFC3339), r.Now.UTC().Format(time.RFC3339))
	return true
}

// look brings the window here and decides whether to train on it.
func (r *refresh) look(ctx context.Context, c *champion) (due bool, err error) {
	w, err := r.window(ctx)
	if err != nil || w == nil {
		return false, err
	}
	f := findings{champion: c != nil, fresh: -1}
	if c != nil {
		if !c.published.IsZero() && !r.inFuture("the champion", c.published) {
			f.age = max(r.Now.Sub(c.published), 1)
		}
		if err := r.compareWindow(ctx, c, w, &f); err != nil {
			return false, err
		}
	}
	at, run, err := r.lastTraining(ctx)
	if err != nil {
		return false, err
	}
	if !at.IsZero() && !r.inFuture("run "+run+", which trained last,", at) {
		f.sinceTraining, f.lastRun = max(r.Now.Sub(at), 1), run
	}
	r.out.Due = reasons(r.rules, f)
	var why, not []string
	for _, x := range r.out.Due {
		if x.Due {
			why = append(why, x.Text)
		} else {
			not = append(not, x.Text)
		}
	}
	if slices.ContainsFunc(r.out.Due, func(x Reason) bool { return x.What == cooldown }) {
		r.end(NotDue, stages.CodeDone, "not due yet: %s; then, if it is still so: %s", r.out.Due[0].Text, strings.Join(why, "; "))
		return false, nil
	}
	if len(why) == 0 {
		if len(not) == 0 {
			not = append(not, "every limit of the plan's refresh is 0")
		}
		r.end(NotDue, stages.CodeDone, "not due: %s", strings.Join(not, "; "))
		return false, nil
	}
	r.out.Trained = strings.Join(why, "; ")
	return true, nil
}
