package refresh

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/comparison"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// What came of a refresh.
const (
	NotDue      = "not due"
	NoRows      = "no rows"
	Failed      = "failed" // the run of the plan
	Promoted    = "promoted"
	NotPromoted = "refused"
)

// Result is what came of a refresh.
type Result struct {
	Plan     string      `json:"plan"`
	Model    string      `json:"model,omitempty"`
	When     time.Time   `json:"when"`
	Decision string      `json:"decision,omitempty"` // empty if there is none: Error says why
	Why      string      `json:"why,omitempty"`
	Code     stages.Code `json:"code"`
	Class    string      `json:"class,omitempty"` // the exit table's word for Code
	Error    string      `json:"error,omitempty"`
	Hint     string      `json:"hint,omitempty"`
	// Champion is the one that there was, null if there was none.
	Champion   *Version `json:"champion"`
	Challenger *Version `json:"challenger"`
	// Predecessor is the release that a challenger was compared with for want of a champion.
	Predecessor *Version `json:"predecessor,omitempty"`
	Run         string   `json:"run,omitempty"`     // that trained
	Trained     string   `json:"trained,omitempty"` // why it was due
	Window      *Window  `json:"window,omitempty"`
	// Due are the reasons for and against a training, Drift what moved, Expected the F1 of
	// the champion without labels.
	Due      []Reason    `json:"due"`
	Drift    []Measure   `json:"drift"`
	Expected *ExpectedF1 `json:"expected_f1,omitempty"`
	// Gold and OnCorrections compare the challenger with the champion or Predecessor; null if
	// there is no row to compare on.
	Gold          *comparison.Comparison `json:"gold,omitempty"`
	Corrections   *Corrections           `json:"corrections,omitempty"`
	OnCorrections *comparison.Comparison `json:"on_corrections,omitempty"`
	Notes         []string               `json:"notes"`
	// Mirrors are what came of showing the model at registries of other makers.
	Mirrors []runs.MirrorResult `json:"mirrors,omitempty"`
}

// Markdown writes the report: challenger against champion, and why.
func (o *Result) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Refresh of %s: %s\n\n%s\n", text(o.Model), o.Decision, text(o.Why))
	if o.Hint != "" {
		fmt.Fprintf(&b, "\n%s.\n", o.Hint)
	}
	if o.Trained != "" {
		fmt.Fprintf(&b, "\nTrained because %s.\n", text(o.Trained))
	}
	if len(o.Notes) > 0 {
		b.WriteString("\n")
		for _, n := range o.Notes {
			fmt.Fprintf(&b, "- %s\n", text(n))
		}
	}
	o.window(&b)
	o.comparison(&b, "gold", o.Gold)
	if o.Corrections != nil {
		fmt.Fprintf(&b, "\n%s.\n", o.Corrections)
	}
	o.comparison(&b, "corrections", o.OnCorrections)
	_, err := io.WriteString(w, b.String())
	return err
}

func (o *Result) window(b *strings.Builder) {
	if o.Window == nil || len(o.Due) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## The window: %d rows", o.Window.Rows)
	if o.Window.Fresh != nil {
		fmt.Fprintf(b, ", %d new to %s", *o.Window.Fresh, o.Champion.Ref)
	}
	b.WriteString("\n\n| by | train | |\n|---|---|---|\n")
	for _, r := range o.Due {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.What, yes(r.Due), text(r.Text))
	}
	if len(o.Drift) > 0 {
		fmt.Fprintf(b, "\nHow far the window moved from what %s was trained on, by the population stability index: 0 is not at all. The interval leaves out what chance moves in so few rows, so it may lie below the index; an alarm is one whose lower end reaches the plan's `drift`.\n", o.Champion.Ref)
		b.WriteString("\n| drift of | index | 95 % interval | alarm |\n|---|---|---|---|\n")
		for _, m := range o.Drift {
			fmt.Fprintf(b, "| %s | %.3f | %.3f to %.3f | %s |\n", text(drifted(m.Name)), m.Index.Value, m.Index.CI[0], m.Index.CI[1], yes(m.Alarm))
		}
	}
	if e := o.Expected; e != nil {
		fmt.Fprintf(b, "\nWithout labels macro-F1 of %s is estimated at %.3f (%.3f to %.3f) on the window, at %.3f on rows like those of its training. Compare the two with each other: neither is the F1 on gold, whose rows are others.\n",
			o.Champion.Ref, e.Window.MacroF1.Value, e.Window.MacroF1.CI[0], e.Window.MacroF1.CI[1], e.Training.MacroF1.Value)
	}
}

// drifted is the name of a measure for people.
func drifted(name string) string {
	switch name {
	case "category":
		return "all categories, as the champion answers"
	case "language", "domain", "length":
		return name + "s"
	}
	return name
}

// comparison is the table of both on a set.
func (o *Result) comparison(b *strings.Builder, on string, c *comparison.Comparison) {
	if c == nil {
		return
	}
	before := cmp.Or(o.Champion, o.Predecessor).Ref
	fmt.Fprintf(b, "\n## %s against %s on %d rows of %s\n\n| | positives | %s | %s | change | 95 %% interval | |\n|---|---|---|---|---|---|---|\n",
		o.Challenger.Ref, before, c.Rows, on, before, o.Challenger.Ref)
	for _, x := range append([]comparison.Change{c.MacroF1, c.MicroF1}, c.Categories...) {
		if x.Before == nil {
			fmt.Fprintf(b, "| %s | %d | | | | | too few |\n", text(x.Name), x.Support)
			continue
		}
		fmt.Fprintf(b, "| %s | %d | %.3f | %.3f | %+.3f | %+.3f to %+.3f | %s |\n", text(x.Name), x.Support, *x.Before, *x.After, x.Change, x.CI[0], x.CI[1], x.Word)
	}
}

func yes(x bool) string {
	if x {
		return "yes"
	}
	return "no"
}

// text makes one line of words that may be anybody's: nothing in it is markup.
func text(s string) string {
	return render.Escaped(strings.Join(strings.Fields(s), " "))
}
