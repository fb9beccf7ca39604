// Package advice says in words what the figures of a run that failed its checks mean:
// what is short, and the command or the option with which to look further. advice.go
// holds the findings, words.go the words that tell rows apart.
package advice

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// Limits from which on a figure is worth a word. They are rules of thumb: on news
// headlines F1 still moves with every doubling of the rows below some fifty positives.
const (
	lowCoverage  = 0.6
	fewPositives = 50
	fewGold      = 8 // as verify counts a category in the macro average
	wideGap      = 0.15
	strongRules  = 0.95
	mostNames    = 5
)

// Finding is one thing that the figures say.
type Finding struct {
	Text string
	// Look are the words of a command of sprint that shows more; Set is the option that
	// changes it, as --set has it. Either may be empty.
	Look []string
	Set  string
}

// String is the finding with what to type, for a plan's file.
func (f Finding) String(plan string) string {
	text := f.Text
	if len(f.Look) > 0 {
		words := slices.Clone(f.Look)
		if plan != "" {
			words = slices.Insert(words, 1, plan)
		}
		text += ": " + commandline.Of(words...).String()
	}
	if f.Set != "" {
		text += ": --set " + commandline.Quote(f.Set)
	}
	return text
}

// Evidence is what a run left that advice is drawn from; each may be nil.
type Evidence struct {
	Labels      *document.LabelReport
	Metrics     *document.Metrics
	Predictions []document.Prediction
	// Train is the name of the stage that trained.
	Train string
}

// Read gathers the evidence of a run from the store. What cannot be read is left out.
func Read(ctx context.Context, s *storage.Store, stages []runs.StageResult) Evidence {
	var e Evidence
	for _, st := range stages {
		switch st.Kind {
		case "label":
			if l, ok := document.Read[document.LabelReport](ctx, s, st, "label_report"); ok {
				e.Labels = &l
			}
		case "train":
			e.Train = st.Name
		case "verify":
			if m, ok := document.Read[document.Metrics](ctx, s, st, "metrics"); ok {
				e.Metrics = &m
			}
			if p, missing, err := document.ReadPredictions(ctx, s, st); err == nil && missing == "" {
				e.Predictions = p
			}
		}
	}
	return e
}

// Of draws the findings, the most telling first.
func Of(e Evidence) []Finding {
	var out []Finding
	add := func(f ...Finding) { out = append(out, f...) }
	if e.Labels != nil {
		add(coverage(e.Labels)...)
	}
	if e.Metrics != nil {
		add(positives(e.Metrics)...)
		add(rulesAlone(e.Metrics)...)
		add(hiddenWords(e.Metrics, e.Train)...)
	}
	add(missed(e.Predictions)...)
	if e.Labels != nil {
		add(deadRules(e.Labels)...)
	}
	return out
}

func coverage(l *document.LabelReport) []Finding {
	if l.Rows == 0 || float64(l.Covered) >= lowCoverage*float64(l.Rows) {
		return nil
	}
	return []Finding{{
		Text: fmt.Sprintf("only %d of %d rows (%d %%) have a label; see what the rules miss", l.Covered, l.Rows, 100*l.Covered/l.Rows),
		Look: []string{"label-preview", "--of", "none"},
	}}
}

// positives names categories with too few rows, to train on and to measure on.
func positives(m *document.Metrics) []Finding {
	var out []Finding
	var short []string
	for _, name := range slices.SortedFunc(maps.Keys(m.Train.Positives), func(a, b string) int {
		return cmp.Or(cmp.Compare(m.Train.Positives[a], m.Train.Positives[b]), cmp.Compare(a, b))
	}) {
		if n := m.Train.Positives[name]; n < fewPositives {
			short = append(short, fmt.Sprintf("%s %d", name, n))
		}
	}
	if len(short) > 0 {
		out = append(out, Finding{Text: fmt.Sprintf("few rows to learn from (%s; below %d each one counts): fetch more, or give the rules more words", list(short), fewPositives)})
	}
	scores, on := m.Measured()
	short = nil
	for _, name := range slices.Sorted(maps.Keys(scores.PerCategory)) {
		if n := scores.PerCategory[name].Support; n < fewGold {
			short = append(short, fmt.Sprintf("%s %d", name, n))
		}
	}
	if len(short) > 0 {
		out = append(out, Finding{Text: fmt.Sprintf("few rows of %s to measure on (%s; a category counts from %d on): label more by hand", on, list(short), fewGold)})
	}
	return out
}

// rulesAlone tells that there is nothing to gain where the rules are right already.
func rulesAlone(m *document.Metrics) []Finding {
	rules := m.Baselines["keywords"]
	_, on := m.Measured()
	if rules.Rows == 0 || rules.MacroF1 < strongRules {
		return nil
	}
	return []Finding{{Text: fmt.Sprintf("the rules alone reach %.3f on %s: no model can gain much there; add rows to it that the rules' words do not decide", rules.MacroF1, on)}}
}

// hiddenWords tells that the model leans on the words of the rules.
func hiddenWords(m *document.Metrics, train string) []Finding {
	d := m.MeasuredDetails()
	if d == nil || d.MaskedGap.MacroF1.Value < wideGap {
		return nil
	}
	f := Finding{Text: fmt.Sprintf("with the words of the rules hidden macro-F1 is %.3f lower: the model repeats the rules; let it train with these words hidden now and then", d.MaskedGap.MacroF1.Value)}
	if train != "" {
		f.Set = train + ".mask_rules=0.5"
	}
	return []Finding{f}
}

// missed names, for the category that misses most, the words of its missed rows.
func missed(rows []document.Prediction) []Finding {
	misses := map[string]int{}
	for _, r := range rows {
		for name, c := range r.Categories {
			if c.Truth && !c.Answer && !c.Unknown {
				misses[name]++
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(misses), func(a, b string) int { return cmp.Or(misses[b]-misses[a], cmp.Compare(a, b)) })
	var out []Finding
	for _, name := range names[:min(2, len(names))] {
		var in, rest []string
		for _, r := range rows {
			if c := r.Categories[name]; c.Truth && !c.Answer {
				in = append(in, r.Title)
			} else {
				rest = append(rest, r.Title)
			}
		}
		words := Telling(in, rest, mostNames)
		if len(words) == 0 {
			continue
		}
		out = append(out, Finding{
			Text: fmt.Sprintf("%s: %d rows of %s are missed, most telling words: %s; look for rows like them among your own, since words taken from the set that measures make its figures say nothing", name, misses[name], rows[0].On, strings.Join(words, ", ")),
		})
	}
	return out
}

func deadRules(l *document.LabelReport) []Finding {
	if len(l.DeadRules) == 0 {
		return nil
	}
	return []Finding{{Text: fmt.Sprintf("rules that never fired: %d (%s)", len(l.DeadRules), list(l.DeadRules)), Look: []string{"label-preview"}}}
}

// list names the first few.
func list(names []string) string {
	text := strings.Join(names[:min(mostNames, len(names))], ", ")
	if more := len(names) - mostNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
