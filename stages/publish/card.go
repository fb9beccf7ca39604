package publish

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// scores is the part of metrics.json that the card shows.
type scores struct {
	Rows     int      `json:"rows"`
	Accuracy *float64 `json:"accuracy"` // where a row has one label
	MacroF1  float64  `json:"macro_f1"`
	MicroF1  float64  `json:"micro_f1"`
	Category map[string]struct {
		Precision float64 `json:"precision"`
		Recall    float64 `json:"recall"`
		F1        float64 `json:"f1"`
		Support   int     `json:"support"`
		CI        struct {
			F1 *interval `json:"f1"`
		} `json:"ci"`
	} `json:"per_category"`
	CI struct {
		Level    float64   `json:"level"`
		MacroF1  *interval `json:"macro_f1"`
		MicroF1  *interval `json:"micro_f1"`
		Accuracy *interval `json:"accuracy"`
	} `json:"ci"`
}

// interval is the lower and the upper end of one; nil is none.
type interval [2]float64

func (i *interval) String() string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf(" (%.3f to %.3f)", i[0], i[1])
}

// choice is what is taken for what, where a row has one label.
type choice struct {
	Categories   []string     `json:"categories"`
	Confusion    [][]int      `json:"confusion"`
	Calibration  calibration  `json:"calibration"`
	WithCategory *calibration `json:"calibration_with_category"`
}

// calibration is how far probabilities are from what happens.
type calibration struct {
	ECE  float64 `json:"ece"`
	Rows int     `json:"rows"`
}

// write writes the table, rows by truth and columns by answer.
func (c choice) write(b *strings.Builder) {
	if len(c.Categories) == 0 || len(c.Confusion) != len(c.Categories) {
		return
	}
	fmt.Fprintf(b, "Answers (columns) by truth (rows); probabilities are off by %.3f on average (expected calibration error)", c.Calibration.ECE)
	if w := c.WithCategory; w != nil {
		fmt.Fprintf(b, ", by %.3f on the %d rows that have a category", w.ECE, w.Rows)
	}
	b.WriteString(".\n\n|")
	for _, name := range c.Categories {
		fmt.Fprintf(b, " | %s", escaped(cmp.Or(name, "none")))
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(c.Categories)) + "|\n")
	for i, row := range c.Confusion {
		fmt.Fprintf(b, "| %s", escaped(cmp.Or(c.Categories[i], "none")))
		for _, n := range row {
			fmt.Fprintf(b, " | %d", n)
		}
		b.WriteString(" |\n")
	}
	b.WriteString("\n")
}

// leastSupport is the number of positives from which on verify counts a category in
// macro-F1.
const leastSupport = 8

// macro is the macro-F1, which is none where no category has enough positives.
func (s *scores) macro() string {
	for _, c := range s.Category {
		if c.Support >= leastSupport {
			return fmt.Sprintf("%.3f%s", s.MacroF1, s.CI.MacroF1)
		}
	}
	return fmt.Sprintf("n/a (fewer than %d rows a category)", leastSupport)
}

// write writes the figures of a set.
func (s *scores) write(b *strings.Builder) {
	fmt.Fprintf(b, "%d rows, macro F1 %s, micro F1 %.3f%s", s.Rows, s.macro(), s.MicroF1, s.CI.MicroF1)
	if s.Accuracy != nil {
		fmt.Fprintf(b, ", accuracy %.3f%s", *s.Accuracy, s.CI.Accuracy)
	}
	if s.CI.Level > 0 {
		fmt.Fprintf(b, "; in brackets intervals of %.0f %%", 100*s.CI.Level)
	}
	b.WriteString(".\n\n| category | precision | recall | F1 | support |\n|---|---|---|---|---|\n")
	for _, c := range slices.Sorted(maps.Keys(s.Category)) {
		v := s.Category[c]
		if v.Support < leastSupport {
			few := fmt.Sprintf("n/a (fewer than %d rows)", leastSupport)
			fmt.Fprintf(b, "| %s | %s | %s | %s | %d |\n", escaped(c), few, few, few, v.Support)
			continue
		}
		fmt.Fprintf(b, "| %s | %.3f | %.3f | %.3f%s | %d |\n", escaped(c), v.Precision, v.Recall, v.F1, v.CI.F1, v.Support)
	}
	b.WriteString("\n")
}

