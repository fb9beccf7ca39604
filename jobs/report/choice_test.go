package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

// TestChoiceSection: a row of one label has its accuracy and what is taken for what, none
// of the categories too; figures that do not fit each other are no panic.
func TestChoiceSection(t *testing.T) {
	show := func(doc string) string {
		var m document.Metrics
		if err := json.Unmarshal([]byte(doc), &m); err != nil {
			t.Fatal(err)
		}
		s := choiceSection(&m, m.MeasuredDetails().Choice)
		text := s.Intro + fmt.Sprint(s.Missing)
		for _, b := range s.Blocks {
			text += "\n" + b.Table.Caption
			for _, c := range b.Table.Columns {
				text += "|" + c.Name
			}
			for _, r := range b.Table.Rows {
				text += "\n"
				for _, c := range r {
					text += c.Text + " "
				}
			}
		}
		return text
	}
	const head = `{"labels":"single","gold":{"rows":10,"accuracy":0.8,"ci":{"accuracy":[0.7,0.9]},"per_category":{}},"details":{"gold":{"choice":`
	got := show(head + `{"categories":["fire","money",""],"confusion":[[4,1,0],[0,3,0],[0,1,1]],"calibration":{"ece":0.05,"rows":10},"calibration_with_category":{"ece":0.04,"rows":8}}}}}`)
	for _, want := range []string{"80 %", "0.70", "0.050 on average", "by 0.040 on the 8 rows that have a category", "8 of 10 right", "|fire|money|(none)", "fire 4 1 0", "(none) 0 1 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, bad := range []string{`{}`, `{"categories":["a"],"confusion":[[1,2,3],[-4]]}`, `{"categories":["a","b"],"confusion":[[]]}`} {
		show(head + bad + `}}}`)
	}
}
