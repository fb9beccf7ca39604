package comparison

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

func TestMain(m *testing.M) { os.Exit(inmemory.Run(m)) }

// answered makes n rows of category a, of which every second is positive, answered
// rightly but for those of which wrong says so.
func answered(n int, wrong func(i int) bool) []document.Prediction {
	out := make([]document.Prediction, n)
	for i := range out {
		truth := i%2 == 0
		out[i] = document.Prediction{On: "gold", URL: fmt.Sprintf("u%d", i), Title: fmt.Sprintf("row %d", i),
			Categories: map[string]document.CategoryAnswer{"a": {Truth: truth, Answer: truth != wrong(i)}}}
	}
	return out
}

func record(t *testing.T, s *storage.Store, id string, rows []document.Prediction) runs.Record {
	t.Helper()
	var b bytes.Buffer
	for _, r := range rows {
		if err := json.NewEncoder(&b).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	a, err := s.Put(t.Context(), &b, "")
	if err != nil {
		t.Fatal(err)
	}
	return runs.Record{Plan: "p", Result: runs.Result{Run: &id, Stages: []runs.StageResult{
		{Name: "check", Kind: "verify", State: runs.Succeeded, Outputs: map[string]runs.OutputResult{"predictions": {Digest: a.Digest, Size: a.Size}}},
	}}}
}

func TestRuns(t *testing.T) {
	s, err := storage.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	some := func(share float64, seed uint64) func(int) bool {
		random := rand.New(rand.NewPCG(seed, 1))
		at := map[int]bool{}
		for i := range 400 {
			at[i] = random.Float64() < share
		}
		return func(i int) bool { return at[i] }
	}
	for name, x := range map[string]struct {
		old, now func(int) bool
		word     string
	}{
		"better":        {some(0.3, 1), some(0.1, 2), Better},
		"worse":         {some(0.1, 1), some(0.3, 2), Worse},
		"another draw":  {some(0.2, 1), some(0.2, 2), Noise},
		"the same rows": {some(0.2, 1), some(0.2, 1), Noise},
	} {
		c, why, err := Runs(t.Context(), s, record(t, s, "r1", answered(400, x.old)), record(t, s, "r2", answered(400, x.now)))
		if err != nil || why != "" {
			t.Fatal(err, why)
		}
		if c.MacroF1.Word != x.word || c.Categories[0].Word != x.word || c.Rows != 400 || *c.MacroF1.Before != *c.Categories[0].Before {
			t.Errorf("%s: %+v", name, c.MacroF1)
		}
		turned := 0
		for i := range 400 {
			if x.old(i) != x.now(i) {
				turned++
			}
		}
		if len(c.Turned) != turned {
			t.Errorf("%s: %d rows turned, want %d", name, len(c.Turned), turned)
		}
		for i, r := range c.Turned {
			if i > 0 && c.Turned[i-1].Right && !r.Right {
				t.Errorf("%s: what became wrong comes after what became right", name)
			}
		}
	}
}

// TestSharedRows holds that only rows with one truth in both runs are compared.
func TestSharedRows(t *testing.T) {
	never := func(int) bool { return false }
	old, now := answered(40, never), answered(50, never)[10:]
	now[0].Categories["a"] = document.CategoryAnswer{Truth: !now[0].Categories["a"].Truth}
	now = append(now, now[39]) // the same row once more
	p := pairUp(old, now)
	if len(p.rows) != 29 || p.relabelled != 1 || p.apart != 10+10+1 {
		t.Errorf("%d rows, %d relabelled, %d apart", len(p.rows), p.relabelled, p.apart)
	}
	other := answered(3, never)
	for i := range other {
		other[i].On = "test"
	}
	if p := pairUp(old, other); len(p.rows) != 0 {
		t.Errorf("rows of gold are compared with rows of test: %d", len(p.rows))
	}
	for _, r := range old {
		r.Categories["|\n"] = r.Categories["a"]
	}
	if p := pairUp(old, old); len(p.names) != 1 {
		t.Errorf("categories %q", p.names)
	}
}

func TestLimit(t *testing.T) {
	before, after := 0.9, 0.88
	c := &Comparison{MacroF1: Change{Before: &before, After: &after, Change: -0.02}, Categories: []Change{{Name: "a", Support: 3}}}
	for text, beyond := range map[string]bool{
		"macro_f1 < -0.01": true, "macro_f1<-0.02": false, "macro_f1 > -0.03": true, "macro_f1 < -.5": false, "f1.a < -1": true,
	} {
		l, err := ParseLimit(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, message, err := l.Check(c); got != beyond || err != nil || message == "" {
			t.Errorf("%s: %v %q %v", text, got, message, err)
		}
	}
	few := &Comparison{Rows: 30, MacroF1: Change{Name: "macro_f1", Support: 30}, Categories: []Change{{Name: "a", Support: 3}}}
	for figure, want := range map[string]string{
		"macro_f1": "macro_f1 says nothing: no category has 8 positives among 30 rows",
		"f1.a":     "f1.a says nothing: 3 positives among 30 rows, it wants 8",
	} {
		if _, message, err := (Limit{Figure: figure}).Check(few); message != want || err != nil {
			t.Errorf("%s: %q %v", figure, message, err)
		}
	}
	var usage *diagnostic.UsageError
	for _, text := range []string{"", "macro_f1", "macro_f1 <= 1", "macro_f1 < x", "< 1", "macro_f1 < 1.2.3"} {
		if _, err := ParseLimit(text); !errors.As(err, &usage) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, err := (Limit{Figure: "macro_f2"}).Check(c); !errors.As(err, &usage) || usage.Hint != `did you mean "macro_f1"?` {
		t.Errorf("%v", err)
	}
}
