package answers

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
)

// sure answers by the first letter of a title.
type sure struct{}

func (sure) Predict(_ context.Context, texts []classify.Text) (out []classify.Prediction, err error) {
	for _, x := range texts {
		p := classify.Prediction{Scores: []float32{0.5, -0.5}, Tags: []int32{0, 0}}
		if x.Title[0] == 'n' {
			p = classify.Prediction{Scores: []float32{-0.8, -0.8}, Tags: []int32{0, 0}, None: 0.8}
		}
		out = append(out, p)
	}
	return out, nil
}

// TestOtherColumns: a csv of answers has the columns of the input that mean nothing to us,
// under names of their own, and formulas in them are quoted.
func TestOtherColumns(t *testing.T) {
	tax, _ := taxonomy.Parse([]byte("labels: single\ncategories: [{name: fire, rules: [{words: [blaze]}]}, {name: money, rules: [{words: [bank]}]}]\n"))
	c := classify.New(tax)
	c.Model, c.Thresholds = sure{}, []float64{0, 0}
	others := &rows.Others{}
	var out bytes.Buffer
	w := &Writer{Classifier: c, MinProbability: 0.76, Open: func() (Sink, error) {
		return NewSink(&out, Shape{Format: rows.CSV, Taxonomy: tax, Others: others.Names})
	}}
	in := "order,title,source,description,top\n7,fire,=1+1,long,x\n8,none\n"
	layout := rows.Layout{Format: rows.CSV, Titled: true, Others: others}
	if _, _, err := rows.Each(strings.NewReader(in), layout, &rows.Budget{}, func(r *rows.Row, _ []string) error { return w.Row(t.Context(), r) }); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	const want = "id,url,title,top,source,error,fire_score,fire_tag,fire_probability,money_score,money_tag,money_probability,order,input_source,description,input_top\n" +
		",,fire,,model,,,,,,,,7,'=1+1,long,x\n,,,,,\"2 fields, the header has 5\",,,,,,,,,,\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestTablesOfOneLabel: where a row has one label, csv and parquet have a probability
// behind each tag, and where not they have none.
func TestTablesOfOneLabel(t *testing.T) {
	write := func(format, head string, all bool) []byte {
		tax, problems := taxonomy.Parse([]byte(head + "categories: [{name: fire, rules: [{words: [blaze]}]}, {name: money, rules: [{words: [bank]}]}]\n"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		c := classify.New(tax)
		c.Model, c.Thresholds = sure{}, []float64{0, 0}
		var out bytes.Buffer
		w := &Writer{Classifier: c, All: all, Open: func() (Sink, error) {
			return NewSink(&out, Shape{Format: format, Taxonomy: tax})
		}}
		for _, title := range []string{"fire", "none"} {
			if err := w.Row(t.Context(), &rows.Row{ID: title, Title: title}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	const want = "id,url,title,top,source,error,fire_score,fire_tag,fire_probability,money_score,money_tag,money_probability\n" +
		"fire,,fire,fire,model,,0.5,,0.75,-0.5,,0.25\nnone,,none,,model,,-0.8,,0.1,-0.8,,0.1\n"
	if got := string(write(rows.CSV, "labels: single\n", true)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := string(write(rows.CSV, "", false)); strings.Contains(got, "probability") {
		t.Errorf("of several labels:\n%s", got)
	}
	for head, want := range map[string]bool{"labels: single\n": true, "": false} {
		data := write(rows.Parquet, head, false)
		f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range f.Schema().Fields() {
			names = append(names, c.Name())
		}
		if slices.Contains(names, "fire_probability") != want {
			t.Errorf("%q: columns %v", head, names)
		}
		if !want {
			continue
		}
		r := f.RowGroups()[0].Rows()
		got := make([]parquet.Row, 2)
		if n, _ := r.ReadRows(got); n != 2 {
			t.Fatalf("%d rows", n)
		}
		at := slices.Index(names, "fire_probability")
		if p, none := got[0][at], got[1][at]; p.Double() != 0.75 || !none.IsNull() || !got[0][at+3].IsNull() {
			t.Errorf("probabilities %v and %v, of another category %v", p, none, got[0][at+3])
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(string(write(rows.JSONL, "labels: single\n", false))) {
		var a struct {
			ID         string
			Top        *string
			Categories map[string]struct{ Score, Probability float64 }
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil || (a.Top == nil) != (a.ID == "none") || a.Top != nil && a.Categories["fire"].Probability != 0.75 || len(a.Categories) > 1 {
			t.Errorf("%s: %v", line, err)
		}
	}
}