// escaped is a text that Markdown shows as it is, on one line.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range strings.Join(strings.Fields(text), " ") {
		switch {
		case c == '<':
			b.WriteString("&lt;")
			continue
		case c == '&':
			b.WriteString("&amp;")
			continue
		case !unicode.IsPrint(c):
			continue
		case strings.ContainsRune("\\`*_{}[]()>#+!|~$", c):
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	// An address becomes a link without any sign of Markdown.
	return strings.NewReplacer("://", ":&#47;/", "www.", "www&#46;", "@", "&#64;").Replace(b.String())
}

// quoted is a text as a word of a shell's command line.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// cuts says from which score on each category is answered.
func (f *facts) cuts(b *strings.Builder) {
	var t map[string]float64
	if json.Unmarshal(f.thresholds, &t) != nil || len(t) == 0 {
		return
	}
	b.WriteString("## Thresholds\n\n")
	for _, c := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(b, "- %s: %.3g\n", escaped(c), t[c])
	}
	b.WriteString("\n")
}

// card writes the model card.
func card(o *Options, f facts) string {
	var b strings.Builder
	var m struct {
		Labels  string  `json:"labels"`
		Test    *scores `json:"test"`
		Gold    *scores `json:"gold"`
		Details map[string]struct {
			Choice choice `json:"choice"`
		} `json:"details"`
	}
	known := json.Unmarshal(f.metrics, &m) == nil
	kind, answers := "multi-label", "per category a score in [-1,1] (0 is absent) and a tag"
	if m.Labels == "single" {
		kind, answers = "single-label", "one category or none, with its probability p, a score of 2p-1, and a tag"
	}
	about := ""
	if text := escaped(o.Description); text != "" {
		about = text + "\n\n"
	}
	b.WriteString("---\n")
	if o.License != "" {
		fmt.Fprintf(&b, "license: %q\n", strings.ToLower(o.License))
	}
	if o.Language != "" {
		fmt.Fprintf(&b, "language: [%q]\n", o.Language)
	}
	fmt.Fprintf(&b, "pipeline_tag: text-classification\ntags: [text-classification, %s]\n---\n# %s\n\n%sClassifies texts: %s.\n\n", kind, o.Name, about, answers)
	f.made(&b)
	f.reading(&b)
	if known {
		for _, set := range []struct {
			title, on string
			s         *scores
		}{{"Gold set (labelled by hand, never trained on)", "gold", m.Gold}, {"Test split (labelled by the rules)", "test", m.Test}} {
			if set.s == nil {
				continue
			}
			fmt.Fprintf(&b, "## %s\n\n", set.title)
			set.s.write(&b)
			m.Details[set.on].Choice.write(&b)
		}
	}
	f.cuts(&b)
	f.limits(&b, m.Labels == "single")
	text := cmp.Or(f.example.text, "A text")
	fmt.Fprintf(&b, "## Use\n\n```\nsprint classify --model %s %s\n```\n\n", o.Name, quoted(text))
	if len(f.example.labels) > 0 {
		fmt.Fprintf(&b, "The test split, which the model was not trained on, has this text as %s.\n\n", escaped(strings.Join(f.example.labels, ", ")))
	}
	if literal, err := json.Marshal(text); err == nil { // a string of JSON is one of Python
		fmt.Fprintf(&b, "In Python, in this folder, with numpy, safetensors and tokenizers:\n\n```python\nfrom model import Model\nmodel = Model(\".\")\nprint(model.answer(%s))\n```\n\n", literal)
	}
	if o.ONNX {
		b.WriteString("`model.onnx` is the whole classifier, without what rules add: input_ids, attention_mask and, of encoders that have them, token_type_ids, padded on the right, to scores, tags and, of a model that knows it, the probability of none. The categories and their tags stand in its metadata. `Model(\".\", onnx=True)` answers with it.\n\n")
	}
	b.WriteString("The encoder loads with Hugging Face transformers (`AutoModel`); the heads are the tensors `heads.*`.\n")
	return b.String()
}
