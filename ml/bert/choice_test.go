package bert_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

func singleSpec() bert.Spec {
	return bert.Spec{
		Categories: []bert.Category{{Name: "a", Tags: []string{"", "x"}}, {Name: "b", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 8, MaxLength: 16, Text: []string{"title"},
		Single: true, None: true, Temperature: 1.5,
	}
}

// TestSingleModelSavedAgain: a model of one label per row keeps its head of none and its
// temperature, and the file of other models knows neither.
func TestSingleModelSavedAgain(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, singleSpec(), 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	again, err := bert.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s := again.Spec; !s.Single || !s.None || s.Temperature != 1.5 || s.Outputs() != 3 {
		t.Errorf("%+v", s)
	}
	for i, p := range again.Params {
		if p.Name != m.Params[i].Name || !slices.Equal(p.Data, m.Params[i].Data) {
			t.Errorf("%s is not what was saved", p.Name)
		}
	}
	names := func(m *bert.Model) (out string) {
		for _, x := range m.Tensors() {
			out += x.Name + " "
		}
		return out
	}
	for _, want := range []string{"heads.1.score.1.weight", "heads.none.score.0.weight", "heads.none.score.1.bias"} {
		if !strings.Contains(names(m), want) {
			t.Errorf("no tensor %s", want)
		}
	}
	s := singleSpec()
	s.None = false
	if m, err = bert.FromEncoder(e, s, 1); err != nil || strings.Contains(names(m), "none") {
		t.Errorf("a model that knows no none has %s (%v)", names(m), err)
	}
	for what, change := range map[string]func(*bert.Spec){
		"none of several labels":   func(s *bert.Spec) { s.Single, s.Temperature = false, 0 },
		"a temperature of several": func(s *bert.Spec) { s.Single, s.None = false, false },
		"temperatures":             func(s *bert.Spec) { s.Temperatures = []float64{1, 1} },
		"below 0":                  func(s *bert.Spec) { s.Temperature = -1 },
		"no number":                func(s *bert.Spec) { s.Temperature = math.NaN() },
	} {
		s := singleSpec()
		change(&s)
		if _, err := bert.FromEncoder(e, s, 1); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// TestChoose: probabilities sum to 1, scores are twice them less 1, and none wins only
// where it is the likeliest.
func TestChoose(t *testing.T) {
	s := singleSpec()
	s.Temperature = 2
	for _, c := range []struct {
		p    []float64 // before the temperature
		top  int
		sure float64
	}{
		{[]float64{0.64, 0.04, 0.32}, 0, 0.8 / (0.8 + 0.2 + math.Sqrt(0.32))},
		{[]float64{0.04, 0.32, 0.64}, -1, 0.8 / (0.8 + 0.2 + math.Sqrt(0.32))},
		{[]float64{0.4, 0.4, 0.2}, 0, math.Sqrt(0.4) / (2*math.Sqrt(0.4) + math.Sqrt(0.2))},
		{[]float64{0.2, 0.4, 0.4}, 1, math.Sqrt(0.4) / (2*math.Sqrt(0.4) + math.Sqrt(0.2))},
	} {
		logs := make([]float32, 3)
		for i, p := range c.p {
			logs[i] = float32(math.Log(p))
		}
		p := s.Choose(logs)
		if top, sure := p.Top(); top != c.top || math.Abs(sure-c.sure) > 1e-6 {
			t.Errorf("%v: %d with %v, want %d with %v", c.p, top, sure, c.top, c.sure)
		}
		if sum := (p.Scores[0]+1)/2 + (p.Scores[1]+1)/2 + p.None; math.Abs(float64(sum)-1) > 1e-6 {
			t.Errorf("%v: probabilities sum to %v", c.p, sum)
		}
		plain := s
		plain.Temperature = 0
		for i, x := range plain.Logs(plain.Choose(logs)) {
			if math.Abs(float64(x-logs[i])) > 1e-5 {
				t.Errorf("%v came back as %v", logs, x)
			}
		}
	}
}
