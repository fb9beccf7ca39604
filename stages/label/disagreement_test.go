package label

import (
	"fmt"
	"math"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

func repeat(n int, format string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}

func disagreement(o *Options) {
	o.Combine, o.Conflict, o.HTTP.Ask = "vote", "vote", askDisagreement
}

// TestAskDisagreement: the model is asked where no rule fires, and about a sample of the
// other rows, which weighs its answers.
func TestAskDisagreement(t *testing.T) {
	titles := append(append(repeat(30, "fire %d"), repeat(10, "shares %d")...), repeat(5, "plain %d")...)
	for _, c := range []struct {
		control, asked int
		error, weight  float64 // -1 is any
	}{
		{0, 5, -1, -1},
		{8, 13, -1, -1},
		{100, 45, 0.25, 33.0 / 44}, // the stand-in calls all a fire
	} {
		e := newEndpoint(t)
		res, got, report := chatCase{o: HTTP{Control: c.control}, set: disagreement}.run(t, e, titles...)
		if res.Err != nil {
			t.Fatal(res.Err, res.Log)
		}
		want := reasons{Silent: 5, Control: c.asked - 5, Agreed: 45 - c.asked}
		if e.total() != c.asked || report.HTTP.Asked != c.asked || *report.HTTP.Reasons != want {
			t.Errorf("control %d: %d asked, %+v %+v", c.control, e.total(), report.HTTP, report.HTTP.Reasons)
		}
		if a := report.HTTP.Agreement; c.control == 0 && a != nil || c.error >= 0 && (math.Abs(a.Error-c.error) > 1e-9 || math.Abs(a.Weight-c.weight) > 1e-9) {
			t.Errorf("control %d: %+v", c.control, a)
		}
		if l := got[len(got)-1]; l.LabelSource != "http" || l.Labels[0].Score != 0.9 {
			t.Errorf("a row on which no rule fires: %+v", l)
		}
	}
}

// TestAnswersWithoutSay: a model that is wrong more often than right where all others agree
// labels nothing.
func TestAnswersWithoutSay(t *testing.T) {
	e := newEndpoint(t)
	res, got, report := chatCase{o: HTTP{Control: 10}, set: disagreement}.run(t, e, append(repeat(10, "shares %d"), "plain")...)
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	if a := report.HTTP.Agreement; a.Right != 0 || a.Weight != 0 || !got[10].Labels[0].Abstain || got[0].LabelSource != "rules" {
		t.Errorf("%+v %+v", a, got[10])
	}
}

// TestAskWhereHeadsDisagree: of rows on which all sources agree those are asked about whose
// text, by its vector, is like rows of another label.
func TestAskWhereHeadsDisagree(t *testing.T) {
	e := newEndpoint(t)
	titles := append(repeat(40, "fire waa wab wac %d"), repeat(40, "shares wak wal wam %d")...)
	titles = append(titles, "fire wak wal wam wak wal wam wak wal wam")
	res, _, report := chatCase{o: HTTP{Sure: 0.5}, env: onGo, set: func(o *Options) {
		disagreement(o)
		o.Source = []string{"rules", "encoder", "http"}
		o.Encoder = Encoder{Model: encodertest.Tiny(t), Pooling: "mean", Prompt: "auto", Text: []string{"title"}, Temperature: 0.05, Sure: 1, Strength: 0.7}
	}}.run(t, e, titles...)
	if res.Err != nil {
		t.Fatal(res.Err, res.Log)
	}
	if n := e.asked[titles[80]]; n != 1 || e.total() > 8 || report.HTTP.Reasons.Heads != e.total() {
		t.Errorf("asked %v, %+v", e.asked, report.HTTP.Reasons)
	}
}
