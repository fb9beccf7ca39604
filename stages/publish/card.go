package publish

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// scores is the part of metrics.json that the card shows.
type scores struct {
	Rows     int     `json:"rows"`
	MacroF1  float64 `json:"macro_f1"`
	MicroF1  float64 `json:"micro_f1"`
	Category map[string]struct {
		Precision float64 `json:"precision"`
		Recall    float64 `json:"recall"`
		F1        float64 `json:"f1"`
		Support   int     `json:"support"`
	} `json:"per_category"`
}

// card writes the model card. Metrics of an unknown shape leave their table out.
func card(name string, metrics, thresholds []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\ntags: [text-classification, multi-label, news]\n---\n# %s\n\nClassifies news headlines: per category a score in [-1,1] (0 is absent) and a tag.\n", name)
	b.WriteString("Trained on labels made by the rules in `taxonomy.yaml`; measured as below.\n\n")
	var m struct {
		Test *scores `json:"test"`
		Gold *scores `json:"gold"`
	}
	if json.Unmarshal(metrics, &m) == nil {
		for _, set := range []struct {
			title string
			s     *scores
		}{{"Gold set (labelled by hand, never trained on)", m.Gold}, {"Test split (labelled by the rules)", m.Test}} {
			if set.s == nil {
				continue
			}
			fmt.Fprintf(&b, "## %s\n\n%d rows, macro F1 %.3f, micro F1 %.3f\n\n| category | precision | recall | F1 | support |\n|---|---|---|---|---|\n", set.title, set.s.Rows, set.s.MacroF1, set.s.MicroF1)
			for _, c := range slices.Sorted(maps.Keys(set.s.Category)) {
				v := set.s.Category[c]
				fmt.Fprintf(&b, "| %s | %.3f | %.3f | %.3f | %d |\n", c, v.Precision, v.Recall, v.F1, v.Support)
			}
			b.WriteString("\n")
		}
	}
	var t map[string]float64
	if json.Unmarshal(thresholds, &t) == nil && len(t) > 0 {
		b.WriteString("## Thresholds\n\n")
		for _, c := range slices.Sorted(maps.Keys(t)) {
			fmt.Fprintf(&b, "- %s: %.3g\n", c, t[c])
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "## Use\n\n```\nsprint classify --model %s \"A headline\"\n```\n\nThe encoder loads with Hugging Face transformers (`AutoModel`); the heads are the tensors `heads.*`.\n", name)
	return b.String()
}
