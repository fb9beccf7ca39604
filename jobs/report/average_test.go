package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// TestNoMacro: where no category has enough rows, no macro-F1 is shown, which is written as
// 0; the lead and its tile have the micro-F1.
func TestNoMacro(t *testing.T) {
	for unsupported, want := range map[string]string{`"a","b"`: "micro-F1", `"a"`: "macro-F1"} {
		scores := func(micro string) string {
			return fmt.Sprintf(`{"rows":12,"macro_f1":0,"micro_f1":%s,"per_category":{"a":{"f1":1,"support":6},"b":{"f1":1,"support":6}},"unsupported":[%s],"ci":{"macro_f1":[0,0]}}`, micro, unsupported)
		}
		var m document.Metrics
		doc := fmt.Sprintf(`{"gold":%s,"test":%[1]s,"masked":%[1]s,"baselines":{"keywords":%s,"majority":%[2]s},"details":{"gold":{"gains":{"keywords":{"macro_f1":{"value":0,"ci":[0,0]}}}}}}`, scores("0.9"), scores("0.4"))
		if err := json.Unmarshal([]byte(doc), &m); err != nil {
			t.Fatal(err)
		}
		var r Report
		r.lead(&document.Source{Stages: []document.Stage{{StageResult: runs.StageResult{Kind: "verify"}, Documents: map[string]document.Output{"metrics": {Data: []byte(doc)}}}}})
		if !strings.Contains(r.Lead, "a "+want+" of ") || r.Tiles[0].Name != want+" on gold" {
			t.Errorf("%s too small: %s %+v", unsupported, r.Lead, r.Tiles)
		}
		shown := words([]Block{{Table: scoreTable(&m)}, {Chart: averageChart(&m)}, {Chart: categoryChart(&m)}})
		for _, f := range qualityFacts(&m) {
			shown += "\n" + f.Name + ": " + f.Value.Text
		}
		for _, x := range []string{"\nmacro-F1 ", "Gain over keywords", " less than with them"} {
			if strings.Contains(shown, x) != (want == "macro-F1") {
				t.Errorf("%s too small, %q in:\n%s", unsupported, x, shown)
			}
		}
	}
}
